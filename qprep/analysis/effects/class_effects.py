"""Classes with bases that Python computes, and comparisons of the identity of objects."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from qprep.analysis.effects.abstract_objects import Anything, ClassObject, Named, References
from qprep.analysis.effects.effect_kinds import Effect, EffectKind
from qprep.analysis.effects.effect_search import EffectSearch
from qprep.analysis.effects.object_tests import ClassTest
from qprep.analysis.symbols.ast_utils import last_name


def computed_classes(search: EffectSearch) -> Iterator[Effect]:
    """Classes whose bases are expressions that Python evaluates: `class Net(TABLE["a"])`."""
    for node in search.file.index.of(ast.ClassDef):
        for base in node.bases:
            if _reaches_base(node) or search.is_static_base(base, search.targets(base)):
                continue
            found = search.later(base)
            yield from search.effect(EffectKind.DERIVE, found, node, f"class `{node.name}` inherits from it")


def identity_comparisons(search: EffectSearch) -> Iterator[Effect]:
    """`m is search.act`: a second instance is another object."""
    for node in search.file.index.of(ast.Compare):
        sides = [node.left, *node.comparators]
        if not any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            continue
        if any(isinstance(side, ast.Constant) for side in sides):
            continue
        for side in sides:
            # One side has to be known to be the module for the comparison to tell two instances apart.
            others = [other for other in sides if other is not side]
            found = partial(_compared, search, side, others[0] if len(others) == 1 else None)
            yield from search.effect(EffectKind.COMPARE, found, node, f"compares `{ast.unparse(node)}`")


def _compared(search: EffectSearch, side: ast.expr, other: ast.expr | None) -> References:
    """The modules that one side of a comparison refers to, as far as the other side may be one of them."""
    found = search.modules(side, (Named, ClassObject, Anything))
    scope = search.file.scope_of(side)
    if not isinstance(other, ast.Name) or other.id != scope.receiver or len(scope.bindings[other.id]) != 1:
        return found
    return frozenset(each.narrowed([ClassTest(frozenset((scope.owner,)))]) for each in found if scope.owner)


def _reaches_base(node: ast.ClassDef) -> bool:
    """True if a class has no constructor of its own, or one that calls `super().__init__`."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return any(
                isinstance(part, ast.Call)
                and isinstance(part.func, ast.Attribute)
                and part.func.attr == "__init__"
                and isinstance(part.func.value, ast.Call)
                and last_name(part.func.value.func) == "super"
                for part in ast.walk(item)
            )
    return True
