"""Functions that `apply` and `partial` are given."""

from __future__ import annotations

import ast
import sys

from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.symbols.ast_utils import last_name


def takes_keywords(function: LexicalScope, value: ast.expr) -> bool:
    """True if a function takes the keywords that `partial(function, flag=True)` gives it; a call fails otherwise."""
    arguments = function.arguments
    if not (isinstance(value, ast.Call) and last_name(value.func) == "partial") or arguments is None:
        return True
    known = {arg.arg for arg in (*arguments.args, *arguments.kwonlyargs)}
    return arguments.kwarg is not None or all(each.arg is None or each.arg in known for each in value.keywords)


def bound_in_front(function: ast.expr, scope: LexicalScope) -> int:
    """The number of arguments that `partial(function, a, b)` gives in front of those of a call, also by a variable."""
    match function:
        case ast.Call(func=func, args=[inner, *given]) if last_name(func) == "partial":
            count = sys.maxsize if any(isinstance(each, ast.Starred) for each in given) else len(given)
            return min(count + bound_in_front(inner, scope), sys.maxsize)
        case ast.Name(id=name) if (home := scope.binder(name)) is not None:
            bound = (binding.value for binding in home.bindings[name])
            return max((bound_in_front(each, home) for each in bound if isinstance(each, ast.Call)), default=0)
    return 0
