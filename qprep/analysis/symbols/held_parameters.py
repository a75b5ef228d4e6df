"""The variables of a definition that may hold one of its parameters."""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qprep.analysis.symbols.definition_spans import TopLevelSpans
    from qprep.analysis.symbols.symbol_table import FileIndex


class HeldParameters:
    """The variables of each definition that may hold one of its parameters."""

    def __init__(self, index: FileIndex, spans: TopLevelSpans) -> None:
        self._names: dict[str, set[str]] = defaultdict(set)
        self._bound: dict[str, list[tuple[ast.expr, list[str]]]] = defaultdict(list)
        parameters: list[tuple[ast.arg | ast.stmt, str]] = [(node, node.arg) for node in index.of(ast.arg)]
        inner: list[ast.FunctionDef | ast.ClassDef] = [*index.of(ast.FunctionDef), *index.of(ast.ClassDef)]
        for defined, name in [*parameters, *((node, node.name) for node in inner)]:  # inner definitions hold them
            if (user := spans.of(defined)) is not None:
                self._names[user].add(name)
        others: list[ast.expr | ast.stmt] = [*index.of(ast.For), *index.of(ast.With), *index.of(ast.NamedExpr)]
        for node in [*assignments(index), *others]:
            if (user := spans.of(node)) is not None:
                self._bound[user] += _bound(node)
        self._is_done: set[str] = set()

    def may_be_in(self, user: str, value: ast.expr) -> bool:
        """True if the value of an expression in a definition may hold one of its parameters."""
        names = self._names[user]
        if user not in self._is_done:
            self._is_done.add(user)
            waiting = self._bound[user]
            while more := [each for each in waiting if _holds(each[0], names)]:
                names.update(name for _, bound in more for name in bound)
                waiting = [each for each in waiting if each not in more]
        return _holds(value, names)


def _bound(node: ast.AST) -> list[tuple[ast.expr, list[str]]]:
    """The expressions whose values a node binds, with the names."""
    match node:
        case ast.Assign(targets=targets, value=value):
            return [(value, [name for target in targets for name in _target_names(target)])]
        case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.AugAssign(target=target, value=value):
            return [(value, _target_names(target))]
        case ast.For(target=target, iter=value) | ast.NamedExpr(target=target, value=value):
            return [(value, _target_names(target))]
        case ast.With(items=items):
            return [(item.context_expr, _target_names(item.optional_vars)) for item in items if item.optional_vars]
        case _:
            return []


def _target_names(target: ast.expr) -> list[str]:
    """The names that a target binds; that of the variable whose item or attribute it sets."""
    match target:
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return [name for part in parts for name in _target_names(part)]
        case ast.Starred(value=value):
            return _target_names(value)
        case _:
            name = root_name(target)
            return [name] if name else []


def _holds(node: ast.AST, names: set[str]) -> bool:
    """True if the value of an expression may hold one of some variables, and not only a name or text of it."""
    if isinstance(node, ast.Constant) or (isinstance(node, ast.Attribute) and node.attr.startswith("__")):
        return False
    if isinstance(node, ast.Name):
        return node.id in names
    return any(_holds(part, names) for part in ast.iter_child_nodes(node))


def assignments(index: FileIndex) -> list[ast.stmt]:
    """The assignments anywhere in a file."""
    return [*index.of(ast.Assign), *index.of(ast.AugAssign), *index.of(ast.AnnAssign)]


def root_name(node: ast.expr) -> str:
    """The variable that an expression reads from, "a" of `a.b[c](d)`; an empty text where there is none."""
    root = root_of(node)
    return root.id if isinstance(root, ast.Name) else ""


def root_of(node: ast.expr) -> ast.expr:
    """`a` of `a.b[c](d).e`."""
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node
