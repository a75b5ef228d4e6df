"""Queries on the effects of a project: which may reach an attribute, a class, or a child that is added to one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import (
    MANY_OBJECTS,
    AnyOf,
    Anything,
    AttributeTest,
    Base,
    Below,
    ClassObject,
    ClassOf,
    ClassTest,
    FunctionObject,
    GivenName,
    Held,
    Instance,
    Made,
    Many,
    Named,
    NameTest,
    Reference,
    References,
    Test,
)
from qprep.analysis.effects.attribute_names import is_any, may_be
from qprep.analysis.effects.child_visits import takers_of_originals
from qprep.analysis.effects.class_facts import ROOTS, RUNTIME, TORCH, ClassFacts, ModuleClass, short_name
from qprep.analysis.effects.effect_index import EffectIndex
from qprep.analysis.effects.effect_kinds import Effect, EffectKind
from qprep.analysis.effects.handler_notices import is_mode, may_notice
from qprep.analysis.effects.held_modules import HeldModules
from qprep.analysis.effects.lexical_scopes import BindingKind
from qprep.analysis.effects.library_names import ANY_MODULE
from qprep.analysis.effects.mutations import effects_of
from qprep.analysis.effects.outside_effects import OutsideEffects
from qprep.analysis.effects.points_to import PointsTo
from qprep.analysis.values.abstract_values import ClassRef, External, Number, Plain, Tensor, Word, options
from qprep.foundation.catalogue.module_attributes import LAYER_ATTRIBUTES, NN_MODULE_ATTRIBUTES, OTHER_ATTRIBUTES

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import LexicalScope
    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.places import Place
    from qprep.foundation.catalogue.op import Op

# Packages of torch that no forward calls: those who load models replace initializers to save time.
_RUNS_NO_OPERATION = ("torch.nn.init.", "torch.optim.", "torch.distributed.", "torch.backends.", "torch.utils.data.")
MAX_GENERIC = 16
"""Classes that one statement may work on before it counts as code for any model, which is not followed."""

_VALUES = (Number, Plain, Tensor, Word)  # kinds of values that hold no module
_MODULE_NAMES = frozenset(("torch.nn.Module", "torch.nn.modules.Module", "torch.nn.modules.module.Module"))
_CONSTRUCTION = frozenset(
    ("__init__", "__new__", "__setattr__", "__getattr__", "__getattribute__", "__call__", "forward")
)
_ON_CHILDREN = frozenset((EffectKind.REPLACE, EffectKind.CHANGE, EffectKind.OBSERVE, EffectKind.EXPOSE))
_COUNTING = frozenset((EffectKind.OBSERVE, EffectKind.OBSERVE_ORIGINAL))
# What runs for every module that is made or called, where the class of all modules has another.
_OF_CLASS = frozenset(("__init__", "__setattr__", "_call_impl", "_wrapped_call_impl", "add_module", "register_module"))
_SHARED = frozenset((EffectKind.SET, EffectKind.MODE))
_EQUAL_FOR_ALL = frozenset((EffectKind.SET, EffectKind.REPLACE, EffectKind.MODE))
# What a class does to its own parts is read with the class, except for hooks on other names of them.
_SEEN_IN_CLASS = frozenset((EffectKind.SET, EffectKind.STRUCTURE, EffectKind.MODE))
_CLASS_CHANGES = frozenset((EffectKind.BYPASS, EffectKind.DERIVE))


@dataclass(frozen=True, slots=True)
class _Meeting:
    """An effect that meets new children of a class: those of any module, or those below some objects."""

    effect: Effect
    is_any: bool
    below: tuple[Below, ...]


class EffectTable:
    """All effects of the given files, and what they may reach."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.project = analysis.project
        self.points_to = PointsTo(analysis.project, analysis.project.given, self._may_hold, self._has_own)
        self._facts = ClassFacts(analysis)
        self._held_modules = HeldModules(analysis, self.points_to)
        self._reached: dict[Effect, References] = {}
        self._given: dict[tuple[ModuleClass, str], bool] = {}
        self._asked: list[tuple[ModuleClass, str]] = []
        self._matter: dict[frozenset[ModuleClass], dict[Effect, None]] = {}
        self._met: dict[tuple[ModuleClass | bool, ...], list[_Meeting]] = {}

    def _may_hold(self, cls: ClassRef, attribute: str) -> bool:
        """True if an attribute may hold a module, function or class, or something that holds one."""
        entry = self.analysis.attributes_of(cls).names.get(attribute)
        return entry is None or not all(isinstance(kind, _VALUES) for kind in options(entry.kind))

    def _has_own(self, cls: ClassRef, attribute: str) -> bool:
        """True if the code of a class, or of its bases, gives its instances an attribute."""
        return attribute in self.analysis.attributes_of(cls).names

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Every effect, file by file."""
        return self._index.all

    @cached_property
    def _index(self) -> EffectIndex:
        outside = OutsideEffects(self.points_to)
        modules = self.project.given
        return EffectIndex(effect for module in modules for effect in effects_of(self.points_to, module, outside))

    def _targets(self, effect: Effect) -> References:
        """The objects that an effect may reach; over-approximates for generic code, which works on many classes."""
        if effect not in self._reached:
            owners = [t.base.owner if isinstance(t.base, Below) else t.base for t in effect.targets]
            classes = {owner.cls for owner in owners if isinstance(owner, Instance)}
            self._reached[effect] = MANY_OBJECTS if len(classes) > MAX_GENERIC else effect.targets
        return self._reached[effect]

    # What may happen to a class

    def on_class(
        self,
        family: Collection[ClassRef],
        names: Collection[str],
        replaced: Collection[str] | None = None,
        borrowed: Collection[str] | None = None,
    ) -> Iterator[Effect]:
        """Effects on the classes of a family: constructors passed by or replaced, methods replaced.

        `replaced` are the methods that matter in addition to those of construction and calls, `borrowed` those that no
        other object may run; None: all.
        """
        methods = {name for cls in family for name in self.project.methods(cls) or ()}
        sensitive = _CONSTRUCTION | set(names) | (methods if replaced is None else methods.intersection(replaced))
        index = self._index
        lent = index.of(EffectKind.BORROW) if borrowed is None else index.named(EffectKind.BORROW, borrowed)
        for effect in index.in_order((*index.named(EffectKind.SET, sensitive), *lent, *index.of(*_CLASS_CHANGES))):
            for target in self._targets(effect):
                if (
                    (isinstance(target.base, ClassObject) and target.base.cls in family)
                    or (isinstance(target.base, Anything) and effect.kind in _CLASS_CHANGES)
                    or (isinstance(target.base, ClassOf) and any(self.admits(target.tests, cls) for cls in family))
                ):
                    yield effect

    def on_names(self, family: Collection[ClassRef], names: Collection[str]) -> Iterator[Effect]:
        """Effects that may give instances of a family an attribute of one of these names."""
        for effect in self._index.named(EffectKind.SET, names):
            if any(self._is_instance(target, family) for target in self._targets(effect)):
                yield effect

    def _is_instance(self, target: Reference, family: Collection[ClassRef]) -> bool:
        match target.base:
            case Instance(cls=cls):
                return cls in family and self.admits(target.tests, cls)
            case Below(owner=owner):
                # A child of an instance of the family is another object; one further down may be of the family.
                return self._held_modules.contains(owner, family) and any(
                    self.admits(target.tests, cls) for cls in family
                )
            case Anything():
                return any(self.admits(target.tests, cls) for cls in family)
        return False

    # What may meet a new child

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
            if meeting.is_any or any(self._has_children_of(below, family) for below in meeting.below):
                yield meeting.effect

    def _meetings(self, child: ModuleClass, *flags: bool) -> list[_Meeting]:
        key = (child, *flags)
        if key not in self._met:
            self._met[key] = list(self._find_meetings(child, *flags))
        return self._met[key]

    def _find_meetings(
        self, child: ModuleClass, is_marked: bool, is_named: bool, is_second: bool
    ) -> Iterator[_Meeting]:
        for effect in self._index.all:
            counts = effect.kind is EffectKind.OBSERVE_ORIGINAL and not is_marked
            if not (counts or self._may_matter_to(effect, child)):
                continue
            if is_second and self._is_equal_for(effect, child):
                continue
            targets = self._targets(effect) if effect.find_listed is None else effect.met_by_new
            met = [t for t in targets if not is_named or self.may_be_new(t, child)]
            admitted = [t.base for t in met if self.admits(t.tests, child)]
            is_any = any(map(_is_any_module, admitted)) or any(self._is_on_class(effect, t, child) for t in met)
            below = tuple(dict.fromkeys(base for base in admitted if isinstance(base, Below)))
            if is_any or below:
                yield _Meeting(effect, is_any, below)

    def _is_on_class(self, effect: Effect, target: Reference, child: ModuleClass) -> bool:
        """True if an effect replaces a method of the class of a new child: its constructor runs once more."""
        if effect.kind is not EffectKind.SET or not isinstance(target.base, Named | ClassObject):
            return False
        name = _dotted(target.base)
        return name.startswith(TORCH) and self._facts.is_subclass(child, name) is True

    def _is_equal_for(self, effect: Effect, child: ModuleClass) -> bool:
        """True if an effect replaces all modules of a class by equal ones without weights: two are as good as one."""
        if not effect.by_class or effect.kind is not EffectKind.REPLACE or not self._facts.is_stateless(child):
            return False
        values = effect.find_values() if effect.find_values is not None else frozenset()
        return len(values) == 1 and all(
            isinstance(each.base, Made) and self._facts.is_stateless(each.base.name) for each in values
        )

    def listings_of(self, family: Collection[ClassRef]) -> Iterator[Place]:
        """The listings that children of a family may be part of, where code depends on which there are."""
        for effect in self._index.of(*_COUNTING):
            if effect.listing is None:
                continue
            if any(self._may_list(target, family) for target in self._targets(effect)):
                yield effect.listing

    def originals_are_taken(self, family: Collection[ClassRef]) -> bool:
        """True if code takes the original children of an instance of a family: it needs the marks of new ones."""
        return any(self._is_instance(target, family) for target in self._takers)

    @cached_property
    def _takers(self) -> References:
        files = (self.points_to.file(module) for module in self.project.given)
        found = (refs for file in files if file is not None for refs in takers_of_originals(file, self.points_to))
        return frozenset().union(*found)

    def _may_list(self, target: Reference, family: Collection[ClassRef]) -> bool:
        match target.base:
            case Below():
                return self._has_children_of(target.base, family)
            case Anything() | ClassOf():
                return True
        return False

    def runs_at_construction(self, effect: Effect) -> bool:
        """True if the method around a listing is a constructor, or nothing but constructors calls it."""
        file = self.points_to.file(effect.place.module)
        node = file.expression_at(effect.listing) if file is not None and effect.listing is not None else None
        scope = file.scope_of(node) if file is not None and node is not None else None
        if scope is None or scope.name == "__init__":
            return scope is not None
        uses = self.points_to.calls.uses(scope) if scope.is_function else None
        if uses is None or uses.unknown or uses.loose or not uses.direct:
            return False
        return all(where.name == "__init__" for _, where in uses.direct)

    def may_be_new(self, target: Reference, child: ModuleClass) -> bool:
        """True if a name by which an object is found may be the new name of a module of class `child`."""
        names = [test for test in target.tests if isinstance(test, GivenName)]
        return all(name.listed is not None and self.admits(name.listed, child) for name in names)

    def _may_matter_to(self, effect: Effect, child: ModuleClass) -> bool:
        """True if an effect, if it reaches a new child of a class, makes a difference."""
        match effect.kind:
            case EffectKind.SET:
                is_of_all = effect.attribute in _OF_CLASS or effect.attribute in NN_MODULE_ATTRIBUTES
                return self._facts.has_attribute(child, effect.attribute) or is_of_all
            case EffectKind.MODE:
                return self._facts.is_modal(child)
            case EffectKind.READ:
                return not self._facts.has_attribute(child, effect.attribute)
        return effect.kind in _ON_CHILDREN

    def on_parts(self, family: Collection[ClassRef], whole: Collection[str], part: ModuleClass) -> Iterator[Effect]:
        """Effects that reach a module of class `part` that is added inside modules of the classes `whole` of torch.

        Instances of a family hold these; so loops over the children of a family alone do not reach the parts.
        """
        for effect in self._index.all:
            targets = self._targets(effect) if self._may_matter_to(effect, part) else ()
            if any(self._meets_part(target, family, whole, part) for target in targets):
                yield effect

    def _meets_part(
        self, target: Reference, family: Collection[ClassRef], whole: Collection[str], part: ModuleClass
    ) -> bool:
        match target.base:
            case Below(owner=Made(name=name)):
                return name in whole and self.admits(target.tests, part)
            case Below(owner=Instance(), is_direct=True):
                return False
            case Below(owner=owner):
                return self._held_modules.contains(owner, family) and self.admits(target.tests, part)
            case Anything():
                return self.admits(target.tests, part)
        return False

    # What may see a rewrite itself

    def on_source(self, module: str, family: Collection[ClassRef]) -> Iterator[Effect]:
        """Uses of the source of a file, of the classes of a family, or of the functions in it."""
        for effect in self._index.of(EffectKind.SOURCE):
            if any(self._is_source_of(target, module, family) for target in self._targets(effect)):
                yield effect

    def _is_source_of(self, target: Reference, module: str, family: Collection[ClassRef]) -> bool:
        match target.base:
            case ClassObject(cls=cls) | Instance(cls=cls):
                return cls in family
            case FunctionObject(scope=scope):
                owner = self.points_to.enclosing_class(scope)
                return owner in family if owner is not None else scope.file.module == module
            case Named(name=name):
                return name == module
            case Below(owner=owner):
                return self._held_modules.contains(owner, family)
            case Anything():
                return True
        return False

    def on_tables(self, classes: Collection[ClassRef], holders: Collection[ClassRef]) -> Iterator[Effect]:
        """Uses of the tables of some classes, of their instances, and of the modules that hold these."""
        for effect in self._index.of(EffectKind.TABLE):
            if any(self._is_table_of(target, classes, holders) for target in self._targets(effect)):
                yield effect

    def _is_table_of(self, target: Reference, classes: Collection[ClassRef], holders: Collection[ClassRef]) -> bool:
        match target.base:
            case ClassObject(cls=cls) | Instance(cls=cls):
                return cls in classes or cls in holders
            case Below(owner=owner):
                return self._held_modules.contains(owner, [*classes, *holders])
            case Anything():
                return True
        return False

    def on_dispatch(self, family: Collection[ClassRef], op: Op) -> Iterator[Effect]:
        """Handlers that may see by which function of torch the methods of a family run an operation."""
        for effect in self._index.of(EffectKind.DISPATCH):
            if may_notice(effect.asked, op) and self._may_see(effect, family):
                yield effect

    def _may_see(self, effect: Effect, family: Collection[ClassRef]) -> bool:
        """True if a handler is a mode, which sees every call, or of tensors that the methods of a family are given."""
        handled = {target.base.cls for target in effect.targets if isinstance(target.base, ClassObject)}
        if any(is_mode(self.project.mro(cls)) for cls in handled if isinstance(cls, ClassRef)):
            return True
        scopes = (scope for cls in family for name in self.project.methods(cls) or () for scope in self._own(cls, name))
        given = (reference.base for scope in scopes for reference in self.points_to.of_parameters(scope))
        return any(isinstance(base, ClassObject | Instance) and base.cls in handled for base in given)

    def _own(self, cls: ClassRef, method: str) -> Iterator[LexicalScope]:
        return (scope for scope in self.points_to.method(cls, method) if scope.owner == cls)

    # What may happen to an instance

    def on_held(
        self, family: Collection[ClassRef], attribute: str, content: Collection[ModuleClass]
    ) -> Iterator[Effect]:
        """Effects on the module that an attribute of a family holds, or that put another one in its place."""
        values = frozenset().union(*(self.points_to.of_attribute(cls, attribute) for cls in family))
        made = {each.base for each in values if isinstance(each.base, Instance | Made)}
        setting = self._index.named(EffectKind.SET, (attribute,))
        mattering = self._mattering(frozenset(content))
        for effect in self._index.in_order((*setting, *mattering)):
            if effect.kind is EffectKind.SET and may_be(effect.attribute, attribute):
                by_name = not is_any(effect.attribute) and any(isinstance(t.base, Many) for t in self._targets(effect))
                if by_name or any(self._is_instance(t, family) or _is_unknown_holder(t) for t in self._targets(effect)):
                    yield effect
                    continue
            if effect not in mattering or (effect.owner in family and effect.kind in _SEEN_IN_CLASS):
                continue
            if any(self._is_held(target, family, attribute, content, made, effect) for target in self._targets(effect)):
                yield effect

    def on_objects(self, values: References, content: Collection[ModuleClass]) -> Iterator[Effect]:
        """Effects on modules that an expression refers to."""
        made = {each.base for each in values}
        for effect in self._mattering(frozenset(content)):
            if any(self._is_held(target, (), None, content, made, effect) for target in self._targets(effect)):
                yield effect

    def _mattering(self, content: frozenset[ModuleClass]) -> dict[Effect, None]:
        """The effects that change what calls of modules of some classes compute."""
        if content not in self._matter:
            self._matter[content] = {each: None for each in self._index.all if self._matters(each, content)}
        return self._matter[content]

    def _matters(self, effect: Effect, content: Collection[ModuleClass]) -> bool:
        """True if an effect on a module of one of these classes changes what its calls compute.

        What happens to every module of a class happens to a second instance of it as well, if that is one.
        """
        if effect.by_class and effect.kind in _EQUAL_FOR_ALL and all(map(self._facts.is_stateless, content)):
            return False
        if effect.kind in _SHARED and all(map(self._facts.is_layer, content)):
            return False  # a second instance of a layer runs the first, whatever its attributes are by then
        match effect.kind:
            case EffectKind.REPLACE:
                return True
            case EffectKind.SET:
                return any(self._facts.has_attribute(cls, effect.attribute) for cls in content)
            case EffectKind.MODE:
                return any(self._facts.is_modal(cls) for cls in content)
            case EffectKind.CALL:
                return any(self._runs_method(cls, effect) for cls in content)
            case EffectKind.STRUCTURE | EffectKind.CHANGE | EffectKind.COMPARE:
                return True
        return False

    def _is_held(
        self,
        target: Reference,
        family: Collection[ClassRef],
        attribute: str | None,
        content: Collection[ModuleClass],
        made: Collection[Base],
        effect: Effect,
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
                reaches = self._has_children_of(base, family) or self.contains_object(owner, content)
                if not any(self.admits(target.tests, cls) for cls in content):
                    return False
                return reaches or self._holds(base, target.tests, family, attribute, made)
            case Made(name=name, place=where):
                return (base in made if where is not None else name in content) and self.admits(target.tests, name)
            case Instance(cls=cls, made=place):
                if place is not None:
                    return base in made and self.admits(target.tests, cls)
                related = any(isinstance(other, ClassRef) and self._is_related(cls, other) for other in content)
                return related and effect.kind is EffectKind.CHANGE
            case Anything():
                return any(self.admits(target.tests, cls) for cls in content)
        return False

    def _is_part(self, owner: ModuleClass | None, name: str | None, effect: Effect) -> bool:
        """True if an effect on what an attribute holds may be one on a module, or on a container of modules."""
        if effect.kind is not EffectKind.STRUCTURE or name is None:
            return True
        return isinstance(owner, ClassRef) and self._may_hold(owner, name)

    def _runs_method(self, cls: ModuleClass, effect: Effect) -> bool:
        """True if a call of a method may reach a second instance of a class, and change what it shares."""
        if isinstance(cls, ClassRef):
            names = self.project.method_names(cls)
            return any(may_be(effect.attribute, name) for name in names if name != "forward")
        copies = any(self.admits(target.tests, f"{RUNTIME}Tied") for target in self._targets(effect))
        return effect.attribute == "reset_parameters" and copies

    def _is_related(self, cls: ClassRef, other: ClassRef) -> bool:
        return cls == other or cls in self.project.mro(other) or other in self.project.mro(cls)

    def contains_object(self, owner: object, content: Collection[ModuleClass]) -> bool:
        """True if an object may hold an instance of one of several classes of the project."""
        refs = [cls for cls in content if isinstance(cls, ClassRef)]
        return bool(refs) and self._held_modules.contains(owner, refs)

    def patched(self, names: Collection[str]) -> Iterator[Effect]:
        """Effects that replace functions or classes of other packages, such as `F.relu = …`, by their last names."""
        for effect, named in self._set_on_names:
            for target in named:
                if any(self._is_patch(target, effect, name) for name in names):
                    yield effect

    @cached_property
    def _set_on_names(self) -> list[tuple[Effect, list[Named]]]:
        found = (
            (effect, [target.base for target in self._targets(effect) if isinstance(target.base, Named)])
            for effect in self._index.of(EffectKind.SET)
        )
        return [(effect, named) for effect, named in found if named]

    def on_variable(self, module: str, name: str) -> Iterator[Effect]:
        """Effects that give a variable of a module of the project another value.

        Assumes that a computed key of a module's own `globals()` is the name of no import.
        """
        is_imported = self._is_import(module, name)
        for effect in self._index.named(EffectKind.SET, (name,)):
            if is_any(effect.attribute) and is_imported and effect.place.module == module:
                continue
            named = {target.base.name for target in self._targets(effect) if isinstance(target.base, Named)}
            if module in named or (ANY_MODULE in named and not is_any(effect.attribute)):
                yield effect

    def on_names_of(self, module: str, *, imports: bool) -> Iterator[Effect]:
        """Effects that list the names of a module; with `imports`, also those that list the subclasses of nn.Module."""
        listed = {module, *(_MODULE_NAMES if imports else ())}
        for effect in self._index.of(EffectKind.NAMES):
            named = {target.base.name for target in effect.targets if isinstance(target.base, Named)}
            if not named.isdisjoint(listed):
                yield effect

    def _is_import(self, module: str, name: str) -> bool:
        """True if imports alone bind a variable of a module."""
        file = self.points_to.file(module)
        bindings = file.top.bindings.get(name, ()) if file is not None else ()
        return all(binding.kind is BindingKind.IMPORT for binding in bindings)

    def _is_patch(self, target: Named, effect: Effect, name: str) -> bool:
        """True if an assignment replaces a function of this name, or what the class of this name does."""
        if target.name == ANY_MODULE:
            return not is_any(effect.attribute) and may_be(effect.attribute, name)
        if not f"{target.name}.".startswith("torch.") or f"{target.name}.".startswith(_RUNS_NO_OPERATION):
            return False
        if may_be(effect.attribute, name):
            return True
        is_class = name[:1].isupper() and target.name.rpartition(".")[2] == name
        return is_class and self._facts.has_attribute(f"{TORCH}{name}", effect.attribute)

    def _has_children_of(self, below: Below, family: Collection[ClassRef]) -> bool:
        """True if modules below an object may be children of an instance of a family."""
        if below.is_direct and isinstance(below.owner, Instance):
            return below.owner.cls in family
        return self._held_modules.contains(below.owner, family)

    # Relations of classes

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
        inside = self._held_modules.contents(holder) if holder is not None else None
        if inside is None:
            return isinstance(owner, Made)
        children = self._held_modules.children(owner.cls) if below.is_direct and isinstance(owner, Instance) else None
        for base in inside.objects if children is None else children:
            match base:
                case Held(owner=where, attribute=name) if base in made or (where in family and name == attribute):
                    return True
                case Instance(cls=cls) if base in made and self.admits(tests, cls):
                    return True
                case Made(name=cls) if base in made and self.admits(tests, cls):
                    return True
        return False

    def admits(self, tests: Collection[Test], cls: ModuleClass) -> bool:
        """True if an object of a class may pass all of several tests."""
        return all(self._may_pass(test, cls) for test in tests)

    def _may_pass(self, test: Test, cls: ModuleClass) -> bool:
        match test:
            case AnyOf(tests=tests):
                return any(self._may_pass(each, cls) for each in tests)
            case ClassTest(classes=None) | GivenName():
                return True
            case ClassTest(classes=classes, is_positive=is_positive):
                answers = [self._facts.is_subclass(cls, other) for other in classes or ()]
                return any(answer is not False for answer in answers) if is_positive else True not in answers
            case AttributeTest(name=name, is_positive=is_positive):
                return not is_positive or self._may_have(cls, name)
            case NameTest():
                return test.admits(short_name(cls))

    def _may_have(self, cls: ModuleClass, name: str) -> bool:
        """True if `hasattr` may find an attribute in an object of a class: each module has those of nn.Module."""
        if name.startswith("__") or name in NN_MODULE_ATTRIBUTES or self._facts.has_attribute(cls, re.escape(name)):
            return True
        if self._may_be_given(cls, name):
            return True
        if isinstance(cls, ClassRef):
            if self.points_to.method(cls, "__getattr__") or self.points_to.method(cls, "__getattribute__"):
                return True
            bases = (base for base in self.project.mro(cls) if isinstance(base, External))
            return any(self._may_have(base.name, name) for base in bases if base.name not in ROOTS)
        if cls.startswith(TORCH):
            known = self.analysis.catalogue.nn_module(cls.removeprefix(TORCH))
            is_plain = known is not None and not (known.may_have_state or known.is_container or known.is_compound)
            return known is None or (not is_plain and name in LAYER_ATTRIBUTES)
        return not cls.startswith(RUNTIME) or name in OTHER_ATTRIBUTES

    def _may_be_given(self, cls: ModuleClass, name: str) -> bool:
        """True if code may set an attribute of this name on an object of a class that lacks it.

        A test of the same attribute fails for such an object: `if hasattr(m, "flag"): m.flag = True` gives
        nothing a flag. What is not followed sets nothing.
        """
        key = (cls, name)
        if key in self._asked:
            return False
        if key not in self._given:
            self._asked.append(key)
            found = any(
                self._may_be_of(target, cls)
                for effect in self._index.named(EffectKind.SET, (name,))
                if not is_any(effect.attribute)
                for target in self._targets(effect)
            )
            self._asked.pop()
            if self._asked and not found:
                return False  # as long as a question that is still open has no other answer
            self._given[key] = found
        return self._given[key]

    def _may_be_of(self, target: Reference, cls: ModuleClass) -> bool:
        """True if an object is one of a class, or is the class or a base of it."""
        match target.base:
            case Anything() | Below() | ClassOf() | Held():
                pass
            case Instance(cls=other) | ClassObject(cls=other) | Made(name=other) | Named(name=other):
                if self._facts.is_subclass(cls, other) is False:
                    return False
            case _:
                return False
        return self.admits(target.tests, cls)


def _is_any_module(base: Base) -> bool:
    """True if an effect on an object, or on the class that all modules inherit from, reaches any module."""
    match base:
        case Anything() | ClassOf():
            return True
        case Named() | ClassObject():
            return _dotted(base) in _MODULE_NAMES
    return False


def _dotted(base: Named | ClassObject) -> str:
    return base.name if isinstance(base, Named) else str(base.cls)


def _is_unknown_holder(target: Reference) -> bool:
    """True if an attribute is set on what nothing is known of but the attribute that holds it."""
    return isinstance(target.base, Held) and target.base.owner is None
