"""The file that effects are searched in: targets, owners and names of its expressions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from qprep.analysis.effects import listed_children
from qprep.analysis.effects.abstract_objects import ANY_OBJECT, ClassObject, Instance, Reference, References
from qprep.analysis.effects.attribute_names import ANY_NAME, patterns_of
from qprep.analysis.effects.class_conditions import is_by_class_alone
from qprep.analysis.effects.effect_kinds import Effect, EffectKind
from qprep.analysis.places import Place
from qprep.analysis.values.abstract_values import ClassRef

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
    from qprep.analysis.effects.points_to import PointsTo


class EffectSearch:
    """One file, and the questions that searches for effects put to it."""

    def __init__(self, points_to: PointsTo, file: FileScopes) -> None:
        self.points_to = points_to
        self.file = file

    def effect(
        self,
        kind: EffectKind,
        targets: Callable[[], References],
        node: ast.expr | ast.stmt,
        text: str,
        attribute: str = ANY_NAME,
    ) -> Iterator[Effect]:
        """One effect at a node, with the owner and the tests by class that the code around gives it."""
        place, by_class = Place.of(self.file.module, node), self.is_by_class(node)
        yield Effect(kind, targets, place, text, attribute, by_class, owner=self.owner_of(node))

    def later(self, *nodes: ast.expr) -> Callable[[], References]:
        """The objects that expressions may refer to, computed on demand."""
        return lambda: frozenset().union(*map(self.targets, nodes))

    def owner_of(self, node: ast.expr | ast.stmt) -> ClassRef | None:
        """The class whose constructor a node is part of, or whose method names `self` in it."""
        scope = self.file.scope_of(node)
        cls = self.points_to.enclosing_class(scope)
        if cls is None or scope.name == "__init__":
            return cls
        root: ast.AST = node
        is_set = isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load)
        while isinstance(root, ast.Attribute | ast.Subscript | ast.Call):
            if is_set and isinstance(root, ast.Call) and self.is_own(root.func, scope):
                return None  # `self.get_submodule("act").p = 0.5` names no attribute of `self`
            root = root.func if isinstance(root, ast.Call) else root.value
        return cls if isinstance(root, ast.Name) and root.id == self.points_to.receiver(scope) else None

    def is_by_class(self, node: ast.AST) -> bool:
        """True if a statement runs for every module of a loop that is of certain classes."""
        loop = listed_children.loop_over_modules(node, self.file.parents)
        if loop is None:
            return False
        scope = self.file.scope_of(node)
        names = [part.id for part in ast.walk(loop.target) if isinstance(part, ast.Name)]
        variables = [self.points_to.variable(name, scope.binder(name) or scope) for name in names]
        return is_by_class_alone(node, variables, self.file.parents)

    def targets(self, node: ast.expr) -> References:
        """The objects that an expression may refer to."""
        return self.points_to.of(node, self.file.scope_of(node))

    def is_own(self, node: ast.expr, scope: LexicalScope) -> bool:
        """True if an expression is `self` in a method, or an attribute of it."""
        root = node.value if isinstance(node, ast.Attribute) else node
        return isinstance(root, ast.Name) and root.id == self.points_to.receiver(scope)

    def modules(self, node: ast.expr, left_out: tuple[type, ...]) -> References:
        """The objects that an expression refers to, without some kinds of objects."""
        return frozenset(each for each in self.targets(node) if not isinstance(each.base, left_out))

    def names_of(self, node: ast.expr) -> list[str]:
        """Regular expressions for the names that an expression may be."""
        found = patterns_of(node, self.file.scope_of(node))
        return [ANY_NAME] if ANY_NAME in found else sorted(found)

    @cached_property
    def computed_bases(self) -> dict[ClassRef | None, list[ast.expr]]:
        """The bases of each class that the class hierarchy does not know."""
        found: dict[ClassRef | None, list[ast.expr]] = {}
        for node in self.file.index.of(ast.ClassDef):
            bases = [base for base in node.bases if not self.is_static_base(base, self.targets(base))]
            if bases:
                found[self.file.class_of(node)] = bases
        return found

    def instances_of(self, bases: Iterable[ast.expr]) -> References:
        """Instances of the classes that expressions refer to."""
        classes = (each.base for base in bases for each in self.targets(base))
        found = (each.cls for each in classes if isinstance(each, ClassObject) and isinstance(each.cls, ClassRef))
        return frozenset(Reference(Instance(cls)) for cls in found)

    def is_static_base(self, base: ast.expr, targets: References) -> bool:
        """True if the class hierarchy knows the base already."""
        scope = self.file.scope_of(base)
        cls = self.file.class_of(node) if isinstance(node := self.file.parents.get(base), ast.ClassDef) else None
        if cls is None or scope is None:
            return False
        known = self.points_to.project.mro(cls)
        classes = {each.base.cls for each in targets if isinstance(each.base, ClassObject)}
        return all(other in known for other in classes if isinstance(other, ClassRef))


def any_object() -> References:
    """The targets of an effect that may be on any object."""
    return ANY_OBJECT
