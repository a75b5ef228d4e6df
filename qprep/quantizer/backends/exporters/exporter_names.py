"""Hand-over to runtimes by name: what each exporter writes of a quantizer, and what has to be at hand for it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

import torch

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.onnx.export import export_onnx
from qprep.quantizer.backends.onnx.export_report import ExportReport, OnnxOptions, Style
from qprep.quantizer.backends.pt2e import export_pt2e
from qprep.quantizer.config.config_settings import did_you_mean
from qprep.quantizer.prepared_model import PreparedModel


class Exporter(Protocol):
    """Writes a calibrated or trained quantizer's model to a file for one runtime.

    packages  what has to be installed, by the names that are imported
    """

    packages: tuple[str, ...]

    def export(self, quantizer: PreparedModel, path: Path) -> ExportReport:
        """Write the file; QprepError where the model does not fit the runtime."""


class Onnx:
    """ONNX Runtime: QuantizeLinear and DequantizeLinear, or operators on integers."""

    packages: tuple[str, ...] = ("onnx",)

    def __init__(self, style: Style = Style.QDQ) -> None:
        self._options = OnnxOptions(style=style)

    def export(self, quantizer: PreparedModel, path: Path) -> ExportReport:
        """See `Quantizer.export_onnx`."""
        return export_onnx(quantizer, path, self._options)


class TensorRT:
    """TensorRT: the same with zero points 0, biases in float, checked by its rules."""

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


class Pt2e:
    """torchao and ExecuTorch: an ExportedProgram with q/dq operators, as torch.export.save writes it."""

    packages: tuple[str, ...] = ("torch",)

    def export(self, quantizer: PreparedModel, path: Path) -> ExportReport:
        """See `Quantizer.export_pt2e`."""
        torch.export.save(export_pt2e(quantizer), path)
        return ExportReport(path, 0, {})


class OpenVino:
    """OpenVINO, through the ONNX file, where its package is at hand."""

    packages: tuple[str, ...] = ("onnx", "openvino")

    def export(self, quantizer: PreparedModel, path: Path) -> ExportReport:
        """Write the intermediate representation beside the ONNX file that it is converted from."""
        openvino = importlib.import_module("openvino")
        report = export_onnx(quantizer, path.with_suffix(".onnx"), OnnxOptions())
        openvino.save_model(openvino.convert_model(str(path.with_suffix(".onnx"))), str(path), compress_to_fp16=False)
        return report


EXPORTERS: Final[Mapping[str, Exporter]] = MappingProxyType(
    {
        "onnx": Onnx(),
        "onnx-qoperator": Onnx(Style.QOPERATOR),
        "tensorrt": TensorRT(),
        "pt2e": Pt2e(),
        "openvino": OpenVino(),
    }
)


def exporter(name: str) -> Exporter:
    """The exporter for a runtime; QprepError for an unknown one, and where its packages are missing."""
    found = EXPORTERS.get(name)
    if found is None:
        raise QprepError(
            f"expected an exporter among {', '.join(EXPORTERS)}, found {name!r}{did_you_mean(name, EXPORTERS)}"
        )
    missing = [each for each in found.packages if find_spec(each) is None]
    if missing:
        raise QprepError(f"expected the package {' and '.join(missing)} to export for {name}, found none")
    return found
