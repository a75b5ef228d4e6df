"""Modules that an object may hold, at any depth."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from qprep.analysis.effects.abstract_objects import (
    Anything,
    Base,
    ClassObject,
    FunctionObject,
    Held,
    Holder,
    Instance,
    Made,
    Named,
    References,
)
from qprep.analysis.effects.class_facts import ModuleClass
from qprep.analysis.effects.points_to import PointsTo
from qprep.analysis.interpreter.protocol import Analysis
from qprep.analysis.values.abstract_values import ClassRef

_OTHERS = (ClassObject, FunctionObject, Holder, Named)  # none of them is a module of these files


@dataclass(frozen=True, slots=True)
class Contents:
    """The possible contents of an instance and of all modules below it: classes of modules, and modules."""

    classes: frozenset[ClassRef]
    objects: frozenset[Base]


class HeldModules:
    """The contents of objects by their classes."""

    def __init__(self, analysis: Analysis, points_to: PointsTo) -> None:
        self.analysis = analysis
        self.points_to = points_to
        self._contents: dict[ModuleClass, Contents | None] = {}

    def contains(self, owner: object, family: Collection[ClassRef]) -> bool:
        """True if an object may be, or hold at any depth, an instance of a family."""
        if isinstance(owner, Anything):
            return True
        if not isinstance(owner, Instance):
            return False
        inside = self.contents(owner.cls)
        return inside is None or not inside.classes.isdisjoint(family)

    def contents(self, holder: ModuleClass) -> Contents | None:
        """An object of a class and all modules below it; None where any may be there."""
        if holder not in self._contents:
            self._contents[holder] = self._find_contents(holder)
        return self._contents[holder]

    def _find_contents(self, holder: ModuleClass) -> Contents | None:
        seen: set[ModuleClass] = {holder}
        classes: set[ClassRef] = set()
        objects: set[Base] = set()
        waiting = [holder]
        while waiting:
            current = waiting.pop()
            held = self.points_to.set_from_outside(current) if isinstance(current, str) else self._held(current)
            if any(isinstance(each.base, Anything) for each in held):
                return None
            family = () if isinstance(current, str) else self.points_to.family(current)
            classes.update(family)
            found = [each.base for each in held if isinstance(each.base, Instance | Made | Held)]
            objects.update(found)
            inner = [base.cls for base in found if isinstance(base, Instance)]
            inner += [base.name for base in found if isinstance(base, Made)]  # type: ignore[misc]
            new = [each for each in (*family, *inner) if each not in seen]
            seen.update(new)
            waiting += new
        return Contents(frozenset(classes), frozenset(objects))

    def children(self, holder: ClassRef) -> frozenset[Base] | None:
        """The possible children of an instance of a class, or of a related class; None if any module may be one."""
        held = (each.base for cls in self.points_to.family(holder) for each in self._held(cls))
        found = frozenset(base for base in held if not isinstance(base, _OTHERS))
        return found if all(isinstance(base, Instance | Made | Held) for base in found) else None

    def _held(self, cls: ClassRef) -> References:
        """The values that instances of a class hold as attributes, or as items."""
        names = (name for name in self.analysis.attributes_of(cls).names if self.points_to.may_keep(cls, name))
        held = [self.points_to.of_attribute(cls, name) for name in names]
        items = self.points_to.given_to(cls) if self.points_to.is_container(cls) else frozenset()
        outside = self.points_to.set_by_computed_names(cls) | self.points_to.set_from_outside(cls)
        return frozenset().union(*held, items, outside)
