"""Classes that functions define: what the names around them mean."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.analysis.values.abstract_values import UNKNOWN
from qprep.analysis.values.closure_values import NameScope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qprep.analysis.symbols.symbol_table import ClassNode, FileIndex

LOCALS = "<locals>"  # part of the name of a function that another one defines
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def bound_names(function: ast.FunctionDef) -> frozenset[str]:
    """The names that a function binds, without those of functions and classes inside it."""
    arguments = (node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg))
    return frozenset((*arguments, *_bound_in(function.body)))


def _bound_in(body: Iterable[ast.AST]) -> Iterator[str]:
    stack = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
        if not isinstance(node, _SCOPES):
            stack.extend(ast.iter_child_nodes(node))


def scopes(entry: ClassNode) -> list[NameScope]:
    """The scopes of the functions around a class, nothing known yet of what they bind."""
    found: list[NameScope] = []
    for function in entry.around:
        found.append(NameScope(dict.fromkeys(bound_names(function), UNKNOWN), found[-1] if found else None))
    return found


def base_names(index: FileIndex, entry: ClassNode, dotted: Iterable[str]) -> tuple[str, ...]:
    """The bases of a class as the top level of the file names them: "?" where only a function around it knows one."""
    return tuple(_outside(index, entry, base) for base in dotted) if entry.around else tuple(dotted)


def _outside(index: FileIndex, entry: ClassNode, base: str) -> str:
    first, dot, rest = base.partition(".")
    if not any(first in bound_names(function) for function in entry.around):
        return base
    inner = [name for node, name in index.inner.items() if node.name == first and node is not entry.node]
    family = DefinitionName.parse(entry.name).owner
    found = next((name for name in reversed(inner) if family.startswith(DefinitionName.parse(name).owner)), None)
    return found + dot + rest if found is not None else "?"
