"""The base of all quantizers: what is made of a prepared model, and files that hold it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

import torch
from torch import nn
from torch.optim import Optimizer

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.comparison import (
    check_finite,
    difference_error,
    first_difference,
    output_difference,
    steps_of,
    watched,
)
from qprep.quantizer.backends.exporters.exporter_names import exporter
from qprep.quantizer.backends.integer.integer_model import IntegerModel, to_integer
from qprep.quantizer.backends.onnx.export import check_onnx, export_onnx
from qprep.quantizer.backends.onnx.export_report import ExportReport, OnnxOptions, recurrent_named, style_named
from qprep.quantizer.backends.pt2e import export_pt2e
from qprep.quantizer.batches import batches_of
from qprep.quantizer.checkpoint import accepted, read, restore, save
from qprep.quantizer.config.config_settings import Overrides, names_of
from qprep.quantizer.example_runs import run_example
from qprep.quantizer.graph import bias_rounding
from qprep.quantizer.graph.graph_passes import Pass
from qprep.quantizer.graph.model_copies import copy_of
from qprep.quantizer.graph.planning_notes import lost_signs, small_scales
from qprep.quantizer.graph.quantization_plan import set_passes, set_plan
from qprep.quantizer.graph.runtime_arithmetic import follow_runtime
from qprep.quantizer.layers.layer_formats import formats_of
from qprep.quantizer.loaders import Watch, ignore
from qprep.quantizer.quantizer_preparation import PreparingQuantizer
from qprep.quantizer.report.quantization_report import QuantizationReport
from qprep.quantizer.report.report_data import FloatPart
from qprep.quantizer.report.report_runs import report


class Quantizer(PreparingQuantizer):
    """`Quantizer(model, …).prepare_model(*example_inputs)` puts quantizers into `model`, in place.

    The arguments are those of `PreparingQuantizer`. The methods below turn a prepared model into a converted model, an
    integer model, files for runtimes, reports, and files that `load` reads.
    """

    def convert(self, check: bool = True, *, runtime: str | None = None) -> nn.Module:
        """Return a new model that simulates the final arithmetic: its parameters hold their rounded values.

        Biases of layers whose input and weight are on grids are rounded to the product of both scales, as integer
        runtimes add them.

        check    compare it with the prepared model on the example inputs, within `LIMIT` of
                 `qprep.quantizer.backends.comparison`
        runtime  "onnxruntime": compute layers and products as its integer kernels do, with exact sums that are scaled
                 once. Results are then equal to the last integer where these kernels run, and have no gradient. By
                 default all is computed in float, which moves about one value of 100,000 to the next level

        Raises QprepError before prepare_model, if ranges are missing, for another runtime, and, with the name of the
        slot, if its scale is not finite or its result differs.
        """
        if runtime not in (None, "onnxruntime"):
            raise QprepError(f"expected the runtime 'onnxruntime' or None, found {runtime!r}")
        self.check_calibrated("convert")
        check_finite(self.quantizers)
        self._note([*small_scales(self.quantizers), *lost_signs(self.quantizers)])
        model = self._converted()
        if runtime is not None:
            follow_runtime(self.graph, self.model, model)
        if check:
            self._compare(model)
        return model

    def _converted(self) -> nn.Module:
        """A copy with rounded parameters, in evaluation mode."""
        pairs = list(self.parameters_with_quantizers())
        model, copied = copy_of((self.model, pairs), self.model)
        with torch.no_grad():
            for parameter, quantizer in copied:
                if quantizer.is_active:
                    parameter.copy_(quantizer.quantize(parameter))
                    quantizer.set_flag("finished", True)
        bias_rounding.finish(model)
        return model.eval()

    def _compare(self, converted: nn.Module) -> None:
        """QprepError if `converted` gives something else than the model that it comes from."""
        before, expected = watched(self.model, partial(run_example, self.model, self.example))
        after, returned = watched(converted, partial(run_example, converted, self.example), before)
        apart = first_difference(before, after)
        found = output_difference(expected, returned, steps_of(expected, before)) if apart is None else None
        name, difference = ("", found) if apart is None else apart
        if difference is not None:
            why = "its quantizer changes its own result when it is applied twice"
            raise difference_error("the converted model to equal the prepared one in evaluation", name, difference, why)

    def report(self, loader: Iterable[object], sensitivity: bool = True, watch: Watch = ignore) -> QuantizationReport:
        """Compare the float and the quantized model, layer by layer, on real data; see `QuantizationReport`.

        sensitivity  run the first batch once more with each slot and layer quantized alone
        watch        called with the name of the step, the number done and the total
        """
        self.check_calibrated("report")
        found = report(self, batches_of(loader), sensitivity, watch)
        islands = tuple(FloatPart(f"{each.operation} in {each.where}", str(each.reason)) for each in self._islands)
        return replace(found, in_float=(*found.in_float, *islands))

    def to_integer(self, check: bool = True) -> IntegerModel:
        """Return an `IntegerModel`, which computes on integers and agrees with `convert` within one level of each slot.

        check  compare each slot with the simulation on the example inputs, from equal inputs of the slot

        Raises QprepError where `convert` does, if no activation is quantized to integers, and if a slot differs by more
        than `LIMIT`, with its name.
        """
        return to_integer(self, check)

    def export_onnx(
        self,
        path: str | Path,
        dynamic_batch: bool = True,
        check: bool = True,
        recurrent: str | None = None,
        *,
        dynamic_axes: Mapping[str, Mapping[int, str]] | None = None,
        opset: int | None = None,
        style: str = "qdq",
    ) -> ExportReport:
        """Write the converted model as ONNX, with QuantizeLinear and DequantizeLinear at each slot and integer weights.

        dynamic_batch  leave the first dimension of the example inputs free if the model allows it
        check          run the file in ONNX Runtime, if it is installed, and compare it with the converted model
        recurrent      "operator": LSTM, GRU and RNN become one ONNX operator each, in float with quantized weights and
                       without inner slots; "loop" keeps the slots in a Scan over time. By default they are operators;
                       after training they are loops if the operators' results are not close to the simulation's
        dynamic_axes   sizes that are free, by input and dimension: {"x": {0: "batch", 1: "length"}}
        opset          version of the operators, 21 by default
        style          "qdq", or "qoperator" for QLinearConv and QLinearMatMul

        torch.onnx.export writes operations without a form of qprep, in float. The returned report and `notes` name all
        exceptions. Raises QprepError for an operation without any ONNX form (with its module, file and line;
        `check_onnx` finds it before calibration), if the results differ by more than `LIMIT` (with the first slot that
        differs), where `convert` does, and without the onnx package.
        """
        known = recurrent_named(recurrent), check, dynamic_axes, opset, style_named(style)
        report = export_onnx(self, path, OnnxOptions(dynamic_batch, *known))
        self.notes += [line for line in report.lines if line not in self.notes]
        self._islands = report.islands
        return report

    def check_onnx(self) -> ExportReport:
        """Try `export_onnx` before calibration; returns its report and raises its errors."""
        self.graph  # noqa: B018  (raises before prepare_model)
        report = check_onnx(self, OnnxOptions())
        self._islands = report.islands
        return report

    def export_pt2e(self, dynamic_batch: bool = True, check: bool = True) -> torch.export.ExportedProgram:
        """Return the converted model as a program of torch.export, with operators that torchao and ExecuTorch lower.

        Weights are stored as integers. The first dimension is free if the model allows it. `check` compares the program
        with the simulation. Raises QprepError if torch.export cannot export the model, for ranges that are not fixed
        integers, and where `convert` does.
        """
        return export_pt2e(self, dynamic_batch, check)

    def export(self, path: str | Path, runtime: str = "onnx") -> ExportReport:
        """Write a file for a runtime: "onnx", "onnx-qoperator", "tensorrt", "pt2e" or "openvino"; see `EXPORTERS`.

        Raises QprepError if the package of the runtime is missing or rejects the model.
        """
        report = exporter(runtime).export(self, Path(path))
        self.notes += [line for line in report.lines if line not in self.notes]
        return report

    def save(self, path: str | Path) -> None:
        """Write settings and tensors, readable with `weights_only=True`. The state of the optimizer is not included."""
        save(self, path)

    @classmethod
    def load(
        cls,
        path: str | Path,
        model: nn.Module,
        *example_inputs: object,
        passes: Mapping[str, Pass] | None = None,
        optimizer: Optimizer | None = None,
        allow_unprepared: bool = True,
        **example_kwinputs: object,
    ) -> Self:
        """Load a file of `save` into the float model `model`: prepared as saved, ready to convert or train.

        passes     custom passes by name, needed only if they change the model itself; decisions of passes are in the
                   file
        optimizer  an optimizer of the parameters of `model`. `load` adds the learned parameters, so that
                   `optimizer.load_state_dict` restores the state of the saved training
        allow_unprepared  as in `prepare_model`: False: operations that stay in float are an error

        Raises QprepError for a file of another kind or method, for another model, and if the constructor of the method
        has other arguments than when the file was saved.
        """
        data = read(path, cls.__name__)
        arguments = accepted(cls, data) | ({} if optimizer is None else {"optimizer": optimizer})
        try:
            quantizer = cls(model, **arguments)
        except TypeError as error:
            raise QprepError(f"expected a constructor of {cls.__name__} as when {path} was saved: {error}") from error
        quantizer.given = frozenset(data["given"])
        quantizer.settings = Overrides.from_data(data, names_of(model), formats_of(model))
        set_passes(quantizer.passes, data["passes"], passes or {}, lambda graph: set_plan(graph, data["plan"]))
        quantizer.prepare_model(*example_inputs, allow_unprepared=allow_unprepared, **example_kwinputs)
        restore(quantizer, data, path)
        return quantizer
