"""Access paths: how an object reaches a module, `blocks[2 * i + 1].conv`, as steps."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final, NamedTuple

from qprep.analysis.values.index_expressions import any_of, with_strides

if TYPE_CHECKING:
    from collections.abc import Mapping


class Item(NamedTuple):
    """The step to an item: the source of the index, or `*` for any item."""

    text: str

    def __str__(self) -> str:
        return f"[{self.text}]"

    @property
    def is_number(self) -> bool:
        """True if the index is a whole number."""
        return self.text.removeprefix("-").isdecimal()


class MethodResult(NamedTuple):
    """The step to the operations of a method: they run as one module would."""

    method: str

    def __str__(self) -> str:
        return f".{self.method}()"


Step = str | Item | MethodResult
"""One step; a text is the name of an attribute."""
ANY_ITEM: Final = Item("*")


class AccessPath(NamedTuple):
    """The steps from an object to a module; without a step it is the object itself.

    It is a tuple, which is cheap to hash: paths are parts of values that are compared all the time.
    """

    steps: tuple[Step, ...] = ()

    @classmethod
    def of_expression(cls, node: ast.expr) -> AccessPath:
        """Return the path that an expression spells, from the name that it begins with."""
        match node:
            case ast.Attribute(value=owner, attr=name):
                return cls.of_expression(owner).attribute(name)
            case ast.Subscript(value=owner, slice=index):
                return cls.of_expression(owner).item(ast.unparse(index))
        return cls((ast.unparse(node),))

    def __bool__(self) -> bool:
        return bool(self.steps)

    def __str__(self) -> str:
        return "".join(f".{step}" if isinstance(step, str) else str(step) for step in self.steps).removeprefix(".")

    def __repr__(self) -> str:
        return repr(str(self))

    def attribute(self, name: str) -> AccessPath:
        """Return the path to an attribute of what this path reaches."""
        return AccessPath((*self.steps, name))

    def item(self, index: str) -> AccessPath:
        """Return the path to an item, by the source of its index."""
        return AccessPath((*self.steps, Item(index)))

    def method_result(self, method: str) -> AccessPath:
        """Return the path to what a method of the reached object runs."""
        return AccessPath((*self.steps, MethodResult(method)))

    @property
    def any_item(self) -> AccessPath:
        """The path to any of the items."""
        return AccessPath((*self.steps, ANY_ITEM))

    @property
    def root(self) -> str:
        """The attribute that the path begins with."""
        return str(self.steps[0]) if self.steps else ""

    @property
    def below_root(self) -> tuple[str, ...]:
        """The attributes and methods behind the first one."""
        names = (step.method if isinstance(step, MethodResult) else step for step in self.steps[1:])
        return tuple(name for name in names if isinstance(name, str))

    @property
    def is_attribute(self) -> bool:
        """True if the path is the name of an attribute, and nothing more."""
        return len(self.steps) == 1 and isinstance(self.steps[0], str) and self.steps[0].isidentifier()

    @property
    def is_any_item(self) -> bool:
        """True if the path ends with any of the items."""
        return self.steps[-1:] == (ANY_ITEM,)

    @property
    def is_method_result(self) -> bool:
        """True if the path ends with a call of a method."""
        return bool(self.steps) and isinstance(self.steps[-1], MethodResult)

    @property
    def may_be_many(self) -> bool:
        """True if an index may mean several items: any, or a multiple of a variable."""
        return any(isinstance(step, Item) and "*" in step.text for step in self.steps)

    @property
    def container(self) -> AccessPath:
        """The path without its last step."""
        return AccessPath(self.steps[:-1])

    def below(self, other: AccessPath) -> AccessPath | None:
        """Return the steps from `other` to this path; None unless this path leads through `other` and further."""
        length = len(other.steps)
        is_below = len(self.steps) > length and self.steps[:length] == other.steps
        return AccessPath(self.steps[length:]) if is_below else None

    def in_items(self, items: AccessPath) -> AccessPath:
        """Return `blocks[*].norm` for `blocks[0].norm` and the items `blocks[*]`; other paths as they are."""
        length = len(items.steps)
        if not items.is_any_item or len(self.steps) <= length or self.steps[: length - 1] != items.steps[:-1]:
            return self
        step, after = self.steps[length - 1], self.steps[length]
        is_one = isinstance(step, Item) and step.is_number and not isinstance(after, Item)
        return AccessPath((*items.steps, *self.steps[length:])) if is_one else self

    def generalized(self) -> AccessPath:
        """Return the path once its loop is over: `layers[i][0]` is the first of any of the layers."""
        return AccessPath(tuple(Item(any_of(step.text)) if isinstance(step, Item) else step for step in self.steps))

    def strided(self, strides: Mapping[str, int]) -> AccessPath:
        """Return the path with the strides of loops: `ups[i + 1]`, with a stride of two, is in `ups[2 * i + 1]`."""
        if not strides:
            return self
        return AccessPath(
            tuple(Item(with_strides(step.text, strides)) if isinstance(step, Item) else step for step in self.steps)
        )


SELF: Final = AccessPath()
