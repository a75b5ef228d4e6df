"""Bits of each weight under a budget, by what each one costs alone: the sensitivity of the report, for several bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import torch
from torch import nn
from torch.nn import Parameter

from qprep.foundation.errors import QprepError
from qprep.quantizer.batches import batches_of
from qprep.quantizer.formats.tensor_quantizers import QuantizerMode, TensorQuantizer, WeightQuantizer
from qprep.quantizer.graph.error_measure import Ratio
from qprep.quantizer.methods.knapsack import cheapest
from qprep.quantizer.prepared_model import PreparedModel

CHOICES: Final = (2, 3, 4, 6, 8)
Metric = Callable[[nn.Module], float]


@dataclass(frozen=True, eq=False, slots=True)
class _WeightFormat:
    """A weight and what quantizes it."""

    slot: WeightQuantizer
    parameter: Parameter

    def use(self, bits: int) -> None:
        """Take another format, and its scale from the weight."""
        self.slot.spec = self.slot.spec.with_bits(bits)
        self.slot.take_shape(self.parameter)
        self.slot.fit(self.parameter)


def choose_bits(
    quantizer: PreparedModel,
    loader: Iterable[object],
    budget: float,
    metric: Metric | None = None,
    choices: Sequence[int] = CHOICES,
) -> dict[str, int]:
    """Give every quantized weight its bits, so that a value has at most `budget` on average; returns them by name.

    Each weight is quantized alone with each of the `choices`, and costs what the model then loses: the noise at the
    output, as a share of the float output (the report's sensitivity), or by how much `metric`, a function of the model
    whose results are better the higher they are, falls. The bits are those whose costs add up to the least. Costs of
    layers behind one another add up only about. Parameters that a method has overwritten are in float again afterwards.

    Raises QprepError for a budget below the fewest bits, for choices beyond 1 to 16, without data, and where no weight
    is quantized to integers.
    """
    slots = _slots(quantizer)
    steps = sorted(set(choices), reverse=True)
    _check(budget, steps, slots)
    batch = next(iter(batches_of(loader)), None)
    if batch is None:
        raise QprepError("expected data to choose bits on, found an empty loader")
    with torch.no_grad():
        for parameter, values in quantizer.float_values.items():
            parameter.copy_(values)
    costs = _costs(quantizer, slots, steps, batch, metric)
    bits = _cheapest(slots, steps, costs, budget)
    with torch.no_grad():
        for each, number in bits.items():
            each.use(number)
    return {each.slot.name: number for each, number in bits.items()}


def _slots(quantizer: PreparedModel) -> list[_WeightFormat]:
    pairs = quantizer.parameters_with_quantizers()
    return [
        _WeightFormat(slot, parameter)
        for parameter, slot in pairs
        if isinstance(slot, WeightQuantizer) and not slot.spec.is_float and parameter.dim() > 1
    ]


def _check(budget: float, steps: Sequence[int], slots: Sequence[_WeightFormat]) -> None:
    if not slots:
        raise QprepError("expected weights that are quantized to integers, found none to choose bits of")
    if not steps or not all(isinstance(each, int) and 1 <= each <= 16 for each in steps):
        raise QprepError(f"expected bits from 1 to 16 to choose from, found {list(steps)}")
    if not isinstance(budget, (int, float)) or not steps[-1] <= budget < math.inf:
        raise QprepError(f"expected a budget of {steps[-1]} bits for a value or more, found {budget!r}")


def _costs(
    quantizer: PreparedModel, slots: Sequence[_WeightFormat], steps: Sequence[int], batch: object, metric: Metric | None
) -> dict[tuple[_WeightFormat, int], float]:
    """The cost of each weight with each number of bits, alone."""
    costs: dict[tuple[_WeightFormat, int], float] = {}
    with _all_off(quantizer), torch.no_grad():
        expected = quantizer.call(batch)
        reference = 0.0 if metric is None else float(metric(quantizer.model))
        for each in slots:
            each.slot.mode = QuantizerMode.QUANTIZE
            for bits in steps:
                each.use(bits)
                if metric is not None:
                    costs[each, bits] = reference - float(metric(quantizer.model))
                    continue
                ratio = Ratio()
                ratio.add_all(expected, quantizer.call(batch))
                costs[each, bits] = 10 ** (-ratio.decibels / 10)
            each.slot.mode = QuantizerMode.OFF
    return costs


@contextmanager
def _all_off(quantizer: PreparedModel) -> Iterator[None]:
    slots: list[TensorQuantizer] = list(quantizer.quantizers)
    modes = [each.mode for each in slots]
    quantizer.model.eval()
    for each in slots:
        each.mode = QuantizerMode.OFF
    try:
        yield
    finally:
        for each, mode in zip(slots, modes, strict=True):
            each.mode = mode


def _cheapest(
    slots: Sequence[_WeightFormat], steps: Sequence[int], costs: dict[tuple[_WeightFormat, int], float], budget: float
) -> dict[_WeightFormat, int]:
    """The bits whose costs add up to the least."""
    sizes = [[each.parameter.numel() * bits for bits in steps] for each in slots]
    prices = [[costs[each, bits] for bits in steps] for each in slots]
    found = cheapest(sizes, prices, budget * sum(each.parameter.numel() for each in slots))
    return dict(zip(slots, (steps[at] for at in found), strict=True))
