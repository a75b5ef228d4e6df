"""Modules that replace functions: `@stands_for(function)` above a class, or the function itself above it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.values.abstract_values import ClassRef

if TYPE_CHECKING:
    from typing import TypeGuard

    from qprep.analysis.symbols.module_resolver import Project
    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.analysis.values.abstract_values import FunctionRef

_DECORATOR = "qprep.runtime_modules.stands_for"


def stand_in(project: Project, function: FunctionRef) -> ClassRef | None:
    """The class of the function's file that replaces it where a Dispatch calls it."""
    index = project.index(function.module)
    if index is None:
        return None
    for name, entry in index.classes.items():
        if any(_names(project, index, node, function.name) for node in entry.node.decorator_list):
            return ClassRef(function.module, name)
    return None


def is_function_like(project: Project, cls: ClassRef) -> bool:
    """True if a class stands right behind a function that takes what its forward takes: no model calls it by itself."""
    index, entry = project.index(cls.module), project.class_node(cls)
    forward = entry.methods.get("forward") if entry is not None else None
    if index is None or entry is None or forward is None or entry.node not in index.tree.body:
        return False
    taken = _parameters(forward)[1:]
    for before in reversed(index.tree.body[: index.tree.body.index(entry.node)]):
        if not isinstance(before, ast.ClassDef):
            return isinstance(before, ast.FunctionDef) and _parameters(before) == taken
        if any(_is_named_after(method, entry.node) and _parameters(method) == taken for method in before.body):
            return True
    return False


def _is_named_after(method: ast.stmt, cls: ast.ClassDef) -> TypeGuard[ast.FunctionDef]:
    """True if a class may replace a static method: `PadEdge` for `pad_edge`."""
    decorators = set(map(ast.unparse, method.decorator_list)) if isinstance(method, ast.FunctionDef) else set()
    is_static = not decorators.isdisjoint(("staticmethod", "classmethod"))
    plain = method.name.replace("_", "") if isinstance(method, ast.FunctionDef) else ""
    return bool(plain) and is_static and cls.name.replace("_", "").lower().startswith(plain.lower())


def _parameters(node: ast.FunctionDef) -> list[str]:
    """Names of all parameters, in the order in which they are written."""
    args = node.args
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    return [arg.arg for arg in (*named, args.vararg, args.kwarg) if arg is not None]


def _names(project: Project, index: FileIndex, decorator: ast.expr, function: str) -> bool:
    """True if a decorator is `stands_for(function)`."""
    if not isinstance(decorator, ast.Call) or [ast.unparse(arg) for arg in decorator.args] != [function]:
        return False
    return project.expression_name(index, decorator.func) == _DECORATOR
