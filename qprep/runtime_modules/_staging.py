"""Swap modules of one class for modules of another that share everything with them: parameters, hooks, attributes."""

from __future__ import annotations

import copy
import functools
import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from torch import nn

M = TypeVar("M", bound=nn.Module)
C = TypeVar("C", bound=Callable[..., None])
Table = Mapping[type[nn.Module], Callable[[nn.Module], nn.Module]]
Memo = dict[int, tuple[nn.Module, nn.Module]]  # the originals are kept alive, so that no id comes twice

# What the two modules must not share as containers; RNNBase writes into its two lists.
_CONTAINERS = ("_parameters", "_buffers", "_modules", "_flat_weights", "_flat_weight_refs")


class Staged(nn.Module):
    """A module of torch's whose operations are modules under the one child `stages`, made by `add_stages`."""

    def add_stages(self, *args: Any, **kwargs: Any) -> None:
        """Create the stages anew, as the module's options say."""
        raise NotImplementedError

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        if "stages" not in self._modules:  # pickled when its class still was torch's, or a subclass of that
            self.add_stages()


def like(constructor: Callable[..., None]) -> Callable[[C], C]:
    """Show the signature of `constructor`, torch's own, for one that passes everything on."""

    def decorate(own: C) -> C:
        return cast("C", functools.wraps(constructor)(own))

    return decorate


def copy_as(module: nn.Module, cls: type[M]) -> M:
    """A `cls` with the state of `module`: the same Parameters, buffers, children, hooks, flags and attributes.

    Hooks stay in the very same dictionaries, so that a handle still removes its hook.
    """
    new = cls.__new__(cls)
    state = dict(vars(module))
    state.update({name: copy.copy(state[name]) for name in _CONTAINERS if name in state})
    vars(new).update(state)
    for hook in state.get("_load_state_dict_pre_hooks", {}).values():
        if getattr(hook, "with_module", False):
            hook.module = weakref.ref(new)  # it would be called with a module that may be gone
    return new


def staged_as(cls: type[M], *options: Any) -> Callable[[nn.Module], M]:
    """A conversion of modules of torch to `cls`."""

    def make(module: nn.Module) -> M:
        new = copy_as(module, cls)
        if isinstance(new, Staged):
            new.add_stages(*options)
        return new

    return make


def is_replaceable(module: nn.Module, table: Table) -> bool:
    """True if `table` replaces `module`: exactly its class, and no forward of the instance's own."""
    return type(module) in table and "forward" not in vars(module)


def replaced(module: nn.Module, table: Table, memo: Memo) -> nn.Module:
    """The replacement of `module`, with its children replaced too; a shared module is replaced once."""
    if id(module) in memo:
        return memo[id(module)][1]
    new = table[type(module)](module) if is_replaceable(module, table) else module
    memo[id(module)] = (module, new)
    memo[id(new)] = (new, new)
    replace_children(new, table, memo)
    return new


def replace_children(module: nn.Module, table: Table, memo: Memo) -> None:
    """Replace the children of `module` in place, under their names and in their order."""
    for name, child in list(vars(module)["_modules"].items()):
        if child is None:
            continue
        new = replaced(child, table, memo)
        if new is not child:
            vars(module)["_modules"][name] = new
