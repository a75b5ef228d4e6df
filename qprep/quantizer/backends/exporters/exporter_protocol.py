"""The interface of exporters."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from qprep.quantizer.backends.onnx.export_report import ExportReport
from qprep.quantizer.prepared_model import PreparedModel


class Exporter(Protocol):
    """Writes a calibrated or trained quantizer's model to a file for one runtime.

    packages  the packages that it requires, by the names that are imported
    """

    packages: tuple[str, ...]

    def export(self, quantizer: PreparedModel, path: Path) -> ExportReport:
        """Write the file; QprepError if the model does not fit the runtime."""
