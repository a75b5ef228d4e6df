"""torchao and ExecuTorch: an ExportedProgram with q/dq operators, as torch.export.save writes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import torch

from qprep.quantizer.backends.exporters.exporter_protocol import Exporter
from qprep.quantizer.backends.onnx.export_report import ExportReport
from qprep.quantizer.backends.pt2e import export_pt2e
from qprep.quantizer.prepared_model import PreparedModel


class Pt2e:
    """An ExportedProgram."""

    packages: tuple[str, ...] = ("torch",)

    def export(self, quantizer: PreparedModel, path: Path) -> ExportReport:
        """See `Quantizer.export_pt2e`."""
        torch.export.save(export_pt2e(quantizer), path)
        return ExportReport(path, 0, {})


EXPORTERS: Final[Mapping[str, Exporter]] = MappingProxyType({"pt2e": Pt2e()})
