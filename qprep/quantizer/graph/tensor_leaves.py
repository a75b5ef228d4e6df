"""Arguments and results of modules: tensors within tuples, lists, dicts, dataclasses and packed sequences."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeGuard

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from qprep.runtime_modules.tied import Tied

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


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
    elif _is_record(value):
        for each in _fields(value):
            yield from tensors_in(getattr(value, each.name))


def map_tensors(change: Callable[[int, Tensor], Tensor], value: Any) -> Any:  # noqa: ANN401  (of any kind)
    """`value` with each tensor t, the i-th in the order of `tensors_in`, replaced by change(i, t)."""
    number = -1

    def numbered(tensor: Tensor) -> Tensor:
        nonlocal number
        number += 1
        return change(number, tensor)

    return _map(numbered, value)


def _map(change: Callable[[Tensor], Tensor], value: Any) -> Any:  # noqa: ANN401  (of any kind)
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, PackedSequence):
        return value._replace(data=change(value.data))
    if isinstance(value, dict):
        return _with_items(value, {key: _map(change, item) for key, item in value.items()})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_map(change, item) for item in value))
    if isinstance(value, (tuple, list)):
        return type(value)(_map(change, item) for item in value)
    if _is_record(value):
        return _with_fields(value, {each.name: _map(change, getattr(value, each.name)) for each in _fields(value)})
    return value


def _is_record(value: object) -> TypeGuard[DataclassInstance]:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _fields(value: DataclassInstance) -> Iterator[dataclasses.Field[Any]]:
    """Those that are set."""
    return (each for each in dataclasses.fields(value) if hasattr(value, each.name))


def _with_items(value: dict[Any, Any], items: dict[Any, Any]) -> dict[Any, Any]:
    """A copy with other values, of its own class: the rest of its state (a default factory) stays."""
    if type(value) is dict:
        return items
    made = copy.copy(value)
    for key, item in items.items():
        made[key] = item
    return made


def _with_fields(value: DataclassInstance, fields: dict[str, Any]) -> DataclassInstance:
    """A copy with other values in its fields, frozen or not."""
    made = copy.copy(value)
    for name, item in fields.items():
        object.__setattr__(made, name, item)
    return made


def holder(module: nn.Module) -> nn.Module:
    """The module whose parameters `module` runs with: that itself, or what it is tied to."""
    return module.source if isinstance(module, Tied) else module
