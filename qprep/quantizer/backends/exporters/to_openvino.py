"""OpenVINO, through the ONNX file, if its package is installed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from qprep.quantizer.backends.exporters.exporter_protocol import Exporter
from qprep.quantizer.backends.onnx.export import export_onnx
from qprep.quantizer.backends.onnx.export_report import ExportReport, OnnxOptions
from qprep.quantizer.prepared_model import PreparedModel


class OpenVino:
    """OpenVINO's intermediate representation."""

    packages: tuple[str, ...] = ("onnx", "openvino")

    def export(self, quantizer: PreparedModel, path: Path) -> ExportReport:
        """Write the intermediate representation next to the ONNX file that it is converted from."""
        openvino = importlib.import_module("openvino")
        report = export_onnx(quantizer, path.with_suffix(".onnx"), OnnxOptions())
        openvino.save_model(openvino.convert_model(str(path.with_suffix(".onnx"))), str(path), compress_to_fp16=False)
        return report


EXPORTERS: Final[Mapping[str, Exporter]] = MappingProxyType({"openvino": OpenVino()})
