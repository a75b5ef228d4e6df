"""Runs a quantized model next to its float original and measures every slot: what a report is made of."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import Parameter

from qprep.foundation.errors import QprepError
from qprep.quantizer.formats.spec import Granularity
from qprep.quantizer.formats.tensor_quantizers import (
    DynamicActivationQuantizer,
    FunctionQuantizer,
    QuantizerMode,
    TensorQuantizer,
)
from qprep.quantizer.graph.error_measure import Comparison, Ratio
from qprep.quantizer.graph.quantized_module import PARTS, QuantizedModule
from qprep.quantizer.loaders import Watch, ignore
from qprep.quantizer.prepared_model import PreparedModel
from qprep.quantizer.report.float_layers import left_in_float
from qprep.quantizer.report.graph_view import view_of
from qprep.quantizer.report.quantization_report import QuantizationReport
from qprep.quantizer.report.report_data import LayerReport, SlotReport
from qprep.quantizer.report.report_facts import facts_of

_MOST_CHANNELS: Final = 1024


def report(
    quantizer: PreparedModel, loader: Iterable[object], sensitivity: bool = True, watch: Watch = ignore
) -> QuantizationReport:
    """Run `loader` in float and quantized, side by side; the first batch once more for each slot and layer.

    Modes and parameters are the same afterwards. Raises QprepError for a loader without data.
    """
    slots = list(quantizer.quantizers)
    parameters = {each: parameter for parameter, each in quantizer.parameters_with_quantizers()}
    activations = [each for each in slots if each not in parameters]
    comparisons = {each: Comparison() for each in slots}
    output, first, batches = Ratio(), None, 0
    with _evaluating(quantizer, slots), torch.no_grad():
        for number, batch in enumerate(loader):
            first, batches = batch if number == 0 else first, number + 1
            _compare(quantizer, batch, activations, comparisons, output)
        if first is None:
            raise QprepError("expected data to report on, found an empty loader")
        for each, parameter in parameters.items():
            values = quantizer.values_of(parameter)
            comparisons[each].add(_float_of(quantizer, parameter, values), values, each(values), grid_of(each))
        groups = _layers(quantizer, slots)
        wanted = [(each,) for each in slots] + [group for group in groups.values() if len(group) > 1]
        alone = _alone(quantizer, slots, wanted, first, watch) if sensitivity else {}
    paths = {each: path for path, group in groups.items() for each in group}
    made = {
        each: _slot(each, paths[each], comparisons[each], alone.get((each,), math.nan), parameters.get(each))
        for each in slots
    }
    modules = _classes(quantizer)
    layers = tuple(
        LayerReport(path, modules.get(path, ""), tuple(map(made.__getitem__, group)), alone.get(group, math.nan))
        for path, group in groups.items()
    )
    total = sum(float(each.numel() * each.element_size()) for each in quantizer.model.parameters())
    float_size = total - sum(each.numel() * 4.0 for slot in slots for each in slot.parameters())
    saved = sum(4.0 * each.numel() - _size(slot, each) for slot, each in parameters.items())
    return QuantizationReport(
        modules[""],
        type(quantizer).__name__,
        tuple(made.values()),
        layers,
        output.decibels,
        float_size,
        float_size - saved,
        tuple(left_in_float(quantizer)),
        tuple(dict.fromkeys(quantizer.notes)),
        tuple(facts_of(quantizer, batches)),
        view_of(quantizer.graph),
    )


def _classes(quantizer: PreparedModel) -> dict[str, str]:
    """The class of each module, by its path in the float model."""
    found = dict(quantizer.graph.model.named_modules())
    wrappers = {path for path, each in found.items() if isinstance(each, QuantizedModule)}
    classes = {_unwrapped(path, wrappers): type(each).__name__ for path, each in found.items() if path not in wrappers}
    return classes | {node.path: type(node.module).__name__ for node in quantizer.graph.nodes if node.owned}


def grid_of(slot: TensorQuantizer) -> Any:  # noqa: ANN401  (QParams or None)
    """The grid of a slot that has a fixed one."""
    moving = isinstance(slot, (DynamicActivationQuantizer, FunctionQuantizer))
    return None if slot.spec.is_float or moving or not slot.is_active else slot.grid


def _layers(quantizer: PreparedModel, slots: Sequence[TensorQuantizer]) -> dict[str, tuple[TensorQuantizer, ...]]:
    """The slots of each module, in the order in which modules ran; a shared one belongs to the first."""
    owner: dict[TensorQuantizer, str] = {}
    wrappers = {path for path, each in quantizer.graph.model.named_modules() if isinstance(each, QuantizedModule)}
    for path, module in quantizer.graph.model.named_modules():
        if isinstance(module, QuantizedModule):
            for part in PARTS:
                for each in getattr(module, part).values():
                    owner.setdefault(each, _unwrapped(path, wrappers))
    for path, module in quantizer.graph.model.named_modules():
        if isinstance(module, TensorQuantizer):
            owner.setdefault(module, _unwrapped(path.rpartition(".")[0], wrappers))
    ran = {node.path: number for number, node in enumerate(quantizer.graph.nodes)}
    ordered = sorted(dict.fromkeys(owner[each] for each in slots), key=lambda path: ran.get(path, len(ran)))
    return {path: tuple(each for each in slots if owner[each] == path) for path in ordered}


def _unwrapped(path: str, wrappers: set[str]) -> str:
    """The path in the float model: without `module` behind a wrapper."""
    parts = path.split(".")
    kept = [part for at, part in enumerate(parts) if part != "module" or ".".join(parts[:at]) not in wrappers]
    return ".".join(kept)


@contextlib.contextmanager
def _evaluating(quantizer: PreparedModel, slots: list[TensorQuantizer]) -> Iterator[None]:
    training = {module: module.training for module in quantizer.model.modules()}
    modes = [each.mode for each in slots]
    quantizer.model.eval()
    try:
        yield
    finally:
        for module, was in training.items():
            module.training = was
        _set(slots, modes)


def _set(slots: Sequence[TensorQuantizer], modes: Sequence[QuantizerMode]) -> None:
    for each, mode in zip(slots, modes, strict=True):
        each.mode = mode


def _compare(
    quantizer: PreparedModel,
    batch: object,
    activations: list[TensorQuantizer],
    comparisons: dict[TensorQuantizer, Comparison],
    output: Ratio,
) -> None:
    """One batch in float, remembering what each quantizer was given, then quantized."""
    slots = list(quantizer.quantizers)
    modes = [each.mode for each in slots]
    given: dict[TensorQuantizer, list[Tensor]] = {each: [] for each in activations}
    _set(slots, [QuantizerMode.OFF] * len(slots))
    handles = [each.register_forward_pre_hook(lambda mine, args: given[mine].append(args[0].clone())) for each in given]
    with _removed(handles), _float_parameters(quantizer):
        expected = quantizer.call(batch)
    _set(slots, modes)

    def compare(mine: TensorQuantizer, args: tuple[Tensor, ...], found: Tensor) -> None:
        comparisons[mine].add(given[mine].pop(0), args[0], found, grid_of(mine))

    with _removed([each.register_forward_hook(compare) for each in given]):
        output.add_all(expected, quantizer.call(batch))


def _float_of(quantizer: PreparedModel, parameter: Tensor, values: Tensor) -> Tensor:
    """The float values of a parameter: its own, or those before they were overwritten."""
    known = quantizer.float_values.get(parameter) if isinstance(parameter, Parameter) else None
    return values if known is None else known.to(values)


@contextlib.contextmanager
def _float_parameters(quantizer: PreparedModel, but: frozenset[Parameter] = frozenset()) -> Iterator[None]:
    """Parameters that were overwritten have their float values again, all except `but`."""
    kept = {each: each.data for each in quantizer.float_values if each not in but}
    for each, data in kept.items():
        each.data = quantizer.float_values[each].to(data)
    try:
        yield
    finally:
        for each, data in kept.items():
            each.data = data


@contextlib.contextmanager
def _removed(handles: list[torch.utils.hooks.RemovableHandle]) -> Iterator[None]:
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _alone(
    quantizer: PreparedModel,
    slots: list[TensorQuantizer],
    groups: Sequence[tuple[TensorQuantizer, ...]],
    batch: object,
    watch: Watch,
) -> dict[tuple[TensorQuantizer, ...], float]:
    """Decibels of the output where one group of slots is quantized and all else is not."""
    modes = {each: each.mode for each in slots}
    owned = {each: parameter for parameter, each in quantizer.parameters_with_quantizers()}
    _set(slots, [QuantizerMode.OFF] * len(slots))
    with _float_parameters(quantizer):
        expected = quantizer.call(batch)
    found: dict[tuple[TensorQuantizer, ...], float] = {}
    for done, group in enumerate(groups):
        watch("sensitivity", done, len(groups))
        _set(group, [modes[each] for each in group])
        ratio = Ratio()
        with _float_parameters(quantizer, frozenset(owned[each] for each in group if each in owned)):
            ratio.add_all(expected, quantizer.call(batch))
        _set(group, [QuantizerMode.OFF] * len(group))
        found[group] = ratio.decibels
    watch("sensitivity", len(groups), len(groups))
    _set(slots, list(modes.values()))
    return found


def _slot(slot: TensorQuantizer, layer: str, found: Comparison, alone: float, parameter: Tensor | None) -> SlotReport:
    return SlotReport(
        name=slot.name,
        layer=layer,
        kind="activation" if parameter is None else "weight",
        bits=slot.spec.bits,
        scheme=slot.spec.dtype or slot.spec.scheme.value,
        low=found.low,
        high=found.high,
        reach=_reach(slot) if found.gridded else None,
        clipped=found.clipped,
        snr=found.ratio.decibels,
        sensitivity=alone,
        size=0.0 if parameter is None else _size(slot, parameter),
        histogram=found.histogram,
        edges=found.edges,
        channels=() if parameter is None else _channels(slot, parameter),
    )


def _reach(slot: TensorQuantizer) -> tuple[float, float] | None:
    """The smallest and largest value of a grid with one scale."""
    grid = grid_of(slot)
    if grid is None or grid.scale.numel() != 1:
        return None
    scale, zero = float(grid.scale), float(grid.zero_point)
    return (grid.low - zero) * scale, (grid.high - zero) * scale


def _channels(slot: TensorQuantizer, parameter: Tensor) -> tuple[float, ...]:
    if parameter.dim() < 2 or parameter.shape[slot.spec.axis] > _MOST_CHANNELS:
        return ()
    axis = slot.spec.axis if slot.spec.granularity is not Granularity.TENSOR else 0
    return tuple(parameter.detach().movedim(axis, 0).flatten(1).abs().amax(1).tolist())


def _size(slot: TensorQuantizer, parameter: Tensor) -> float:
    """Bytes of the integers (or narrower floats) and of the scales."""
    bits = {"float16": 16, "bfloat16": 16, "float32": 32}.get(slot.spec.dtype or "", slot.spec.bits or 32)
    return parameter.numel() * bits / 8 + (0 if slot.spec.is_float else 4 * slot.scale.numel())
