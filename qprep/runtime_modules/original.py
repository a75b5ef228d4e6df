# ruff: noqa: ANN401 -- what a module takes and gives
"""The children that a module had before operations got modules of their own, for code that counts or indexes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

_ADDED = "_qprep_added"


def mark_added(module: nn.Module, *names: str) -> None:
    """Note that the attributes `names` of `module` are not children that code which walks over them knows of."""
    known: tuple[str, ...] = module.__dict__.get(_ADDED, ())
    module.__dict__[_ADDED] = (*known, *names)


def original_named_children(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """`module.named_children()` without those that `mark_added` names."""
    added = module.__dict__.get(_ADDED, ())
    return ((name, child) for name, child in module.named_children() if name not in added)


def original_children(module: nn.Module) -> Iterator[nn.Module]:
    """`module.children()` without those that `mark_added` names."""
    return (child for _, child in original_named_children(module))


def original_modules(module: nn.Module) -> dict[str, nn.Module | None]:
    """`module._modules` without those that `mark_added` names."""
    added = module.__dict__.get(_ADDED, ())
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
