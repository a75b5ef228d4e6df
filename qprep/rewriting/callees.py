"""Resolution of the name in front of a call, from the source alone."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING

from qprep.analysis.symbols.symbol_table import Imported
from qprep.analysis.values.abstract_values import External

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.foundation.catalogue.op import Op
    from qprep.rewriting.fix_scope import Scope


Bound = str | ast.expr | None


def is_builtin(scope: Scope, func: ast.expr) -> bool:
    """True if an expression names a function of Python's own."""
    dotted = dotted_name(scope, func)
    return dotted is not None and dotted.startswith("builtins.")


def names_operation(scope: Scope, func: ast.expr, op: Op) -> bool:
    """True if an expression is a name of an operation wherever the call runs: no parameter, choice or partial."""
    dotted = dotted_name(scope, func)
    found = scope.context.analysis.resolved(dotted) if dotted is not None else None
    row = scope.context.analysis.catalogue.function(found.name) if isinstance(found, External) else None
    return row is not None and row[0].spellings == op.spellings


def dotted_name(scope: Scope, func: ast.expr) -> str | None:
    """The dotted name, through imports in the function and locals that are bound once to another name."""
    parts: list[str] = []
    while isinstance(func, ast.Attribute):
        parts.insert(0, func.attr)
        func = func.value
    if not isinstance(func, ast.Name):
        return None
    bound = next(filter(None, (_bindings(scope, function).get(func.id) for function in _around(scope))), [])
    if not bound:
        kind = scope.context.analysis.global_kind(scope.index, func.id)
        return ".".join([kind.name, *parts]) if isinstance(kind, External) else None
    if len(set(bound)) > 1 or bound[0] is None:
        return None
    root = bound[0] if isinstance(bound[0], str) else dotted_name(scope, bound[0])
    return ".".join([root, *parts]) if root is not None else None


def _around(scope: Scope) -> Iterator[ast.FunctionDef]:
    """The functions whose names a place sees, the innermost first."""
    function = scope.code.function(scope.node)
    if function is not None:
        yield function
    entry = scope.index.classes.get(scope.unit.name)
    yield from reversed(entry.around if entry is not None else ())


def _bindings(scope: Scope, function: ast.FunctionDef) -> dict[str, list[Bound]]:
    """The bindings of each name of a function: a dotted name for an import, the value of an assignment, or None."""
    found = scope.code.bindings.get(function)
    if found is None:
        found = scope.code.bindings[function] = defaultdict(list)
        for node in ast.walk(function):
            for name, value in _bound_by(scope, node):
                found[name].append(value)
    return found


def _bound_by(scope: Scope, node: ast.AST) -> Iterator[tuple[str, Bound]]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        imported: dict[str, Imported] = {}
        scope.index.bind_import(node, imported)
        yield from ((name, entry.target) for name, entry in imported.items())
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        parent = scope.code.parents.get(node)
        yield node.id, parent.value if isinstance(parent, ast.Assign) else None
    elif isinstance(node, ast.arg):
        yield node.arg, None
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, None
