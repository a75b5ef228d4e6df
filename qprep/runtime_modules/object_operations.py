# ruff: noqa: ANN401, ARG002, SLF001 -- objects of any class, signatures of hooks, tables of its like
"""Operations of objects that are not modules: modules that the module which holds such an object reaches by name."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from torch import nn

from qprep.runtime_modules.per_call import PerCall

# What each object runs, by its id: an attribute of the object would be seen in `vars`, copies, pickles and `==`.
_GIVEN: dict[int, tuple[weakref.ref[Any], weakref.ref[Any]]] = {}


def _operations_of(holder: object) -> Any:
    """The `ObjectOperations` that an object was given, as long as both live; None without one."""
    found = _GIVEN.get(id(holder))
    return found[1]() if found is not None and found[0]() is holder else None


def _give(holder: object, operations: nn.Module) -> None:
    key = id(holder)
    _GIVEN[key] = (weakref.ref(holder, lambda _: _GIVEN.pop(key, None)), weakref.ref(operations))


class ClassOperation:
    """An operation of a class that is not an nn.Module: `exp = ClassOperation(lambda: Exp())` in the body of the class.

    Read on an instance that an `ObjectOperations` gave its operations to, it is the module there. Otherwise it is one
    that all such instances share. With `per_call`, an instance calls it more than once in one forward of its owner.
    """

    def __init__(self, make: Callable[[], nn.Module], per_call: bool = False) -> None:
        self.make = make
        self.per_call = per_call
        self.name = ""
        self._shared: nn.Module | None = None

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        held = _operations_of(instance) if instance is not None else None
        if held is not None and self.name in held._modules:
            return held._modules[self.name]
        if self._shared is None:
            self._shared = self.make()
        return self._shared

    def made_for(self, owner: nn.Module) -> nn.Module:
        """A new module for an object that `owner` holds."""
        made = self.make()
        return PerCall(made, owner) if self.per_call and not _has_tensors(made) else made


class ObjectOperations(nn.Module):
    """The operations of what `owner.attribute` is, an object or a list or dict of them, as children of this module.

    At each forward of `owner`, the objects that are there then get these operations: one object that several modules
    hold runs, in each of them, the operations of that one. What is a module, None, or of a class without operations
    gets nothing. It has no parameters or buffers.

    `ObjectOperations.of(cls, owner)` is for objects that `owner` makes while it runs: `operations.given(cls)(...)`.
    """

    def __init__(self, attribute: str, owner: nn.Module) -> None:
        super().__init__()
        self.attribute = attribute
        if attribute:
            self._give(owner, ())
            owner.register_forward_pre_hook(self._give)

    @classmethod
    def of(cls, made: type, owner: nn.Module) -> ObjectOperations:
        """Operations for the instances of a class that `owner` makes."""
        operations = cls("", owner)
        operations._take(made, owner)
        return operations

    def given(self, holder: Any) -> Any:
        """`holder`, which runs these operations from now on; of a class, what makes instances that run them at once.

        The class is one whose instances `object.__new__` makes: it has neither a `__new__` nor a metaclass of its own.
        """
        if isinstance(holder, type):
            return partial(self._made, holder)
        _give(holder, self)
        return holder

    def _made(self, cls: Any, *args: Any, **kwargs: Any) -> Any:
        """An instance of `cls` whose constructor, too, runs these operations."""
        holder = cls.__new__(cls)
        _give(holder, self)
        holder.__init__(*args, **kwargs)
        return holder

    def extra_repr(self) -> str:
        """Name the attribute."""
        return self.attribute

    def _take(self, cls: type, owner: nn.Module) -> None:
        """Have the operations of a class."""
        for name, operation in _operations(cls):
            if name not in self._modules:
                self._modules[name] = operation.made_for(owner)  # past add_module, which asks for methods of the name
        self.train(owner.training)

    def _give(self, owner: nn.Module, args: tuple[Any, ...]) -> None:
        held = getattr(owner, self.attribute, None)
        many = held.values() if isinstance(held, dict) else held if isinstance(held, (list, tuple)) else None
        if many is None:
            self._give_one(owner, held)
            return
        for number, each in enumerate(many):
            name = f"item{number}"
            if name not in self._modules:
                self.add_module(name, ObjectOperations("", owner))
            self._modules[name]._give_one(owner, each)  # type: ignore[union-attr, operator]

    def _give_one(self, owner: nn.Module, holder: object) -> None:
        """Give `holder` these operations for a forward of `owner`, where its class has some."""
        if isinstance(holder, (nn.Module, type)) or _operations_of(holder) is self:
            return
        if any(True for _ in _operations(type(holder))):
            self._take(type(holder), owner)
            _give(holder, self)


def _operations(cls: type) -> Iterator[tuple[str, ClassOperation]]:
    """The operations of a class and its bases."""
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, ClassOperation):
                yield name, value


def _has_tensors(module: nn.Module) -> bool:
    members = (module.parameters(), module.buffers())
    return any(True for each in members for _ in each)
