"""Calls that list the names of an object's attributes."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.method_calls import calls_of
from qprep.analysis.symbols.ast_utils import last_name

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import FileScopes
    from qprep.analysis.effects.points_to import PointsTo

_DIR = frozenset(("__dir__",))
_LISTS_NAMES = frozenset(("dir", "getmembers", "getmembers_static"))


def names_listed(call: ast.Call, file: FileScopes, points_to: PointsTo) -> ast.expr | None:
    """The object whose names a call lists: `dir(x)`, `getmembers(x)`, `x.__dir__()`, `object.__dir__(x)`."""
    if last_name(call.func) in _LISTS_NAMES and call.args:
        return call.args[0]
    scope = file.scope_of(call)
    if scope.name == "__dir__":
        return None  # the class's own way to answer `dir`
    calls = calls_of(_DIR, call, file, lambda node: points_to.of(node, file.scope_of(node)))
    return next((func.value for _, func in calls), None)
