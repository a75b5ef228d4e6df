"""Effects that meet a new child: one that a rewrite adds to instances of a class."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from qprep.analysis.effects.abstract_objects import (
    Anything,
    Base,
    Below,
    ClassObject,
    ClassOf,
    Instance,
    Made,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.child_visits import takers_of_originals
from qprep.analysis.effects.class_facts import TORCH, ModuleClass
from qprep.analysis.effects.effect_kinds import TRAINING, Effect, EffectKind
from qprep.analysis.effects.effect_source import EffectSource
from qprep.analysis.effects.library_names import MODULE_NAMES
from qprep.analysis.effects.object_tests import GivenName
from qprep.analysis.effects.target_classes import TargetClasses
from qprep.analysis.places import Place
from qprep.analysis.values.abstract_values import ClassRef
from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES

_ON_CHILDREN = frozenset((EffectKind.REPLACE, EffectKind.CHANGE, EffectKind.OBSERVE, EffectKind.EXPOSE))
_COUNTING = frozenset((EffectKind.OBSERVE, EffectKind.OBSERVE_ORIGINAL))
# What runs for every module that is made or called, where the class of all modules has another.
_OF_CLASS = frozenset(("__init__", "__setattr__", "_call_impl", "_wrapped_call_impl", "add_module", "register_module"))


@dataclass(frozen=True, slots=True)
class _Meeting:
    """An effect that meets new children of a class: those of any module, or those below some objects."""

    effect: Effect
    is_any: bool
    below: tuple[Below, ...]


class ChildEffects:
    """The effects on children that are added, and the listings that they become part of."""

    def __init__(self, source: EffectSource, targets: TargetClasses) -> None:
        self._source = source
        self._targets = targets
        self._met: dict[tuple[ModuleClass | bool, ...], list[_Meeting]] = {}

    def on_child(
        self,
        family: Collection[ClassRef],
        child: ModuleClass,
        *,
        is_marked: bool = True,
        is_named: bool = True,
        is_second: bool = False,
    ) -> Iterator[Effect]:
        """Effects that reach a child of class `child` that is added to instances of a family.

        `is_marked` says whether lists of the original children leave it out, `is_named` whether its name is new,
        `is_second` whether it is a second instance of a child that there is: it gets what that gets for its class.
        """
        for meeting in self._meetings(child, is_marked, is_named, is_second):
            if meeting.is_any or any(self._targets.has_children_of(below, family) for below in meeting.below):
                yield meeting.effect

    def on_flag(self, family: Collection[ClassRef]) -> Iterator[Effect]:
        """Effects that set the mode of an instance of a family alone, and so not that of its children."""
        index = self._source.index  # train() and eval() have no attribute: they set the mode of the children as well
        for effect in index.in_order(
            (*index.named(EffectKind.MODE, (TRAINING,)), *index.named(EffectKind.SET, (TRAINING,)))
        ):
            targets = self._source.targets_of(effect)
            whole = {
                each.base
                for each in targets
                if isinstance(each.base, Below) and not each.base.is_direct and not each.tests
            }  # all modules below some object, the children included
            roots = {base.owner for base in whole}
            if any(self._targets.is_instance(each, family) for each in targets if each.base not in whole | roots):
                yield effect

    def _meetings(self, child: ModuleClass, *flags: bool) -> list[_Meeting]:
        key = (child, *flags)
        if key not in self._met:
            self._met[key] = list(self._find_meetings(child, *flags))
        return self._met[key]

    def _find_meetings(
        self, child: ModuleClass, is_marked: bool, is_named: bool, is_second: bool
    ) -> Iterator[_Meeting]:
        for effect in self._source.index.all:
            counts = effect.kind is EffectKind.OBSERVE_ORIGINAL and not is_marked
            if not (counts or self._may_matter_to(effect, child)):
                continue
            if is_second and self._is_equal_for(effect, child):
                continue
            targets = self._source.targets_of(effect) if effect.find_listed is None else effect.met_by_new
            met = [t for t in targets if not is_named or self.may_be_new(t, child)]
            admitted = [t.base for t in met if self._targets.admits(t.tests, child)]
            is_any = any(map(_is_any_module, admitted)) or any(self._is_on_class(effect, t, child) for t in met)
            below = tuple(dict.fromkeys(base for base in admitted if isinstance(base, Below)))
            if is_any or below:
                yield _Meeting(effect, is_any, below)

    def _is_on_class(self, effect: Effect, target: Reference, child: ModuleClass) -> bool:
        """True if an effect replaces a method of the class of a new child: its constructor runs once more."""
        if effect.kind is not EffectKind.SET or not isinstance(target.base, Named | ClassObject):
            return False
        name = _dotted(target.base)
        return name.startswith(TORCH) and self._source.facts.is_subclass(child, name) is True

    def _is_equal_for(self, effect: Effect, child: ModuleClass) -> bool:
        """True if an effect replaces all modules of a class by equal ones without weights: two are as good as one."""
        if not effect.by_class or effect.kind is not EffectKind.REPLACE or not self._source.facts.is_stateless(child):
            return False
        values = effect.find_values() if effect.find_values is not None else frozenset()
        return len(values) == 1 and all(
            isinstance(each.base, Made) and self._source.facts.is_stateless(each.base.name) for each in values
        )

    def listings_of(self, family: Collection[ClassRef]) -> Iterator[Place]:
        """The listings that children of a family may be part of, where code depends on which there are."""
        for effect in self._source.index.of(*_COUNTING):
            if effect.listing is None:
                continue
            if any(self._may_list(target, family) for target in self._source.targets_of(effect)):
                yield effect.listing

    def originals_are_taken(self, family: Collection[ClassRef]) -> bool:
        """True if code takes the original children of an instance of a family: it needs the marks of new ones."""
        return any(self._targets.is_instance(target, family) for target in self._takers)

    @cached_property
    def _takers(self) -> References:
        files = (self._source.points_to.file(module) for module in self._source.project.given)
        found = (
            refs for file in files if file is not None for refs in takers_of_originals(file, self._source.points_to)
        )
        return frozenset().union(*found)

    def _may_list(self, target: Reference, family: Collection[ClassRef]) -> bool:
        match target.base:
            case Below():
                return self._targets.has_children_of(target.base, family)
            case Anything() | ClassOf():
                return True
        return False

    def may_be_new(self, target: Reference, child: ModuleClass) -> bool:
        """True if a name by which an object is found may be the new name of a module of class `child`."""
        names = [test for test in target.tests if isinstance(test, GivenName)]
        return all(name.listed is not None and self._targets.admits(name.listed, child) for name in names)

    def _may_matter_to(self, effect: Effect, child: ModuleClass) -> bool:
        """True if an effect, if it reaches a new child of a class, makes a difference."""
        match effect.kind:
            case EffectKind.SET:
                is_of_all = effect.attribute in _OF_CLASS or effect.attribute in NN_MODULE_ATTRIBUTES
                return self._source.facts.has_attribute(child, effect.attribute) or is_of_all
            case EffectKind.MODE:
                return self._source.facts.is_modal(child)
            case EffectKind.READ:
                return not self._source.facts.has_attribute(child, effect.attribute)
        return effect.kind in _ON_CHILDREN

    def on_parts(self, family: Collection[ClassRef], whole: Collection[str], part: ModuleClass) -> Iterator[Effect]:
        """Effects that reach a module of class `part` that is added inside modules of the classes `whole` of torch.

        Instances of a family hold these; so loops over the children of a family alone do not reach the parts.
        """
        for effect in self._source.index.all:
            targets = self._source.targets_of(effect) if self._may_matter_to(effect, part) else ()
            if any(self._meets_part(target, family, whole, part) for target in targets):
                yield effect

    def _meets_part(
        self, target: Reference, family: Collection[ClassRef], whole: Collection[str], part: ModuleClass
    ) -> bool:
        match target.base:
            case Below(owner=Made(name=name)):
                return name in whole and self._targets.admits(target.tests, part)
            case Below(owner=Instance(), is_direct=True):
                return False
            case Below(owner=owner):
                return self._source.held_modules.contains(owner, family) and self._targets.admits(target.tests, part)
            case Anything():
                return self._targets.admits(target.tests, part)
        return False


def _is_any_module(base: Base) -> bool:
    """True if an effect on an object, or on the class that all modules inherit from, reaches any module."""
    match base:
        case Anything() | ClassOf():
            return True
        case Named() | ClassObject():
            return _dotted(base) in MODULE_NAMES
    return False


def _dotted(base: Named | ClassObject) -> str:
    return base.name if isinstance(base, Named) else str(base.cls)
