"""Agreement of an integer model with its simulation, slot by slot."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.comparison import floats_in
from qprep.quantizer.backends.integer.integer_modules import Requantize, quantized
from qprep.quantizer.backends.integer.integer_tensor import IntegerTensor, as_floats
from qprep.quantizer.formats.tensor_quantizers import DynamicActivationQuantizer, TensorQuantizer


@dataclass(frozen=True, slots=True)
class Agreement:
    """One slot: by how many levels it differs at most, which share of its values does (0 to 1), and decibels."""

    name: str
    levels: int
    share: float
    decibels: float = math.inf


class RunsOnIntegers(Protocol):
    """An integer model."""

    def modules(self) -> Iterator[nn.Module]:
        """All its modules."""

    def integers(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """As the model, with integer tensors."""


def slot_agreement(simulation: nn.Module, integer: RunsOnIntegers, *args: Any, **kwargs: Any) -> list[Agreement]:
    """Run both on one input; each slot of the integer model is given what the simulation's slots before it gave.

    In the order of calls, one entry for each. Raises QprepError if `integer` is not that of `simulation`.
    """
    return compared(simulation, integer, args, kwargs).slots


@dataclass(frozen=True, slots=True)
class Compared:
    """Both runs: the agreement of each slot, and the floating tensors that they return."""

    slots: list[Agreement]
    expected: list[Tensor]
    found: list[Tensor]


def compared(simulation: nn.Module, integer: RunsOnIntegers, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Compared:
    """As `slot_agreement`, with what both return."""
    expected, right_outputs = _outputs(simulation, args, kwargs)
    found: list[Agreement] = []

    def compare(slot: Requantize, _: object, out: Tensor) -> Tensor:
        if not isinstance(out, IntegerTensor):
            return out
        if not expected or expected[0][0] != slot.name:
            raise QprepError(f"expected the integer model of this simulation, found another slot at {slot.name}")
        right = quantized(expected.pop(0)[1], slot.grid)
        apart = (right.ints - out.ints).abs()
        share = float((apart > 0).double().mean())
        found.append(Agreement(slot.name, int(apart.max()), share, _decibels(right.ints, apart)))
        return right

    with contextlib.ExitStack() as stack:
        for module in integer.modules():
            if isinstance(module, Requantize):
                stack.callback(module.register_forward_hook(compare).remove)
        returned = integer.integers(*args, **kwargs)
    return Compared(found, right_outputs, floats_in(as_floats(returned)))


def _decibels(right: Tensor, apart: Tensor) -> float:
    signal, noise = (float(each.double().pow(2).sum()) for each in (right, apart))
    return 10 * math.log10(signal / noise) if signal and noise else -math.inf if noise else math.inf


def _outputs(
    simulation: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[list[tuple[str, Tensor]], list[Tensor]]:
    found: list[tuple[str, Tensor]] = []

    def keep(slot: TensorQuantizer, _: object, out: Tensor) -> None:
        if out.numel() and out.is_floating_point():
            found.append((slot.name, out.detach().cpu().clone()))

    with contextlib.ExitStack() as stack:
        for slot in simulation.modules():
            if isinstance(slot, TensorQuantizer) and _is_static(slot):
                stack.callback(slot.register_forward_hook(keep).remove)
        stack.enter_context(torch.no_grad())
        returned = simulation(*args, **kwargs)
    return found, floats_in(returned)


def _is_static(slot: TensorQuantizer) -> bool:
    is_dynamic = isinstance(slot, DynamicActivationQuantizer)
    return slot.is_active and not slot.spec.is_float and not is_dynamic
