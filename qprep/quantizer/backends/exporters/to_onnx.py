"""ONNX Runtime: QuantizeLinear and DequantizeLinear, or operators on integers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from qprep.quantizer.backends.exporters.exporter_protocol import Exporter
from qprep.quantizer.backends.onnx.export import export_onnx
from qprep.quantizer.backends.onnx.export_report import ExportReport, OnnxOptions, Style
from qprep.quantizer.prepared_model import PreparedModel


class Onnx:
    """A file for ONNX Runtime in one of the two styles."""

    packages: tuple[str, ...] = ("onnx",)

    def __init__(self, style: Style = Style.QDQ) -> None:
        self._options = OnnxOptions(style=style)

    def export(self, quantizer: PreparedModel, path: Path) -> ExportReport:
        """See `Quantizer.export_onnx`."""
        return export_onnx(quantizer, path, self._options)


EXPORTERS: Final[Mapping[str, Exporter]] = MappingProxyType({"onnx": Onnx(), "onnx-qoperator": Onnx(Style.QOPERATOR)})
