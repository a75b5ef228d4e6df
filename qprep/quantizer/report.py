"""What quantization costs, layer by layer, on real data."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from qprep.errors import QprepError
from qprep.quantizer.measure import Comparison, Ratio
from qprep.quantizer.tensor_quantizers import ActivationQuantizer, Mode, TensorQuantizer

if TYPE_CHECKING:
    from qprep.quantizer.base import Quantizer

_BATCHES_ALONE: Final = 1  # sensitivity runs the model once for each quantizer and batch


@dataclass(frozen=True, slots=True)
class SlotReport:
    """One quantized tensor.

    kind         "weight" or "activation"
    bits         None in a floating format, then `scheme` names it
    low, high    the range of the values seen
    clipped      share of values outside what the integers reach; 0 to 1
    snr          decibels of the tensor against float: of an activation with all before it quantized
    sensitivity  decibels of the model's output when this slot alone is quantized
    size         bytes, of weights
    histogram    counts over [low, high]
    """

    name: str
    kind: str
    bits: int | None
    scheme: str
    low: float
    high: float
    clipped: float
    snr: float
    sensitivity: float
    size: float
    histogram: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class QuantizationReport:
    """All slots as the model holds them, its output, sizes in bytes, and what stayed in float and why."""

    model_class: str
    slots: tuple[SlotReport, ...]
    output_snr: float
    float_size: float
    size: float
    notes: tuple[str, ...]

    @property
    def first_to_widen(self) -> tuple[SlotReport, ...]:
        """The slots to give more bits first: by themselves they cost the output most."""
        return tuple(sorted(self.slots, key=lambda slot: slot.sensitivity)[:5])

    def __str__(self) -> str:
        from qprep.quantizer.report_text import as_text

        return as_text(self)

    def to_html(self) -> str:
        """One self-contained page: the table, and pictures of ranges, SNR by depth and sensitivity."""
        from qprep.quantizer.report_html import as_html

        return as_html(self)


def report(quantizer: Quantizer, loader: Iterable[object], sensitivity: bool = True) -> QuantizationReport:
    """Run `loader` in float and quantized, side by side; the first batch once more for each slot, for sensitivity.

    Modes and parameters are the same afterwards. Raises QprepError for a loader without data.
    """
    slots = list(quantizer.quantizers)
    parameters = {each: parameter for parameter, each in quantizer.parameters_with_quantizers()}
    activations = [each for each in slots if each not in parameters]
    comparisons = {each: Comparison() for each in slots}
    output = Ratio()
    first: list[object] = []
    with _evaluating(quantizer, slots), torch.no_grad():
        for batch in loader:
            if len(first) < _BATCHES_ALONE:
                first.append(batch)
            _compare(quantizer, batch, activations, comparisons, output)
        if not first:
            raise QprepError("expected data to report on, found an empty loader")
        for each, parameter in parameters.items():
            comparisons[each].add(parameter, each(parameter), _reach(each))
        alone = {each: _alone(quantizer, slots, each, first) if sensitivity else math.nan for each in slots}
    made = tuple(_slot(each, comparisons[each], alone[each], parameters.get(each)) for each in slots)
    total = sum(float(each.numel() * each.element_size()) for each in quantizer.model.parameters())
    learned = sum(each.numel() * 4.0 for slot in slots for each in slot.parameters())
    saved = sum(4.0 * each.numel() - _size(slot, each) for slot, each in parameters.items())
    notes = tuple(dict.fromkeys(quantizer.notes))
    name = type(quantizer.graph.model).__name__
    return QuantizationReport(name, made, output.decibels, total - learned, total - learned - saved, notes)


@contextlib.contextmanager
def _evaluating(quantizer: Quantizer, slots: list[TensorQuantizer]) -> Iterator[None]:
    training = {module: module.training for module in quantizer.model.modules()}
    modes = [each.mode for each in slots]
    quantizer.model.eval()
    try:
        yield
    finally:
        for module, was in training.items():
            module.training = was
        _set(slots, modes)


def _set(slots: list[TensorQuantizer], modes: list[Mode]) -> None:
    for each, mode in zip(slots, modes, strict=True):
        each.mode = mode


def _compare(
    quantizer: Quantizer,
    batch: object,
    activations: list[TensorQuantizer],
    comparisons: dict[TensorQuantizer, Comparison],
    output: Ratio,
) -> None:
    """One batch in float, remembering what each quantizer was given, then quantized."""
    slots = list(quantizer.quantizers)
    modes = [each.mode for each in slots]
    given: dict[TensorQuantizer, list[Tensor]] = {each: [] for each in activations}
    _set(slots, [Mode.OFF] * len(slots))
    handles = [each.register_forward_pre_hook(lambda mine, args: given[mine].append(args[0].clone())) for each in given]
    with _removed(handles):
        expected = quantizer.call(batch)
    _set(slots, modes)

    def compare(mine: TensorQuantizer, _args: object, found: Tensor) -> None:
        comparisons[mine].add(given[mine].pop(0), found, _reach(mine))

    with _removed([each.register_forward_hook(compare) for each in given]):
        output.add_all(expected, quantizer.call(batch))


@contextlib.contextmanager
def _removed(handles: list[torch.utils.hooks.RemovableHandle]) -> Iterator[None]:
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _alone(quantizer: Quantizer, slots: list[TensorQuantizer], one: TensorQuantizer, batches: list[object]) -> float:
    modes = [each.mode for each in slots]
    ratio = Ratio()
    for batch in batches:
        _set(slots, [Mode.OFF] * len(slots))
        expected = quantizer.call(batch)
        one.mode = modes[slots.index(one)]
        ratio.add_all(expected, quantizer.call(batch))
    _set(slots, modes)
    return ratio.decibels


def _reach(slot: TensorQuantizer) -> tuple[Tensor, Tensor] | None:
    """The smallest and largest value of a static grid with one scale."""
    if slot.spec.is_float or slot.scale.dim() or not isinstance(slot, ActivationQuantizer):
        return None
    params = slot.params
    return (params.low - params.zero_point) * params.scale, (params.high - params.zero_point) * params.scale


def _slot(slot: TensorQuantizer, found: Comparison, alone: float, parameter: Tensor | None) -> SlotReport:
    return SlotReport(
        name=slot.name,
        kind="activation" if parameter is None else "weight",
        bits=slot.spec.bits,
        scheme=slot.spec.dtype or slot.spec.scheme.value,
        low=found.low,
        high=found.high,
        clipped=found.clipped,
        snr=found.ratio.decibels,
        sensitivity=alone,
        size=0.0 if parameter is None else _size(slot, parameter),
        histogram=found.histogram,
    )


def _size(slot: TensorQuantizer, parameter: Tensor) -> float:
    """Bytes of the integers (or narrower floats) and of the scales."""
    bits = {"float16": 16, "bfloat16": 16, "float32": 32}.get(slot.spec.dtype or "", slot.spec.bits or 32)
    return parameter.numel() * bits / 8 + (0 if slot.spec.is_float else 4 * slot.scale.numel())
