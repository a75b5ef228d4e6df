"""Expressions that may be an item of a container, and not the container itself: `layers[0]`, `next(iter(layers))`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.lexical_scopes import Binding, BindingKind, LexicalScope, assigned_value
from qprep.analysis.symbols.ast_utils import last_name

if TYPE_CHECKING:
    from qprep.analysis.effects.points_to import PointsTo

_CONTAINERS = frozenset(("ModuleDict", "ModuleList", "Sequential"))
_MAX_STEPS = 6


def may_be_item(node: ast.expr, scope: LexicalScope, points_to: PointsTo, steps: int = _MAX_STEPS) -> bool:
    """True if an expression may be an item of a container; also if there are too many steps to tell."""
    if steps == 0:
        return True
    match node:
        case ast.Subscript(slice=ast.Slice()):
            return may_be_item(node.value, scope, points_to, steps - 1)
        case ast.Call():
            return last_name(node.func) not in _CONTAINERS
        case ast.IfExp():
            return any(may_be_item(each, scope, points_to, steps - 1) for each in (node.body, node.orelse))
        case ast.Name():
            home = scope.binder(node.id)
            if home is None:
                return True
            return any(_may_bind_item(each, home, points_to, steps - 1) for each in home.bindings[node.id])
        case ast.Attribute():
            return any(
                value is None or may_be_item(value, where, points_to, steps - 1)
                for store, where in points_to.names.stores(points_to, node.attr)
                for value in [assigned_value(store, where.file.parents)]
            )
    return True


def _may_bind_item(binding: Binding, home: LexicalScope, points_to: PointsTo, steps: int) -> bool:
    if binding.kind is BindingKind.VALUE and isinstance(binding.value, ast.expr):
        return may_be_item(binding.value, binding.home(home), points_to, steps)
    return binding.kind not in (BindingKind.IMPORT, BindingKind.DEFINITION)
