"""Effects on the modules that an attribute holds, or that an expression refers to."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from qprep.analysis.effects.abstract_objects import (
    Anything,
    Base,
    Below,
    Held,
    Instance,
    Made,
    Many,
    Reference,
    References,
)
from qprep.analysis.effects.attribute_names import is_any, may_be
from qprep.analysis.effects.class_facts import RUNTIME, ModuleClass
from qprep.analysis.effects.definitions import is_torch_container
from qprep.analysis.effects.effect_kinds import Effect, EffectKind
from qprep.analysis.effects.effect_source import EffectSource
from qprep.analysis.effects.object_tests import Test
from qprep.analysis.effects.target_classes import TargetClasses
from qprep.analysis.values.abstract_values import ClassRef

_SHARED = frozenset((EffectKind.SET, EffectKind.MODE))
_EQUAL_FOR_ALL = frozenset((EffectKind.SET, EffectKind.REPLACE, EffectKind.MODE))
# What a class does to its own parts is read with the class, except for hooks on other names of them.
_SEEN_IN_CLASS = frozenset((EffectKind.SET, EffectKind.STRUCTURE, EffectKind.MODE))


class HeldEffects:
    """The effects that change what calls of modules compute."""

    def __init__(self, source: EffectSource, targets: TargetClasses) -> None:
        self._source = source
        self._targets = targets
        self._matter: dict[frozenset[ModuleClass], dict[Effect, list[ModuleClass]]] = {}

    def on_held(
        self,
        family: Collection[ClassRef],
        attribute: str,
        content: Collection[ModuleClass],
        whole: Collection[ModuleClass] | None = None,
    ) -> Iterator[Effect]:
        """Effects on the module that an attribute of a family holds, or that put another one in its place.

        content: the classes of the module and of all modules in it
        whole: those of them that instances of the module's own class have, without items of containers of torch.nn;
            of these items, the places where they are made are known
        """
        whole = content if whole is None else whole
        values = frozenset().union(*(self._source.points_to.of_attribute(cls, attribute) for cls in family))
        made = {each.base for each in values if isinstance(each.base, Instance | Made)}
        if any(isinstance(cls, str) and is_torch_container(cls) for cls in content):  # the call runs all its items
            content = {*content, *(each.cls if isinstance(each, Instance) else each.name for each in made)}
        made |= set(self._parts(made))
        setting = self._source.index.named(EffectKind.SET, (attribute,))
        mattering = self._mattering(frozenset(content))
        for effect in self._source.index.in_order((*setting, *mattering)):
            if effect.kind is EffectKind.SET and may_be(effect.attribute, attribute):
                by_name = not is_any(effect.attribute) and any(
                    isinstance(t.base, Many) for t in self._source.targets_of(effect)
                )
                if by_name or any(
                    self._targets.is_instance(t, family) or _is_unknown_holder(t)
                    for t in self._source.targets_of(effect)
                ):
                    yield effect
                    continue
            if effect not in mattering or (effect.owner in family and effect.kind in _SEEN_IN_CLASS):
                continue
            # What an effect puts in the place of others is no sign that these others are the held ones.
            put = effect.find_values() if effect.find_values is not None else ()
            replaced = made - {each.base for each in put}
            if any(
                self._is_held(target, family, attribute, mattering[effect], replaced, effect, whole)
                for target in self._source.targets_of(effect)
            ):
                yield effect

    def _parts(self, made: Collection[Instance | Made]) -> Iterator[Instance | Made]:
        """The modules that instances of the project's classes hold at any depth, by the places where they are made."""
        for base in made:
            inside = self._source.held_modules.contents(base.cls) if isinstance(base, Instance) else None
            yield from (each for each in inside.objects if isinstance(each, Instance | Made)) if inside else ()

    def on_objects(self, values: References, content: Collection[ModuleClass]) -> Iterator[Effect]:
        """Effects on modules that an expression refers to."""
        made = {each.base for each in values}
        for effect, classes in self._mattering(frozenset(content)).items():
            if any(
                self._is_held(target, (), None, classes, made, effect, content)
                for target in self._source.targets_of(effect)
            ):
                yield effect

    def _mattering(self, content: frozenset[ModuleClass]) -> dict[Effect, list[ModuleClass]]:
        """The effects that change what calls of modules of some classes compute, each with these classes."""
        if content not in self._matter:
            sensitive = ((effect, self._sensitive(effect, content)) for effect in self._source.index.all)
            self._matter[content] = {effect: classes for effect, classes in sensitive if classes}
        return self._matter[content]

    def _sensitive(self, effect: Effect, content: Collection[ModuleClass]) -> list[ModuleClass]:
        """The classes among several for whose modules an effect changes what their calls compute."""
        match effect.kind:
            case EffectKind.REPLACE | EffectKind.SET | EffectKind.MODE | EffectKind.CALL:
                return [cls for cls in content if self._matters(effect, cls)]
            case EffectKind.STRUCTURE | EffectKind.CHANGE | EffectKind.COMPARE:
                return list(content)
        return []

    def _matters(self, effect: Effect, cls: ModuleClass) -> bool:
        """True if an effect on a module of a class changes what its calls compute.

        What happens to every module of a class happens to a second instance of it as well, if that is one.
        """
        if effect.by_class and effect.kind in _EQUAL_FOR_ALL and self._source.facts.is_stateless(cls):
            return False
        if effect.kind in _SHARED and self._source.facts.is_layer(cls):
            return False  # a second instance of a layer runs the first, whatever its attributes are by then
        match effect.kind:
            case EffectKind.SET:
                return self._source.facts.has_attribute(cls, effect.attribute)
            case EffectKind.MODE:
                return self._source.facts.is_modal(cls)
            case EffectKind.CALL:
                return self._runs_method(cls, effect)
        return True

    def _is_held(
        self,
        target: Reference,
        family: Collection[ClassRef],
        attribute: str | None,
        content: Collection[ModuleClass],
        made: Collection[Base],
        effect: Effect,
        whole: Collection[ModuleClass],
    ) -> bool:
        base = target.base
        match base:
            case Held(owner=owner, attribute=name):
                if base in made:
                    return True
                if owner in content and effect.owner is None and self._is_part(owner, name, effect):
                    return True  # a part of the module that a second instance has another of
                is_owner = owner is None or owner in family
                return attribute is not None and is_owner and name in (None, attribute)
            case Below(owner=owner):
                refs = [cls for cls in content if cls in whole]
                reaches = self._targets.has_children_of(base, family) or self._targets.contains_object(owner, refs)
                if not any(self._targets.admits(target.tests, cls) for cls in content):
                    return False
                return reaches or _is_one_of(owner, made) or self._holds(base, target.tests, family, attribute, made)
            case Made(name=name, place=where):
                return (base in made if where is not None else name in content) and self._targets.admits(
                    target.tests, name
                )
            case Instance(cls=cls, made=place):
                if place is not None:
                    return base in made and self._targets.admits(target.tests, cls)
                related = any(isinstance(other, ClassRef) and self._is_related(cls, other) for other in content)
                return related and effect.kind is EffectKind.CHANGE
            case Anything():
                return any(self._targets.admits(target.tests, cls) for cls in content)
        return False

    def _is_part(self, owner: ModuleClass | None, name: str | None, effect: Effect) -> bool:
        """True if an effect on what an attribute holds may be one on a module, or on a container of modules."""
        if effect.kind is not EffectKind.STRUCTURE or name is None:
            return True
        return isinstance(owner, ClassRef) and self._source.may_hold(owner, name)

    def _runs_method(self, cls: ModuleClass, effect: Effect) -> bool:
        """True if a call of a method may reach a second instance of a class, and change what it shares."""
        if isinstance(cls, ClassRef):
            names = self._source.project.method_names(cls)
            return any(may_be(effect.attribute, name) for name in names if name != "forward")
        copies = any(self._targets.admits(target.tests, f"{RUNTIME}Tied") for target in self._source.targets_of(effect))
        return effect.attribute == "reset_parameters" and copies

    def _is_related(self, cls: ClassRef, other: ClassRef) -> bool:
        return cls == other or cls in self._source.project.mro(other) or other in self._source.project.mro(cls)

    def _holds(
        self,
        below: Below,
        tests: Collection[Test],
        family: Collection[ClassRef],
        attribute: str | None,
        made: Collection[Base],
    ) -> bool:
        """True if an object may hold, at any depth, a module that an attribute of a family holds as well.

        The module passes some tests.
        """
        owner = below.owner
        holder = owner.cls if isinstance(owner, Instance) else owner.name if isinstance(owner, Made) else None
        inside = self._source.held_modules.contents(holder) if holder is not None else None
        if inside is None:
            return isinstance(owner, Made)
        held = self._source.held_modules
        children = held.children(owner.cls) if below.is_direct and isinstance(owner, Instance) else None
        for base in inside.objects if children is None else children:
            match base:
                case Held(owner=where, attribute=name) if base in made or (where in family and name == attribute):
                    return True
                case Instance(cls=cls) if base in made and self._targets.admits(tests, cls):
                    return True
                case Made(name=cls) if base in made and self._targets.admits(tests, cls):
                    return True
        return False


def _is_one_of(base: Base, made: Collection[Base]) -> bool:
    """True if an object may be one of several; one without a place may be any of its class."""
    match base:
        case Instance(cls=cls, made=None):
            return any(isinstance(each, Instance) and each.cls == cls for each in made)
        case Made(name=name, place=None):
            return any(isinstance(each, Made) and each.name == name for each in made)
    return base in made


def _is_unknown_holder(target: Reference) -> bool:
    """True if an attribute is set on what nothing is known of but the attribute that holds it."""
    return isinstance(target.base, Held) and target.base.owner is None
