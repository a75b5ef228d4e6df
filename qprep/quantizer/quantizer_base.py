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
from qprep.quantizer.backends.comparison import first_difference, output_difference, refused, steps_of, watched
from qprep.quantizer.backends.exporters import exporter
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
from qprep.quantizer.graph.planning_notes import small_scales
from qprep.quantizer.graph.quantization_plan import set_passes, set_plan
from qprep.quantizer.layers.layer_formats import formats_of
from qprep.quantizer.loaders import Watch, ignore
from qprep.quantizer.quantizer_preparation import PreparingQuantizer
from qprep.quantizer.report.quantization_report import QuantizationReport
from qprep.quantizer.report.report_data import FloatPart
from qprep.quantizer.report.report_runs import report


class Quantizer(PreparingQuantizer):
    """`Quantizer(model, …).prepare_model(*example_inputs)` puts quantizers into `model`, in place.

    Arguments are those of `PreparingQuantizer`. Here is what is made of a prepared model: the converted one, integers,
    files for runtimes, reports, and files that `load` reads again.
    """

    def convert(self, check: bool = True) -> nn.Module:
        """Return a new model that simulates the final arithmetic: its parameters hold their rounded values.

        Biases of layers whose input and weight are on grids are rounded to the product of both scales, as integer
        runtimes add them.

        check  whether it is compared with the model that it comes from, on the example inputs, within `LIMIT` of
               `qprep.quantizer.backends.comparison`

        Raises QprepError before prepare_model, where ranges are still to be observed, and where a slot gives something
        else than before, with its name.
        """
        self.check_calibrated("convert")
        self._note(small_scales(self.quantizers))
        model = self._converted()
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
        """QprepError where `converted` gives something else than the model that it comes from."""
        before, expected = watched(self.model, partial(run_example, self.model, self.example))
        after, returned = watched(converted, partial(run_example, converted, self.example), before)
        apart = first_difference(before, after)
        found = output_difference(expected, returned, steps_of(expected, before)) if apart is None else None
        name, difference = ("", found) if apart is None else apart
        if difference is not None:
            why = "its quantizer changes its own result when it is applied twice"
            raise refused("the converted model to equal the prepared one in evaluation", name, difference, why)

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
        """The same on integers: an `IntegerModel`, which agrees with `convert` within one level of each slot.

        check  whether each slot is compared with the simulation's on the example inputs, given the same before it

        Raises QprepError where `convert` does, where no activation is quantized to integers, and where a slot differs
        by more than `LIMIT`, with its name.
        """
        return to_integer(self, check)

    def export_onnx(
        self,
        path: str | Path,
        dynamic_batch: bool = True,
        check: bool = True,
        recurrent: str = "operator",
        *,
        dynamic_axes: Mapping[str, Mapping[int, str]] | None = None,
        opset: int | None = None,
        style: str = "qdq",
    ) -> ExportReport:
        """Write `convert`'s model as ONNX: QuantizeLinear and DequantizeLinear at each slot, integer weights stored.

        It runs as with `prepare_model`'s example inputs; their first dimension is left free where the model allows it,
        unless `dynamic_batch` is False. LSTM, GRU and RNN become one operator of ONNX each, in float with the weights'
        integers and without the slots inside; `recurrent="loop"` keeps these, in a Scan over time. Operations without
        a form of qprep's are written by torch.onnx.export, in float. The report that is returned, and `notes`, name
        all of that. `dynamic_axes` names the sizes that are free, by input and dimension: {"x": {0: "batch", 1:
        "length"}}; `opset` is that of the operators, 21 by default; with `style="qoperator"` integers go through
        QLinearConv and QLinearMatMul rather than QuantizeLinear and DequantizeLinear around float operators.

        With `check`, and where ONNX Runtime is installed, the file is run on the example inputs and compared with
        `convert`'s model before it is written, see `LIMIT`; the name of the first slot that differs by more is in the
        error. Raises QprepError for an operation that has no ONNX form at all (with its module, file and line;
        `check_onnx` says so before calibration), where `convert` does, and without the onnx package.
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
        """`convert`'s model through torch.export, with the q/dq operators that torchao and ExecuTorch lower.

        Weights are stored as integers. The first dimension is free where the model allows it. With `check` the program
        has to give what the simulation does. Raises QprepError where torch.export does not take the model, for ranges
        that are not fixed integers, and where `convert` does.
        """
        return export_pt2e(self, dynamic_batch, check)

    def export(self, path: str | Path, runtime: str = "onnx") -> ExportReport:
        """Write a file for a runtime: "onnx", "onnx-qoperator", "tensorrt", "pt2e" or "openvino"; see `EXPORTERS`.

        Raises QprepError where the runtime's package is missing or does not take the model.
        """
        report = exporter(runtime).export(self, Path(path))
        self.notes += [line for line in report.lines if line not in self.notes]
        return report

    def save(self, path: str | Path) -> None:
        """Write settings and tensors, readable with `weights_only=True`; the optimizer's state is the caller's."""
        save(self, path)

    @classmethod
    def load(
        cls,
        path: str | Path,
        model: nn.Module,
        *example_inputs: object,
        passes: Mapping[str, Pass] | None = None,
        optimizer: Optimizer | None = None,
        **example_kwinputs: object,
    ) -> Self:
        """Load a file of `save` into the float model `model`: prepared as saved, ready to convert or train.

        passes     the user's own, by name, where they changed the model itself: what passes decided is in the file
        optimizer  of the parameters of `model`; it is given what the method learns, as `prepare_model` does, so that
                   `optimizer.load_state_dict` then takes the state that the optimizer had when the model was saved

        Raises QprepError for a file of another kind or method, another model, and a constructor that takes other
        arguments than the one that made what was saved.
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
        quantizer.prepare_model(*example_inputs, allow_unprepared=True, **example_kwinputs)
        restore(quantizer, data, path)
        return quantizer
