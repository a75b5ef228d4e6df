"""The leaves of what a model takes or returns: containers, mappings, dataclasses, plain objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from torch import Tensor


def named_leaves(value: object, name: str) -> Iterator[tuple[str, object]]:
    """Every tensor and plain value within `value`, with the expression that reaches it: "output[0].logits"."""
    pending, seen = [(name, value)], dict[int, object]()
    while pending:
        path, item = pending.pop(0)
        parts = None if isinstance(item, Tensor) else _parts(item)
        if parts is None:
            yield path, item
        elif id(item) not in seen:
            seen[id(item)] = item
            pending[:0] = [(path + step, part) for step, part in parts]


def _parts(value: object) -> list[tuple[str, object]] | None:
    if isinstance(value, Mapping):
        return [(f"[{key!r}]", part) for key, part in value.items()]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return [(f".{field}", part) for field, part in zip(value._fields, value, strict=True)]
    if isinstance(value, (tuple, list)):
        return [(f"[{index}]", part) for index, part in enumerate(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(f".{field.name}", getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, type) or callable(value) or not hasattr(value, "__dict__"):
        return None
    return [(f".{key}", part) for key, part in vars(value).items()]
