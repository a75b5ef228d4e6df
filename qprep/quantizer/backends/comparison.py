"""Compares two runs of a model slot by slot: more than `LIMIT` apart is an error."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.formats.stored import is_on
from qprep.quantizer.formats.tensor_quantizers import DynamicActivationQuantizer, TensorQuantizer
from qprep.quantizer.graph.tensor_leaves import tensors_in


@dataclass(frozen=True, slots=True)
class Limit:
    """The tolerance for two computations of one tensor: both bounds have to be broken.

    decibels  the least ratio of the tensor to the difference
    levels    the most levels of the slot's grid between two values
    """

    decibels: float
    levels: float

    def __str__(self) -> str:
        return f"{self.levels:g} level{'' if self.levels == 1 else 's'} and {self.decibels:g} dB"


LIMIT: Final = Limit(20.0, 1.0)


@dataclass(frozen=True, slots=True)
class SlotSeen:
    """The values of one slot in a run, on the CPU, and the step of its grid; NaN if there is none."""

    name: str
    values: Tensor
    step: float = math.nan


@dataclass(frozen=True, slots=True)
class Difference:
    """Between what a run should give and its result: decibels, and levels (infinity without a grid)."""

    decibels: float
    levels: float

    @classmethod
    def of(cls, expected: SlotSeen, found: Tensor) -> Difference:
        """Of one tensor; values that are not finite have to be where they should be."""
        right, other = expected.values.double(), found.detach().cpu().double()
        if right.shape != other.shape or not torch.equal(torch.isfinite(right), torch.isfinite(other)):
            return cls(-math.inf, math.inf)
        here = torch.isfinite(right)
        apart = (right[here] - other[here]).abs()
        noise, signal = float(apart.pow(2).sum()), float(right[here].pow(2).sum())
        if noise == 0:
            return cls(math.inf, 0.0)
        decibels = 10 * math.log10(signal / noise) if signal > 0 else -math.inf
        has_step = math.isfinite(expected.step) and expected.step > 0
        return cls(decibels, float(apart.max()) / expected.step if has_step else math.inf)

    def breaks(self, limit: Limit) -> bool:
        """True if it is more than `limit` allows."""
        return self.decibels < limit.decibels and self.levels > limit.levels * 1.01

    def __str__(self) -> str:
        levels = f", {self.levels:.1f} levels" if math.isfinite(self.levels) else ""
        return f"{self.decibels:.1f} dB{levels}"


def watched(
    model: nn.Module, run: Callable[[], Any], given: Sequence[SlotSeen] = ()
) -> tuple[list[SlotSeen], list[Tensor]]:
    """The values of every active slot of `model` during `run`, in order, and the floating tensors that `run` returns.

    given  what slots gave in another run: each hands that on instead of its own result, so that a difference is where
           it arises and not what becomes of it
    """
    found: list[SlotSeen] = []
    instead: dict[str, list[Tensor]] = {}
    for each in given:
        instead.setdefault(each.name, []).append(each.values)

    def keep(slot: TensorQuantizer, _: object, out: Tensor) -> Tensor | None:
        if not out.numel() or not out.is_floating_point() or not (slot.is_active or slot.flag("finished")):
            return None
        found.append(SlotSeen(slot.name, out.detach().cpu().clone(), _step(slot)))
        left = instead.get(slot.name)
        if not left or left[0].shape != out.shape:
            return None
        return left.pop(0).to(out, copy=True)  # the model may change it in place

    with contextlib.ExitStack() as stack:
        for slot in slots_of(model):
            stack.callback(slot.register_forward_hook(keep).remove)
        returned = run()
    return found, floats_in(returned)


def steps_of(returned: Sequence[Tensor], seen: Sequence[SlotSeen]) -> list[float]:
    """The step of the slot that gave each result; NaN where none did."""

    def step(tensor: Tensor) -> float:
        same = (each.step for each in reversed(seen) if torch.equal(each.values.flatten(), tensor.flatten()))
        return next(same, math.nan)

    return [step(each) for each in returned]


def slots_of(model: nn.Module) -> Iterator[TensorQuantizer]:
    """The tensor quantizers in a model."""
    return (each for each in model.modules() if isinstance(each, TensorQuantizer))


def floats_in(value: object) -> list[Tensor]:
    """The floating tensors in what a model returned, on the CPU."""
    return [each.detach().cpu().clone() for each in tensors_in(value) if each.is_floating_point() and each.numel()]


def _step(slot: TensorQuantizer) -> float:
    if slot.spec.is_float or isinstance(slot, DynamicActivationQuantizer):
        return math.nan
    scale = slot.grid.scale
    return float(scale) if scale.numel() == 1 else math.nan


def first_difference(
    expected: Sequence[SlotSeen], found: Sequence[SlotSeen], limit: Limit = LIMIT
) -> tuple[str, Difference] | None:
    """The first slot that both runs have and that breaks `limit`; None if all agree."""
    others: dict[str, list[Tensor]] = {}
    for each in found:
        others.setdefault(each.name, []).append(each.values)
    for each in expected:
        left = others.get(each.name)
        if left:
            apart = Difference.of(each, left.pop(0))
            if apart.breaks(limit):
                return each.name, apart
    return None


def output_difference(
    expected: Sequence[Tensor], found: Sequence[Tensor], steps: Iterable[float], limit: Limit = LIMIT
) -> Difference | None:
    """The first result that breaks `limit`; None if all agree.

    steps  of the slots that give the results, NaN where none does
    """
    if len(expected) != len(found):
        return Difference(-math.inf, math.inf)
    for one, other, step in zip(expected, found, steps, strict=False):
        apart = Difference.of(SlotSeen("", one, step), other)
        if apart.breaks(limit):
            return apart
    return None


def difference_error(what: str, slot: str, apart: Difference, why: str) -> QprepError:
    """The error for a step whose result differs from the expected one."""
    where = f"at {slot}" if slot else "at the model's output"
    return QprepError(f"expected {what} within {LIMIT} on the example inputs, found {apart} {where}: {why}")


def check_grids(model: nn.Module, run: Callable[[], Any], backend: str) -> None:
    """QprepError if an active slot has no positive scale, or gives what is not on its grid.

    `run` runs `model`; `backend` is what the grids are for. Slots in a floating format, with the range of a run or
    with a form of their own (`onnx_form`) have no grid to be on.
    """

    def look(slot: TensorQuantizer, args: tuple[Tensor, ...], out: Tensor) -> None:
        own = slot.spec.is_float or isinstance(slot, DynamicActivationQuantizer) or hasattr(slot, "onnx_form")
        if own or not slot.is_active or not out.numel() or not out.is_floating_point():
            return
        _check_scale(slot)
        if not is_on(slot.grid, args[0], out):
            raise QprepError(
                f"expected values on its grid for {backend} at {slot.name or 'the model'}, found others: "
                f"{type(slot).__name__} has to override `grid`, or, where its levels are not evenly spaced, to have a "
                "form of its own (`onnx_form`)"
            )

    with contextlib.ExitStack() as stack:
        for slot in slots_of(model):
            stack.callback(slot.register_forward_hook(look).remove)
        run()


def check_finite(slots: Iterable[TensorQuantizer]) -> None:
    """QprepError, with its name, for the first active slot whose scale is NaN or infinite."""
    for slot in slots:
        if slot.is_active and not slot.spec.is_float and not bool(torch.isfinite(slot.grid.scale).all()):
            where = slot.name or "the model"
            raise QprepError(f"expected a finite scale at {where}, found NaN or infinity: its training diverged")


def _check_scale(slot: TensorQuantizer) -> None:
    scale = slot.grid.scale
    if not bool(torch.isfinite(scale).all()) or bool((scale <= 0).any()):
        raise QprepError(f"expected a positive scale at {slot.name or 'the model'}, found {float(scale.min()):.4g}")
