"""Writes to objects and classes of others, as a module summary records them: plain data for cache and workers."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple


class WriteKind(StrEnum):
    """The target of a write.

    ATTRIBUTE          an attribute of an object: `net.act = …`
    VALUE              the object that an attribute holds: `net.act.p = 0.1`
    VARIABLE           a name of an imported module, or a function: `tools.gate = …`, `gate.__code__ = …`
    ANY_ATTRIBUTE      an attribute whose name is unknown: `setattr(net, name, …)`
    CLASS_CHANGE       instances of a class that code selects: `if isinstance(m, nn.ReLU): m.inplace = True`
    CLASS_REPLACEMENT  selected instances, which another module replaces
    """

    ATTRIBUTE = "attribute"
    VALUE = "value"
    VARIABLE = "variable"
    ANY_ATTRIBUTE = "any-attribute"
    CLASS_CHANGE = "class-change"
    CLASS_REPLACEMENT = "class-replacement"


class SelectedBy(StrEnum):
    """The criterion by which code selects classes: name, beginning of the name, attribute, or unknown."""

    NAME = "name"
    PREFIX = "prefix"
    ATTRIBUTE = "attribute"
    UNKNOWN = "unknown"


class ClassPattern(NamedTuple):
    """The classes that a test selects: `isinstance(m, nn.ReLU)`, `"Drop" in type(m).__name__`, `hasattr(m, "fuse")`."""

    name: str
    selection: SelectedBy = SelectedBy.NAME

    def matches(self, cls: str) -> bool:
        """True if the name of a class is selected; a selection by attribute or in an unknown way depends on no name."""
        if self.selection is SelectedBy.PREFIX:
            return cls.startswith(self.name)
        return self.selection is SelectedBy.NAME and cls == self.name

    @property
    def may_be_any(self) -> bool:
        """True if the test may select any class: it is unknown, or compares names in lower case."""
        is_by_name = self.selection in (SelectedBy.NAME, SelectedBy.PREFIX)
        return self.selection is SelectedBy.UNKNOWN or (is_by_name and self.name[:1].islower())


class Receiver(NamedTuple):
    """The object of an attribute write, as far as the code around the write shows; any object if all fields are empty.

    classes  dotted names of classes of which it is an instance
    slot     the attribute of a class that holds it: module, class, attribute
    has      attributes that this code has read from it before: later reads may fail, which code may expect
    is_below the object is an attribute of what `classes` and `slot` say, or of an attribute of that, and so on
    """

    classes: tuple[str, ...] = ()
    slot: tuple[str, ...] = ()
    has: tuple[str, ...] = ()
    is_below: bool = False


ANY_OBJECT = Receiver()


class ExternalWrite(NamedTuple):
    """One write: an attribute, a variable or a class by name, with the receiver of an attribute write."""

    kind: WriteKind
    name: str
    receiver: Receiver = ANY_OBJECT
    selection: SelectedBy = SelectedBy.NAME

    @property
    def pattern(self) -> ClassPattern:
        """The classes that a change or replacement of instances selects."""
        return ClassPattern(self.name, self.selection)

    @classmethod
    def of_record(cls, record: list[Any]) -> ExternalWrite:
        """A write from JSON; raises ValueError or TypeError for other data."""
        kind, name, (classes, slot, has, is_below), selection = record
        receiver = Receiver(tuple(map(str, classes)), tuple(map(str, slot)), tuple(map(str, has)), bool(is_below))
        return cls(WriteKind(kind), str(name), receiver, SelectedBy(selection))


UNKNOWN_ATTRIBUTE = ExternalWrite(WriteKind.ANY_ATTRIBUTE, "")


def attribute_write(name: str, receiver: Receiver = ANY_OBJECT) -> ExternalWrite:
    """`net.act = …`."""
    return ExternalWrite(WriteKind.ATTRIBUTE, name, receiver)


def value_mutation(name: str) -> ExternalWrite:
    """`net.act.p = 0.1`."""
    return ExternalWrite(WriteKind.VALUE, name)


def variable_write(name: str) -> ExternalWrite:
    """`tools.gate = fast_gate`."""
    return ExternalWrite(WriteKind.VARIABLE, name)


def class_write(kind: WriteKind, pattern: ClassPattern) -> ExternalWrite:
    """A change or replacement of the instances that a pattern selects."""
    return ExternalWrite(kind, pattern.name, selection=pattern.selection)
