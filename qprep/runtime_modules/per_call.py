# ruff: noqa: ANN401, ARG002 -- values of any kind, and signatures of hooks
"""One instance per call, for an operation in a loop of unknown length."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils.hooks import RemovableHandle

from qprep.runtime_modules._watch import has_hooks
from qprep.runtime_modules.tied import Tied, another


class PerCall(nn.ModuleList):
    """Copies of `module`, which has no parameters or buffers: each call within one forward of `owner` takes the next.

    It starts with `length` of them and grows as calls need more. Beyond `limit` it warns once and begins again with the
    first. A forward of the owner inside its own forward goes on counting; one that raised ends the count too. Without
    an owner, or where its hooks do not run (its forward called directly), call `reset` or let it wrap around.

    Raises ValueError if `module` has parameters or buffers: copies of those would drift apart.
    """

    def __init__(self, module: nn.Module, owner: nn.Module | None = None, limit: int = 1024, length: int = 1) -> None:
        name = next(chain(_names(module.named_parameters()), _names(module.named_buffers())), None)
        if name is not None:
            raise ValueError(f"expected a module without parameters and buffers, found {name!r} in {module!r}")
        super().__init__([module, *(another(module) for _ in range(1, min(length, limit)))])
        self.limit = limit
        self._calls = 0
        self._depth = 0
        self._warned = False
        self._handles: tuple[RemovableHandle, ...] = ()
        if owner is not None:
            self.count_forwards_of(owner)

    @staticmethod
    def wrap(module: nn.Module | None, owner: nn.Module) -> PerCall | None:
        """A PerCall of `module`; other values (None, for an optional child, or a function held instead) stay."""
        return PerCall(module, owner) if isinstance(module, nn.Module) else module

    @staticmethod
    def within(module: nn.Module | None, owner: nn.Module) -> None:
        """Give every operation in `module` an instance for each call within one forward of `owner`.

        For a module whose methods `owner` calls again and again. Its children of torch.nn and of this package count
        where they have no parameters, buffers or children; others stay as they are, since a class of your own may keep
        something from call to call. So does a module that is no nn.Module, or None.
        """
        if not isinstance(module, nn.Module):
            return
        for part in module.modules():
            if isinstance(part, PerCall):
                part.count_forwards_of(owner)
        for name, child in list(module.named_children()):
            if _is_operation(child):
                setattr(module, name, PerCall(child, owner))

    def count_forwards_of(self, owner: nn.Module) -> None:
        """Begin again with the first instance at each forward of `owner`."""
        before = owner.register_forward_pre_hook(self._enter)
        after = owner.register_forward_hook(self._leave, always_call=True)
        self._handles = (*self._handles, before, after)

    def reset(self) -> None:
        """Begin again with the first instance."""
        self._calls = 0

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the next instance."""
        return self._next(args)(*args, **kwargs)

    def next(self) -> nn.Module:
        """The next instance, for a module whose methods are called: `self.add.next().add(x, y)`."""
        return self._next(())

    def _next(self, args: tuple[Any, ...]) -> nn.Module:
        index = self._calls
        if index == len(self) and not self._grows(args):
            index = 0
        self._calls = index + 1
        return self[index]

    def __prepare_scriptable__(self) -> nn.Module:
        """The first instance, for a script, which keeps no count of calls: the others do the same.

        torch.jit.script puts it into the very model that it is given: give it a copy. Raises RuntimeError if the
        instances differ or carry hooks.
        """
        if any(type(each) is not type(self[0]) or has_hooks(each) for each in self):
            raise RuntimeError("expected instances that do the same, found different ones, or hooks")
        for handle in self._handles:
            handle.remove()
        first = self[0]
        return first.__prepare_scriptable__() if isinstance(first, Tied) else first

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_calls": 0, "_depth": 0}

    def _grows(self, args: tuple[Any, ...]) -> bool:
        # A trace knows only the modules that were there when it began.
        if _is_tracing() or any(isinstance(arg, fx.Proxy) for arg in args):
            return False
        if len(self) < self.limit:
            self.append(another(self[0]))
            return True
        if not self._warned and not torch.compiler.is_compiling():
            self._warned = True
            warnings.warn(f"more than {self.limit} calls in one forward: instances are reused", stacklevel=3)
        return False

    def _enter(self, owner: nn.Module, args: tuple[Any, ...]) -> None:
        if self._depth == 0:
            self.reset()
        self._depth += 1

    def _leave(self, owner: nn.Module, args: tuple[Any, ...], result: object) -> None:
        self._depth = max(0, self._depth - 1)


def _is_operation(module: nn.Module) -> bool:
    members = (module.named_children(), module.named_parameters(), module.named_buffers())
    known = type(module).__module__.startswith(("torch.nn.", "qprep.runtime_modules"))
    return known and not isinstance(module, nn.Identity | PerCall) and not any(True for each in members for _ in each)


def _names(members: Iterator[tuple[str, Tensor]]) -> Iterator[str]:
    return (name for name, _ in members)


def _is_tracing() -> bool:
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]
