# ruff: noqa: ANN401 -- what a module takes and gives
"""The children that a module had before operations got modules of their own, for code that counts or indexes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import nn

_ADDED = "_qprep_added"
_CHILDREN = nn.Module.children
_NAMED_CHILDREN = nn.Module.named_children


def mark_added(module: nn.Module, *names: str) -> None:
    """Note that the attributes `names` of `module` are not children that code which walks over them knows of."""
    known: tuple[str, ...] = module.__dict__.get(_ADDED, ())
    module.__dict__[_ADDED] = (*known, *names)


def original_named_children(module: Any) -> Iterator[tuple[str, nn.Module]]:
    """`module.named_children()` without those that `mark_added` names.

    The result is that of the method itself where it is not the one of nn.Module: an object of another class, or a class
    with a method of its own, lists what it likes. `module` may also be `super()`, or a wrapper that passes on the
    attributes of a module: the marks are those of the object that the method belongs to.
    """
    method = module.named_children
    owner = _owner(method, _NAMED_CHILDREN)
    if owner is None:
        return cast("Iterator[tuple[str, nn.Module]]", method())

    def named_children() -> Iterator[tuple[str, nn.Module]]:
        added = _added(owner)
        for name, child in method():
            if name not in added:
                yield name, child

    return named_children()


def original_children(module: Any) -> Iterator[nn.Module]:
    """`module.children()` without those that `mark_added` names, in the same way as `original_named_children`."""
    method = module.children
    owner = _owner(method, _CHILDREN)
    if owner is None or _owner(owner.named_children, _NAMED_CHILDREN) is None:
        return cast("Iterator[nn.Module]", method())

    def children() -> Iterator[nn.Module]:
        for _, child in original_named_children(owner):
            yield child

    return children()


def _added(module: nn.Module) -> tuple[str, ...]:
    """The names that `mark_added` was given; torch.jit keeps them as an attribute of the scripted module."""
    if isinstance(module, torch.jit.ScriptModule):
        return tuple(getattr(module, _ADDED, ()))
    return cast("tuple[str, ...]", module.__dict__.get(_ADDED, ()))


def _owner(method: Any, own: Callable[..., object]) -> nn.Module | None:
    """The module that a bound method of nn.Module belongs to; None for a method of another class."""
    return method.__self__ if getattr(method, "__func__", None) is own else None


def original_modules(module: nn.Module) -> dict[str, nn.Module | None]:
    """`module._modules` without those that `mark_added` names."""
    added = _added(module)
    return {name: child for name, child in module._modules.items() if name not in added}  # noqa: SLF001 -- its like


def original_list(module: nn.Module) -> list[nn.Module | None]:
    """The items of `module`, an nn.Sequential or nn.ModuleList, without those that `mark_added` names."""
    return list(original_modules(module).values())


def original_forward(module: nn.Sequential) -> Callable[[Any], Any]:
    """`nn.Sequential.forward` of `module` without those children that `mark_added` names."""

    def forward(value: Any) -> Any:
        for child in original_children(module):
            value = child(value)
        return value

    return forward
