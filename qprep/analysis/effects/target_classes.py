"""The classes that the targets of effects may be of: by tests of the class, of attributes and of names."""

from __future__ import annotations

import re
from collections.abc import Collection

from qprep.analysis.effects.abstract_objects import (
    Anything,
    Below,
    ClassObject,
    ClassOf,
    Held,
    Instance,
    Made,
    Named,
    Reference,
)
from qprep.analysis.effects.attribute_names import is_any
from qprep.analysis.effects.class_facts import ROOTS, RUNTIME, TORCH, ModuleClass, short_name
from qprep.analysis.effects.effect_kinds import EffectKind
from qprep.analysis.effects.effect_source import EffectSource
from qprep.analysis.effects.object_tests import AnyOf, AttributeTest, ClassTest, GivenName, NameInTest, NameTest, Test
from qprep.analysis.values.abstract_values import ClassRef, External
from qprep.foundation.catalogue.module_attributes import LAYER_ATTRIBUTES, NN_MODULE_ATTRIBUTES, OTHER_ATTRIBUTES


class TargetClasses:
    """Compares the targets of effects with classes."""

    def __init__(self, source: EffectSource) -> None:
        self._source = source
        self._given: dict[tuple[ModuleClass, str], bool] = {}
        self._asked: list[tuple[ModuleClass, str]] = []

    def is_instance(self, target: Reference, family: Collection[ClassRef]) -> bool:
        """True if a target may be an instance of a family, or hold one at some depth."""
        match target.base:
            case Instance(cls=cls):
                return cls in family and self.admits(target.tests, cls)
            case Below(owner=owner):
                # A child of an instance of the family is another object; one further down may be of the family.
                return self._source.held_modules.contains(owner, family) and any(
                    self.admits(target.tests, cls) for cls in family
                )
            case Anything():
                return any(self.admits(target.tests, cls) for cls in family)
        return False

    def contains_object(self, owner: object, content: Collection[ModuleClass]) -> bool:
        """True if an object may hold an instance of one of several classes of the project."""
        refs = [cls for cls in content if isinstance(cls, ClassRef)]
        return bool(refs) and self._source.held_modules.contains(owner, refs)

    def has_children_of(self, below: Below, family: Collection[ClassRef]) -> bool:
        """True if modules below an object may be children of an instance of a family."""
        if below.is_direct and isinstance(below.owner, Instance):
            return below.owner.cls in family
        return self._source.held_modules.contains(below.owner, family)

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
                answers = [self._source.facts.is_subclass(cls, other) for other in classes or ()]
                return any(answer is not False for answer in answers) if is_positive else True not in answers
            case AttributeTest(name=name, is_positive=is_positive):
                return not is_positive or self._may_have(cls, name)
            case NameTest():
                return test.admits(short_name(cls))
            case NameInTest():
                return self._may_be_named(test, cls)

    def _may_be_named(self, test: NameInTest, cls: ModuleClass) -> bool:
        """True if the name of a class may be among some texts.

        A text that comes from outside may name any class that code outside knows: not one that a fix adds, unless a
        class of the project has the same name.
        """
        name = short_name(cls)
        if not test.is_positive or test.is_complete:
            return test.admits(name)
        if name in self._source.written_words or name in (test.texts or ()):
            return True
        return test.texts is None and not (isinstance(cls, str) and cls.startswith(RUNTIME))

    def _may_have(self, cls: ModuleClass, name: str) -> bool:
        """True if `hasattr` may find an attribute in an object of a class: each module has those of nn.Module."""
        if (
            name.startswith("__")
            or name in NN_MODULE_ATTRIBUTES
            or self._source.facts.has_attribute(cls, re.escape(name))
        ):
            return True
        if self._may_be_given(cls, name):
            return True
        if isinstance(cls, ClassRef):
            if self._source.points_to.method(cls, "__getattr__") or self._source.points_to.method(
                cls, "__getattribute__"
            ):
                return True
            bases = (base for base in self._source.project.mro(cls) if isinstance(base, External))
            return any(self._may_have(base.name, name) for base in bases if base.name not in ROOTS)
        if cls.startswith(TORCH):
            known = self._source.analysis.catalogue.nn_module(cls.removeprefix(TORCH))
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
                for effect in self._source.index.named(EffectKind.SET, (name,))
                if not is_any(effect.attribute)
                for target in self._source.targets_of(effect)
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
                if self._source.facts.is_subclass(cls, other) is False:
                    return False
            case _:
                return False
        return self.admits(target.tests, cls)
