"""What modules take and return: tensors within tuples, lists, dicts and packed sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from qprep.runtime_modules.tied import Tied


def tensors_in(value: object) -> Iterator[Tensor]:
    """The tensors within `value`, in order; of a packed sequence its data."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, PackedSequence):
        yield value.data
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item)


def map_tensors(change: Callable[[int, Tensor], Tensor], value: Any) -> Any:  # noqa: ANN401  (of any kind)
    """`value` with each tensor t, the i-th in the order of `tensors_in`, replaced by change(i, t)."""
    counter = iter(range(1 << 62))
    return _map(lambda tensor: change(next(counter), tensor), value)


def _map(change: Callable[[Tensor], Tensor], value: Any) -> Any:  # noqa: ANN401  (of any kind)
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, PackedSequence):
        return value._replace(data=change(value.data))
    if isinstance(value, dict):
        return type(value)((key, _map(change, item)) for key, item in value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_map(change, item) for item in value))
    if isinstance(value, (tuple, list)):
        return type(value)(_map(change, item) for item in value)
    return value


def holder(module: nn.Module) -> nn.Module:
    """The module whose parameters `module` runs with: that itself, or what it is tied to."""
    return module.source if isinstance(module, Tied) else module
