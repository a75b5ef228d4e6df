"""Functions that call themselves: the module made of one runs its own forward again."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import walk
from qprep.foundation.findings import Rejection, RejectionCode

if TYPE_CHECKING:
    from qprep.analysis.symbols.symbol_table import FileIndex

_SCOPES = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp,
    ast.GeneratorExp,
)  # fmt: skip


def own_calls(node: ast.FunctionDef) -> list[ast.Call]:
    """The calls of a function inside itself, by its plain name."""
    if _is_variable_of_its_own(node):
        return []
    calls = (part for part in walk(node) if isinstance(part, ast.Call))
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == node.name]


def rejection_of(index: FileIndex, node: ast.FunctionDef) -> Rejection | None:
    """The reason why a recursive function cannot become a module; None if it can, or is not recursive.

    Followed are calls by plain names of functions of the same file.
    """
    called = {id(call.func) for call in own_calls(node)}
    named = [part for part in walk(node) if isinstance(part, ast.Name) and part.id == node.name]
    if not _is_variable_of_its_own(node) and any(id(part) not in called for part in named):
        return Rejection(f"`{node.name}` uses itself as a value", RejectionCode.FUNCTION)
    if called and any(isinstance(part, ast.Yield | ast.YieldFrom) for part in walk(node)):
        return Rejection(f"`{node.name}` is a generator that calls itself", RejectionCode.FUNCTION)
    waiting = [name for name in _called(index, node) if name != node.name]
    found: set[str] = set()
    while waiting:
        if (name := waiting.pop()) == node.name:
            return Rejection(
                f"`{node.name}` and functions that it calls run each other in turn", RejectionCode.FUNCTION
            )
        if name not in found:
            found.add(name)
            waiting += _called(index, index.functions[name])
    return None


def _is_variable_of_its_own(node: ast.FunctionDef) -> bool:
    """True if the name of a function is a variable inside it: `def corr(a, b): corr = a @ b; return corr / 2`."""
    own = {arg.arg for arg in ast.walk(node.args) if isinstance(arg, ast.arg)}
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.Global | ast.Nonlocal) and node.name in part.names:
            return False
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            own.add(part.id)
        if not isinstance(part, _SCOPES):
            waiting += ast.iter_child_nodes(part)
    return node.name in own


def _called(index: FileIndex, node: ast.FunctionDef) -> list[str]:
    calls = (part.func for part in walk(node) if isinstance(part, ast.Call))
    return [func.id for func in calls if isinstance(func, ast.Name) and func.id in index.functions]
