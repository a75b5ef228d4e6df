"""TensorRT: ONNX with zero points 0 and biases in float, checked by its rules."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.exporters.exporter_protocol import Exporter
from qprep.quantizer.backends.onnx.export import export_onnx
from qprep.quantizer.backends.onnx.export_report import ExportReport, OnnxOptions
from qprep.quantizer.prepared_model import PreparedModel


class TensorRT:
    """An ONNX file that TensorRT takes."""

    packages: tuple[str, ...] = ("onnx",)

    def export(self, quantizer: PreparedModel, path: Path) -> ExportReport:
        """Write and check; a file that breaks a rule is removed again."""
        from qprep.quantizer.backends.onnx.tensorrt_rules import check_tensorrt

        report = export_onnx(quantizer, path, OnnxOptions(float_bias=True))
        try:
            check_tensorrt(path)
        except QprepError:
            path.unlink(missing_ok=True)
            raise
        return report


EXPORTERS: Final[Mapping[str, Exporter]] = MappingProxyType({"tensorrt": TensorRT()})
