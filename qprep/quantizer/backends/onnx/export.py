# ruff: noqa: ANN401 -- values of any kind
"""Writes an ONNX file: QuantizeLinear and DequantizeLinear where slots are, weights stored as integers."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from qprep.foundation.atomic_write import save
from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.comparison import check_grids
from qprep.quantizer.backends.onnx.export_report import (
    ExportReport,
    FixedSizesError,
    OnnxOptions,
    Recurrent,
    Style,
    recurrent_named,
    style_named,
)
from qprep.quantizer.backends.onnx.free_sizes import recorded
from qprep.quantizer.backends.onnx.recurrent_slots import as_written
from qprep.quantizer.backends.onnx.run_record import Recording, Ref, Step, opened
from qprep.quantizer.backends.onnx.runtime_check import WrittenSlot, compare, results_apart
from qprep.quantizer.backends.onnx.sizes import Dim, Size
from qprep.quantizer.example_runs import example_of, run_example
from qprep.quantizer.formats.tensor_quantizers import QuantizerMode, TensorQuantizer
from qprep.quantizer.graph.model_copies import copy_of
from qprep.quantizer.graph.quantized_module import QuantizedModule
from qprep.quantizer.graph.runtime_arithmetic import in_float
from qprep.quantizer.graph.tensor_leaves import holder, map_tensors, tensors_in
from qprep.quantizer.prepared_model import PreparedModel

if TYPE_CHECKING:
    from qprep.quantizer.backends.onnx.builder import Builder


def export_onnx(quantizer: PreparedModel, path: str | Path, options: OnnxOptions) -> ExportReport:
    """See `Quantizer.export_onnx`."""
    model = quantizer.convert(options.check)
    if options.check:
        check_grids(model, partial(run_example, model, quantizer.example), "ONNX")
    return _written(model, Path(path), example_of(model, quantizer.example), options, quantizer.is_trained)


def check_onnx(quantizer: PreparedModel, options: OnnxOptions) -> ExportReport:
    """The notes of `export_onnx` before there are ranges: a dry run on the prepared model that writes nothing.

    Raises QprepError that names every operation which no file can hold, with its module, file and line.
    """
    model = copy_of(quantizer.graph.model, quantizer.graph.model)
    for slot in model.modules():
        if isinstance(slot, TensorQuantizer):
            slot.mode = QuantizerMode.OFF
    return _written(model, None, example_of(model, quantizer.example), options)


def write_onnx(  # noqa: PLR0917  (the last three are mostly left out)
    model: nn.Module,
    path: str | Path,
    inputs: Sequence[Any],
    keywords: Mapping[str, Any] | None = None,
    dynamic_batch: bool = True,
    check: bool = True,
    *,
    recurrent: Recurrent | str | None = None,
    dynamic_axes: Mapping[str, Mapping[int, str]] | None = None,
    opset: int | None = None,
    style: Style | str = Style.QDQ,
) -> ExportReport:
    """Write `model`, a float model or what `convert` gives, as it runs on the example `inputs`.

    It computes in float32, whatever type the model is in. Where a second run with one more row along the first
    dimension calls the same operations, that dimension is free (`batch`); with `dynamic_batch=False`, and elsewhere,
    sizes are those of the example. An operation without an ONNX form of qprep's is written by torch.onnx.export, in
    float; the report names it. `recurrent` is "operator" (as None is), "loop" or "unrolled", see `Recurrent`.
    `dynamic_axes` names the sizes that are free, by input and dimension: {"x": {0: "batch", 1: "length"}}. `opset` is
    the operators', 21 by default; with style="qoperator" integers go through QLinearConv and QLinearMatMul. With
    `check`, and where ONNX Runtime is installed, the file is run on the example inputs first and has to give what
    `model` does, within `LIMIT`.

    Raises QprepError if it does not, where an operation has no form at all, with module, file and line of each, and
    where the onnx package is missing.
    """
    options = OnnxOptions(dynamic_batch, recurrent_named(recurrent), check, dynamic_axes, opset, style_named(style))
    return _written(model, Path(path), (tuple(inputs), dict(keywords or {})), options)


def _written(
    model: nn.Module,
    path: Path | None,
    example: tuple[tuple[Any, ...], dict[str, Any]],
    options: OnnxOptions,
    is_trained: bool = False,
) -> ExportReport:
    """Write the file; the weights of a trained model belong to the slots inside its recurrent layers, too."""
    model = in_float(model)
    if any(_plain_float(each) is not each for each in (*model.parameters(), *model.buffers())):
        model = copy_of(model, model).cpu().float()
    example = map_tensors(lambda _, tensor: _plain_float(tensor), example)
    slots = {} if path is None else _slots(model)  # a trial comes before weights are on a grid
    file = _sized(model.eval(), example, options, slots)
    if path is None:
        return file.report
    if is_trained and file.wholes and options.check and options.recurrent is None:
        file = _with_slots(file, model, example, options, slots)
    if options.check:
        compare(file.made, file.written, as_written(model, file.wholes), *example)
    save(path, file.made, "ONNX model")
    return replace(file.report, path=path)


@dataclass(frozen=True, slots=True)
class _File:
    """A file to be.

    made     its bytes
    written  where in it the integers of each slot are
    wholes   the slots of what recurrent layers return that are one operator, by path
    """

    made: bytes
    report: ExportReport
    written: list[WrittenSlot]
    wholes: dict[str, list[TensorQuantizer | None]]


def _sized(
    model: nn.Module,
    example: tuple[tuple[Any, ...], dict[str, Any]],
    options: OnnxOptions,
    slots: dict[Parameter, TensorQuantizer],
) -> _File:
    """With free sizes where all of its parts can follow them."""
    try:
        return _proto(model, example, options, slots)
    except FixedSizesError as error:
        if options.free is not None:
            raise QprepError(f"expected operations that can follow free sizes, found {error}") from error
        return _proto(model, example, replace(options, dynamic_batch=False), slots)


def _with_slots(
    file: _File,
    model: nn.Module,
    example: tuple[tuple[Any, ...], dict[str, Any]],
    options: OnnxOptions,
    slots: dict[Parameter, TensorQuantizer],
) -> _File:
    """The same file if it gives what the model was trained to give; else one with loops, which keep every slot."""
    apart = results_apart(file.made, model, *example)
    if apart is None:
        return file
    looped = _sized(model, example, replace(options, recurrent=Recurrent.LOOP), slots)
    why = f"a loop in the ONNX file; as one operator its results are {apart} from what was trained"
    notes = (*looped.report.notes, *(f"{path}: {why}" for path in file.wholes))
    return replace(looped, report=replace(looped.report, notes=notes))


def _plain_float(tensor: Tensor) -> Tensor:
    """On the CPU, in float32 where it is of another floating type: what runtimes quantize from."""
    there = tensor.cpu()
    return there.float() if there.is_floating_point() else there


def _proto(
    model: nn.Module,
    example: tuple[tuple[Any, ...], dict[str, Any]],
    options: OnnxOptions,
    slots: dict[Parameter, TensorQuantizer],
) -> _File:
    try:
        import onnx
    except ImportError as error:
        raise QprepError("expected the onnx package to export, found none: pip install 'qprep[onnx]'") from error
    from qprep.quantizer.backends.onnx.builder import OPSET, Builder
    from qprep.quantizer.backends.onnx.float_weights import kept_in_float
    from qprep.quantizer.backends.onnx.step_writer import write_steps

    names = _input_names(model, *example, sum(1 for _ in tensors_in(example)))
    run, shapes = recorded(model, example, names, options)
    builder = Builder(slots)
    builder.float_bias = options.float_bias
    builder.unsigned = not options.float_bias and any(_is_unsigned(step) for step in run.steps)
    builder.readers = _readers(run)
    given = _inputs(builder, run, shapes, names)
    write_steps(builder, _needed(run), run)
    returned = _outputs(builder, run)
    nodes = kept_in_float(_alive(builder, [info.name for info in returned]), builder.initializers)
    used = {name for node in nodes for name in _names_read(node)}
    kept = [each for name, each in builder.initializers.items() if name in used]
    graph = onnx.helper.make_graph(nodes, type(_plain(model)).__name__, given, returned, kept)
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], producer_name="qprep")
    made.ir_version = 10
    onnx.checker.check_model(made)
    made = _as_asked(made, options)
    free = {info.name: names for info, names in ((info, _free(info)) for info in given) if names}
    wholes = _wholes(run)
    notes = _notes(run, tuple(wholes))
    report = ExportReport(None, options.opset or OPSET, free, tuple(builder.islands), notes, tuple(wholes))
    return _File(bytes(made.SerializeToString()), report, builder.written, wholes)


def _wholes(run: Recording) -> dict[str, list[TensorQuantizer | None]]:
    """The recurrent layers that are one step, and the slot behind each call of them."""
    slots = {(each.number, step.path): step.slot for step in run.steps for each in _quantized(step)}
    found: dict[str, list[TensorQuantizer | None]] = {}
    for step in run.steps:
        if step.name == "recurrent" and step.slotted:
            found.setdefault(step.path, []).append(slots.get((step.outputs[0], step.path)))
    return found


def _quantized(step: Step) -> list[Ref]:
    """The tensor that a step quantizes, as a list of one or none."""
    given = step.arguments.get("input") if step.name == "quantize" else None
    return [given] if isinstance(given, Ref) else []


def _as_asked(made: Any, options: OnnxOptions) -> Any:
    """In another opset, or with operators on integers; QprepError for an opset that it cannot be brought to."""
    from qprep.quantizer.backends.onnx.builder import OPSET
    from qprep.quantizer.backends.onnx.integer_operators import with_integer_operators
    from qprep.quantizer.backends.onnx.opsets import brought_to

    if options.style is Style.QOPERATOR:
        made = with_integer_operators(made)
    if options.opset is None or options.opset == OPSET:
        return made
    return brought_to(made, options.opset, is_run=options.check)


def _free(info: Any) -> dict[int, str]:
    """The names of an input's free sizes."""
    return {axis: each.dim_param for axis, each in enumerate(info.type.tensor_type.shape.dim) if each.dim_param}


def _notes(run: Recording, wholes: tuple[str, ...]) -> tuple[str, ...]:
    reads = [f"{each}: the file has the example's number" for each in dict.fromkeys(run.reads)]
    left = [f"{path}: one operator in the ONNX file, without the slots inside" for path in wholes]
    return (*reads, *left)


def _slots(model: nn.Module) -> dict[Parameter, TensorQuantizer]:
    found: dict[Parameter, TensorQuantizer] = {}
    for module in model.modules():
        if isinstance(module, QuantizedModule):
            held = holder(module.module)._parameters  # noqa: SLF001
            for name, slot in module.weights.items():
                parameter = held.get(name)
                if parameter is not None and isinstance(slot, TensorQuantizer) and _is_on_grid(slot):
                    found[parameter] = slot
    return found


def _is_on_grid(slot: TensorQuantizer) -> bool:
    """`convert` turns the slots of parameters off; those that never had a range were never on."""
    return not slot.spec.is_float


def _is_unsigned(step: Step) -> bool:
    """True if a step quantizes to integers from 0 on."""
    return step.slot is not None and not step.slot.spec.is_float and step.slot.spec.limits[0] >= 0


def _readers(run: Recording) -> Counter[int]:
    found = Counter(ref.number for ref in run.outputs if isinstance(ref, Ref))
    for step in run.steps:
        found.update(_read(step))
    return found


def _read(step: Step) -> list[int]:
    return [each.number for each in opened(step.arguments) if isinstance(each, Ref)]


def _needed(run: Recording) -> list[Step]:
    """The steps that an output depends on."""
    needed = {ref.number for ref in run.outputs if isinstance(ref, Ref)}
    kept: list[Step] = []
    for step in reversed(run.steps):
        if needed.intersection(step.outputs):
            kept.append(step)
            needed.update(_read(step))
    return kept[::-1]


def _input_names(model: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any], number: int) -> list[str]:
    """Of the forward's parameters where each takes one tensor."""
    names = [
        each.name
        for each in inspect.signature(_plain(model).forward).parameters.values()
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    given = [*zip(names, inputs, strict=False), *keywords.items()]
    if len(given) == number and all(isinstance(value, Tensor) for _, value in given):
        return [name for name, _ in given]
    return [f"input_{index}" for index in range(number)]


def _plain(model: nn.Module) -> nn.Module:
    """The user's own model, where slots were put around it."""
    return model.module if isinstance(model, QuantizedModule) else model


def _inputs(builder: Builder, run: Recording, shapes: list[tuple[Dim, ...]], names: list[str]) -> list[Any]:
    from qprep.quantizer.backends.onnx.builder import Value

    infos = []
    for number, tensor, shape, name in zip(run.inputs, run.input_tensors, shapes, names, strict=True):
        for axis, size in enumerate(shape):
            if isinstance(size, Size):
                builder.free.setdefault(str(size), (name, axis))
        builder.values[number] = Value(shape, tensor.dtype, name)
        infos.append(_info(name, tensor.dtype, shape))
    return infos


def _outputs(builder: Builder, run: Recording) -> list[Any]:
    from onnx import helper

    builder.step = None
    infos = []
    for index, ref in enumerate(run.outputs):
        value = builder.value(ref)
        name = "output" if len(run.outputs) == 1 else f"output_{index}"
        builder.nodes.append(helper.make_node("Identity", [builder.float(value)], [name], name=name))
        infos.append(_info(name, value.kind, value.shape))
    return infos


def _info(name: str, kind: torch.dtype, shape: tuple[Dim, ...]) -> Any:
    from onnx import helper

    from qprep.quantizer.backends.onnx.builder import onnx_type

    sizes = [str(each) if isinstance(each, Size) else each for each in shape]
    return helper.make_tensor_value_info(name, onnx_type(kind), sizes)


def _alive(builder: Builder, names: list[str]) -> list[Any]:
    """The nodes that give something to an output."""
    needed, kept = set(names), []
    for node in reversed(builder.nodes):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(_names_read(node))
    return kept[::-1]


def _names_read(node: Any) -> Iterator[str]:
    """The names that a node reads, in its subgraphs too."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from (each.name for each in graph.output)
            for inner in graph.node:
                yield from _names_read(inner)
