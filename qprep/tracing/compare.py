"""Compares two records of a model: the first thing that differs, and how many tensors were equal before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import torch
from torch import Tensor

from qprep.tracing.build_record import BuildRecord, Values
from qprep.tracing.verdict import EXACT, RewriteDifference, Tolerance

_PASSES: Final = ("eval", "train")


def first_difference(
    original: BuildRecord, rewritten: BuildRecord, tolerance: Tolerance
) -> tuple[int, RewriteDifference | None]:
    """The number of equal tensors, and the first difference; `tolerance` is for the results of the passes."""
    equal = 0
    for difference in _differences(original, rewritten, tolerance):
        if difference is not None:
            return equal, difference
        equal += 1
    return equal, None


def values_difference(
    aspect: str, original: Values, rewritten: Values, tolerance: Tolerance
) -> RewriteDifference | None:
    """The first difference of two nests of values."""
    return next(filter(None, _valued(aspect, original, rewritten, tolerance)), None)


def _differences(
    original: BuildRecord, rewritten: BuildRecord, tolerance: Tolerance
) -> Iterator[RewriteDifference | None]:
    """One item for each tensor: None if it is equal."""
    yield from _listed("state_dict", list(original.state), list(rewritten.state))
    yield from _listed("parameters", original.parameters, rewritten.parameters)
    yield from _listed("tied parameters", original.tied, rewritten.tied)
    if rewritten.load_error is not None:
        yield RewriteDifference(
            "load", "", f"the rewrite does not load the original's state_dict: {rewritten.load_error}"
        )
    if original.random != rewritten.random:
        yield RewriteDifference("construction", "", "the random state afterwards differs")
    yield from _valued("initial state", original.state, rewritten.state, EXACT)
    for name in _PASSES:
        if name == "train" and original.train_error != rewritten.train_error:
            yield RewriteDifference(
                "training", "", rewritten.train_error or "the original does not train, the rewrite does"
            )
        if name in original.passes and name in rewritten.passes:
            yield from _valued(name, original.passes[name], rewritten.passes[name], tolerance)


def _listed(aspect: str, original: Sequence[object], rewritten: Sequence[object]) -> Iterator[RewriteDifference]:
    if original == rewritten:
        return
    missing = [each for each in original if each not in rewritten]
    added = [each for each in rewritten if each not in original]
    if missing or added:
        yield RewriteDifference(aspect, "", f"missing {missing[:3]}, added {added[:3]}")
    yield RewriteDifference(aspect, "", "the order differs")


def _valued(
    aspect: str, original: Values, rewritten: Values, tolerance: Tolerance
) -> Iterator[RewriteDifference | None]:
    for name, value in original.items():
        if name not in rewritten:
            yield RewriteDifference(aspect, name, "is missing")
        other = rewritten.get(name)
        detail = _difference(value, other, tolerance)
        if detail is not None:
            yield RewriteDifference(aspect, name, detail)
        if isinstance(value, Tensor):
            yield None
    for name in rewritten.keys() - original.keys():
        yield RewriteDifference(aspect, name, "is new")


def _difference(value: object, other: object, tolerance: Tolerance) -> str | None:
    if not (isinstance(value, Tensor) and isinstance(other, Tensor)):
        return None if type(value) is type(other) and repr(value) == repr(other) else f"{value!r} became {other!r}"
    for what, get in _ASPECTS:
        if get(value) != get(other):
            return f"{what} {get(value)} became {get(other)}"
    if _equal(value, other, tolerance):
        return None
    count = int((value != other).sum())
    return f"{count} of {value.numel()} values differ, by up to {_distance(value, other):.3g}"


_ASPECTS: Final[tuple[tuple[str, Callable[[Tensor], object]], ...]] = (
    ("dtype", lambda tensor: tensor.dtype),
    ("shape", lambda tensor: tuple(tensor.shape)),
)


def _equal(value: Tensor, other: Tensor, tolerance: Tolerance) -> bool:
    """Bit for bit where the tolerance is zero, but any NaN equals any other."""
    if value.is_complex():
        value, other = torch.view_as_real(value), torch.view_as_real(other)
    if not value.is_floating_point():
        return torch.equal(value, other)
    if tolerance != EXACT:
        return torch.allclose(other, value, rtol=tolerance.relative, atol=tolerance.absolute, equal_nan=True)
    same = (value == other) & (value.signbit() == other.signbit())
    return bool((same | (value.isnan() & other.isnan())).all())


def _distance(value: Tensor, other: Tensor) -> float:
    wide = torch.complex128 if value.is_complex() else torch.float64
    return float((value.to(wide) - other.to(wide)).abs().nan_to_num().max())
