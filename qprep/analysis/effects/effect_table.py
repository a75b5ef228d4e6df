"""Queries on the effects of a project: which may reach an attribute, a class, or a child that is added to one."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from qprep.analysis.effects.abstract_objects import (
    Anything,
    Below,
    ClassObject,
    ClassOf,
    FunctionObject,
    Instance,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.child_effects import ChildEffects
from qprep.analysis.effects.class_facts import ModuleClass
from qprep.analysis.effects.effect_kinds import Effect, EffectKind
from qprep.analysis.effects.effect_source import EffectSource
from qprep.analysis.effects.handler_notices import is_mode, may_notice
from qprep.analysis.effects.held_effects import HeldEffects
from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.effects.name_effects import NameEffects
from qprep.analysis.effects.object_tests import Test
from qprep.analysis.effects.outside_effects import OutsideEffects
from qprep.analysis.effects.own_operations import OwnOperations
from qprep.analysis.effects.target_classes import TargetClasses
from qprep.analysis.interpreter.protocol import Analysis
from qprep.analysis.places import Place
from qprep.analysis.values.abstract_values import ClassRef
from qprep.foundation.catalogue.op import Op

_CONSTRUCTION = frozenset(
    ("__init__", "__new__", "__setattr__", "__getattr__", "__getattribute__", "__call__", "forward")
)
_CLASS_CHANGES = frozenset((EffectKind.BYPASS, EffectKind.DERIVE))


class EffectTable:
    """All effects of the given files, and what they may reach."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.project = analysis.project
        self._source = EffectSource(analysis)
        self._targets = TargetClasses(self._source)
        self.children = ChildEffects(self._source, self._targets)
        self._held = HeldEffects(self._source, self._targets)
        self._names = NameEffects(self._source)
        self.points_to = self._source.points_to
        self.operations = OwnOperations(self.points_to)
        self.outside = OutsideEffects(self.points_to)

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Every effect, file by file."""
        return self._source.index.all

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
        index = self._source.index
        lent = index.of(EffectKind.BORROW) if borrowed is None else index.named(EffectKind.BORROW, borrowed)
        for effect in index.in_order((*index.named(EffectKind.SET, sensitive), *lent, *index.of(*_CLASS_CHANGES))):
            for target in self._source.targets_of(effect):
                if self._is_class(target, family) or (
                    isinstance(target.base, Anything) and effect.kind in _CLASS_CHANGES
                ):
                    yield effect

    def on_names(self, family: Collection[ClassRef], names: Collection[str]) -> Iterator[Effect]:
        """Effects that may give instances of a family an attribute of one of these names."""
        for effect in self._source.index.named(EffectKind.SET, names):
            if any(self._targets.is_instance(target, family) for target in self._source.targets_of(effect)):
                yield effect

    def on_operation(self, names: Collection[str]) -> Iterator[Effect]:
        """Effects that may give a class of tensors, or one of its instances, a method of one of these names."""
        family = self.operations.tensors
        if not family:
            return
        yield from self.on_names(family, names)
        for effect in self._source.index.named(EffectKind.SET, names):
            if any(self._is_class(target, family) for target in self._source.targets_of(effect)):
                yield effect

    def _is_class(self, target: Reference, family: Collection[ClassRef]) -> bool:
        match target.base:
            case ClassObject(cls=cls):
                return cls in family
            case ClassOf():
                return any(self._targets.admits(target.tests, cls) for cls in family)
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

    def on_source(self, module: str, family: Collection[ClassRef]) -> Iterator[Effect]:
        """Uses of the source of a file, of the classes of a family, or of the functions in it."""
        for effect in self._source.index.of(EffectKind.SOURCE):
            if any(self._is_source_of(target, module, family) for target in self._source.targets_of(effect)):
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
                return self._source.held_modules.contains(owner, family)
            case Anything():
                return True
        return False

    def on_tables(self, classes: Collection[ClassRef], holders: Collection[ClassRef]) -> Iterator[Effect]:
        """Uses of the tables of some classes, of their instances, and of the modules that hold these."""
        for effect in self._source.index.of(EffectKind.TABLE):
            if any(self._is_table_of(target, classes, holders) for target in self._source.targets_of(effect)):
                yield effect

    def _is_table_of(self, target: Reference, classes: Collection[ClassRef], holders: Collection[ClassRef]) -> bool:
        match target.base:
            case ClassObject(cls=cls) | Instance(cls=cls):
                return cls in classes or cls in holders
            case Below(owner=owner):
                return self._source.held_modules.contains(owner, [*classes, *holders])
            case Anything():
                return True
        return False

    def on_dispatch(self, family: Collection[ClassRef], op: Op) -> Iterator[Effect]:
        """Handlers that may see by which function of torch the methods of a family run an operation."""
        for effect in self._source.index.of(EffectKind.DISPATCH):
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

    def listings_of(self, family: Collection[ClassRef]) -> Iterator[Place]:
        """The listings that children of a family may be part of, where code depends on which there are."""
        return self.children.listings_of(family)

    def originals_are_taken(self, family: Collection[ClassRef]) -> bool:
        """True if code takes the original children of an instance of a family: it needs the marks of new ones."""
        return self.children.originals_are_taken(family)

    def may_be_new(self, target: Reference, child: ModuleClass) -> bool:
        """True if a name by which an object is found may be the new name of a module of class `child`."""
        return self.children.may_be_new(target, child)

    def on_held(
        self,
        family: Collection[ClassRef],
        attribute: str,
        content: Collection[ModuleClass],
        whole: Collection[ModuleClass] | None = None,
    ) -> Iterator[Effect]:
        """Effects on the module that an attribute of a family holds, or that put another one in its place."""
        return self._held.on_held(family, attribute, content, whole)

    def on_objects(self, values: References, content: Collection[ModuleClass]) -> Iterator[Effect]:
        """Effects on modules that an expression refers to."""
        return self._held.on_objects(values, content)

    def contains_object(self, owner: object, content: Collection[ModuleClass]) -> bool:
        """True if an object may hold an instance of one of several classes of the project."""
        return self._targets.contains_object(owner, content)

    def admits(self, tests: Collection[Test], cls: ModuleClass) -> bool:
        """True if an object of a class may pass all of several tests."""
        return self._targets.admits(tests, cls)

    def patched(self, names: Collection[str]) -> Iterator[Effect]:
        """Effects that replace functions or classes of other packages, such as `F.relu = …`, by their last names."""
        return self._names.patched(names)

    def on_variable(self, module: str, name: str) -> Iterator[Effect]:
        """Effects that give a variable of a module of the project another value.

        Assumes that a computed key of a module's own `globals()` is the name of no import.
        """
        return self._names.on_variable(module, name)

    def on_names_of(self, module: str, *, imports: bool) -> Iterator[Effect]:
        """Effects that list the names of a module; with `imports`, also those that list the subclasses of nn.Module."""
        return self._names.on_names_of(module, imports=imports)
