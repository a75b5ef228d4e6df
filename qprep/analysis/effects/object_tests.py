"""Conditions on objects, such as `isinstance(m, nn.ReLU)`, that held where an object was reached."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from zlib import crc32

from qprep.analysis.values.abstract_values import ClassRef

MAX_TESTS = 6
"""Tests kept on one object, the most precise first. Others are dropped: the object then covers more, never less."""


@dataclass(frozen=True, slots=True)
class ClassTest:
    """A condition on the class of an object. `classes`: dotted names or project classes; None: not known."""

    classes: frozenset[ClassRef | str] | None
    is_positive: bool = True


@dataclass(frozen=True, slots=True)
class AttributeTest:
    """The object has an attribute of this name, or has none."""

    name: str
    is_positive: bool = True


@dataclass(frozen=True, slots=True)
class NameTest:
    """A condition on the name of the class, such as `"Conv" in type(m).__name__`; `how` is the method or operator."""

    how: str
    text: str
    is_positive: bool = True

    def admits(self, name: str) -> bool:
        """True if a class of this name meets the condition."""
        return self._holds(name) is self.is_positive

    def _holds(self, name: str) -> bool:
        match self.how:
            case "==":
                return name == self.text
            case "startswith":
                return name.startswith(self.text)
            case "endswith":
                return name.endswith(self.text)
        return self.text in name


@dataclass(frozen=True, slots=True)
class NameInTest:
    """The name of the class is one of several texts, or none of them.

    `texts` are those that are known, None where they come from outside. Where `is_complete` is false, code may add
    any text that the source has.
    """

    texts: frozenset[str] | None
    is_complete: bool
    is_positive: bool = True

    def admits(self, name: str) -> bool:
        """True if a class of this name may meet the condition, and no text but the known ones counts."""
        if self.is_positive:
            return self.texts is None or name in self.texts
        return not self.is_complete or self.texts is None or name not in self.texts


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of several conditions holds."""

    tests: frozenset[Test]


@dataclass(frozen=True, slots=True)
class GivenName:
    """The object is found under a name that no module has that a fix adds; `listed_names.py` says which.

    Where `listed` is given, the name may come from a listing: of modules for which these tests hold, or of their parts.
    """

    listed: frozenset[Test] | None = None


Test = ClassTest | AttributeTest | NameTest | NameInTest | AnyOf | GivenName


def precision(test: Test) -> tuple[int, int]:
    """Tests that few objects pass come first: what an object is, then what it has, then what it is not."""
    is_positive = isinstance(test, AnyOf | GivenName) or test.is_positive
    is_known = not (isinstance(test, ClassTest) and test.classes is None)
    rank = 2 * (not is_positive) + isinstance(test, AttributeTest) if is_known else 4
    return rank, stable_hash(test)


def stable_hash(part: object) -> int:
    """Return a hash that is the same in each process, whatever the order of the members of a set."""
    match part:
        case str():
            return text_hash(part)
        case ClassRef(module=module, name=name):
            return hash((text_hash(module), text_hash(name)))
        case None | bool():
            return int(bool(part))
        case tuple() | frozenset():
            # Of a set, whatever the order of its members; of a place, all numbers and the name of its file.
            numbers = [each if isinstance(each, int) else stable_hash(each) for each in part]
            return hash(tuple(numbers) if isinstance(part, tuple) else sum(numbers))
        case ClassTest(classes=classes, is_positive=is_positive):
            return hash((1, stable_hash(classes), is_positive))
        case AttributeTest(name=name, is_positive=is_positive):
            return hash((2, text_hash(name), is_positive))
        case NameTest(how=how, text=text, is_positive=is_positive):
            return hash((3, text_hash(how), text_hash(text), is_positive))
        case NameInTest(texts=texts, is_complete=is_complete, is_positive=is_positive):
            return hash((7, stable_hash(texts), is_complete, is_positive))
        case AnyOf(tests=tests):
            return hash((4, stable_hash(tests)))
        case GivenName(listed=listed):
            return 5 if listed is None else hash((6, stable_hash(listed)))
    return hash(part)


@cache
def text_hash(text: str) -> int:
    """Return a hash of a text that is the same in each process."""
    return crc32(text.encode())


def negated(test: Test) -> Test | None:
    """The opposite condition; None where it cannot be expressed by one."""
    if isinstance(test, AnyOf | GivenName):
        return None
    return replace(test, is_positive=not test.is_positive)
