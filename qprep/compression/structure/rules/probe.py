"""Results of operations on zeros, found by running them on a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from qprep.compression.structure.state import LabelStep
from qprep.quantizer.graph.tensor_leaves import tensors_in

# Values of what is not masked: both signs, several sizes, so that no clamp or rectifier hides them.
_SCALES: Final = (0.37, -0.41, 2.3, -2.9, 17.0, -19.0)


def replaced(step: LabelStep, values: Sequence[Any]) -> list[Tensor] | None:
    """The tensors that the operation returns with its input tensors replaced, in order; None if it fails."""
    counter = iter(values)
    args, kwargs = pytree.tree_map(
        lambda leaf: next(counter) if isinstance(leaf, Tensor) else leaf, (step.args, step.kwargs)
    )
    try:
        return [each.cpu() for each in tensors_in(step.function(*args, **kwargs))]
    except Exception:  # noqa: BLE001  (an operation that does not take these numbers proves nothing)
        return None


def zeros_of(step: LabelStep, zero: Sequence[Tensor | None]) -> Tensor | None:
    """The positions at which the output of an element-by-element operation is 0 for any values that may differ from 0.

    zero  for each input tensor a mask of where it is 0, all of one shape; None: nowhere
    None if the operation does not run on such values.
    """
    shape = next(mask.shape for mask in zero if mask is not None)
    known = all(mask is not None and bool(mask.all()) for mask in zero)
    found: Tensor | None = None
    for number, scale in enumerate(_SCALES[:1] if known else _SCALES):
        values = [_value(tensor, mask, shape, scale, number) for tensor, mask in zip(step.inputs, zero, strict=True)]
        outs = replaced(step, values)
        if outs is None or not outs or outs[0].shape != shape:
            return None
        here = outs[0] == 0
        found = here if found is None else found & here
    return found


def _value(tensor: Tensor, zero: Tensor | None, shape: torch.Size, scale: float, number: int) -> Tensor:
    """Numbers of the tensor's type: 0 where `zero` is."""
    size = shape if zero is not None else (1,) * max(tensor.dim(), 0)
    if tensor.dtype is torch.bool:
        values = torch.full(size, number % 2 == 0)
    elif tensor.dtype.is_floating_point or tensor.dtype.is_complex:
        step = torch.linspace(0.9, 1.1, 7)
        count = int(torch.Size(size).numel())
        values = (scale * step.repeat(count // 7 + 1)[:count].reshape(size)).to(tensor.dtype)
    else:
        values = torch.full(size, 1 + number % 3, dtype=tensor.dtype)
    return values if zero is None else values.masked_fill(zero, 0)


def keeps_zero(step: LabelStep, run: Callable[[Tensor], Sequence[Tensor] | None], shape: Sequence[int]) -> bool:
    """True if `run` makes zeros of zeros of `shape`, in the type of the operation's first input."""
    outs = run(torch.zeros(tuple(shape), dtype=step.inputs[0].dtype))
    return bool(outs) and all(not bool(out.any()) for out in outs or ())
