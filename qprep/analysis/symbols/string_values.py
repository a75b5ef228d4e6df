"""Strings that an expression may be, from the source around it: constants, tests, tables, annotations."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qprep.analysis.symbols.symbol_table import FileIndex

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_CASES = frozenset(("upper", "lower", "title", "capitalize", "strip"))


class Texts:
    """The texts that expressions of one file can be."""

    def __init__(self, index: FileIndex) -> None:
        self._index = index

    @cached_property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self._index.tree) for child in ast.iter_child_nodes(node)}

    def of(self, node: ast.expr) -> frozenset[str] | None:
        """All texts that `node` can be where it stands; None if they are not known."""
        if (found := _constants(node)) is not None or (found := self._tested(node)) is not None:
            return found
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._joined((node.left, node.right))
        if isinstance(node, ast.JoinedStr):
            return self._formatted(node)
        if isinstance(node, ast.IfExp):
            return _union((self.of(node.body), self.of(node.orelse)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CASES:
            inner = self.of(node.func.value) if not node.args and not node.keywords else None
            return frozenset(getattr(text, node.func.attr)() for text in inner) if inner is not None else None
        if isinstance(node, ast.Subscript):
            return self._looked_up(node)
        return self._bound(node) if isinstance(node, ast.Name) else None

    def _global(self, name: str) -> ast.expr | None:
        """The one value that the top level gives a name."""
        return self._index.values.get(name) if name not in self._index.alternatives else None

    def _joined(self, parts: Iterable[ast.expr]) -> frozenset[str] | None:
        texts = frozenset(("",))
        for part in parts:
            found = self.of(part)
            if found is None:
                return None
            texts = frozenset(a + b for a in texts for b in found)
        return texts

    def _formatted(self, node: ast.JoinedStr) -> frozenset[str] | None:
        fields = [part for part in node.values if isinstance(part, ast.FormattedValue)]
        if any(part.conversion != -1 or part.format_spec is not None for part in fields):
            return None
        return self._joined(part.value if isinstance(part, ast.FormattedValue) else part for part in node.values)

    def _looked_up(self, node: ast.Subscript) -> frozenset[str] | None:
        """`{"lstm": "LSTM", "gru": "GRU"}[kind]`, the table written there or at the top of the file."""
        table: ast.expr | None = node.value
        if isinstance(table, ast.Name):
            function = self._function(node)
            is_local = function is not None and bool(_bindings(function, table.id))
            table = None if is_local else self._global(table.id)
        return _union(map(_constants, table.values)) if isinstance(table, ast.Dict) else None

    def _tested(self, node: ast.expr) -> frozenset[str] | None:
        """The values that tests on the way to a place leave for a name or attribute that nothing binds in between."""
        if not isinstance(node, ast.Name | ast.Attribute):
            return None
        subject, function = ast.unparse(node), self._function(node)
        bound = [_line(part) for part in ast.walk(function) if _binds(part, subject)] if function is not None else []
        return next((found for line, found in self._tests(node, subject) if all(at <= line for at in bound)), None)

    def _tests(self, node: ast.AST, subject: str) -> Iterator[tuple[int, frozenset[str]]]:
        """The nearest tests first, each with its line: those around the place, and those that end the path before."""
        while node in self._parents and not isinstance(node, _Function | ast.Lambda | ast.ClassDef):
            outer = self._parents[node]
            if isinstance(outer, ast.If | ast.IfExp) and node is not outer.test:
                body = outer.body if isinstance(outer.body, list) else [outer.body]
                if found := self._allowed(outer.test, subject, node in body):
                    yield outer.test.lineno, found
            for block in (getattr(outer, name, None) for name in ("body", "orelse", "finalbody")):
                if isinstance(block, list) and node in block:
                    for earlier in reversed(block[: block.index(node)]):
                        if found := self._left_by(earlier, subject):
                            yield earlier.lineno, found
            node = outer

    def _left_by(self, statement: ast.stmt, subject: str) -> frozenset[str] | None:
        """`assert kind in (…)`, `if kind not in (…): raise …`."""
        if isinstance(statement, ast.Assert):
            return self._allowed(statement.test, subject, True)
        if isinstance(statement, ast.If) and isinstance(statement.body[-1], ast.Raise | ast.Return):
            return self._allowed(statement.test, subject, False)
        return None

    def _allowed(self, test: ast.expr, subject: str, taken: bool) -> frozenset[str] | None:
        """The values of `subject` if `test` is true (or, with `taken` false, if it is not)."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self._allowed(test.operand, subject, not taken)
        if isinstance(test, ast.BoolOp):
            parts = [self._allowed(value, subject, taken) for value in test.values]
            if isinstance(test.op, ast.And) == taken:  # all of them hold
                return next((part for part in parts if part is not None), None)
            return _union(parts)
        if not isinstance(test, ast.Compare) or len(test.ops) != 1 or ast.unparse(test.left) != subject:
            return None
        other = test.comparators[0]
        if isinstance(other, ast.Name):
            other = self._global(other.id) or other
        equal = isinstance(other, ast.Constant)
        wanted = (ast.Eq if equal else ast.In) if taken else (ast.NotEq if equal else ast.NotIn)
        return _constants(other) if isinstance(test.ops[0], wanted) else None

    def _bound(self, node: ast.Name) -> frozenset[str] | None:
        """The values from the one assignment, loop or annotation that binds a name."""
        function = self._function(node)
        bindings = _bindings(function, node.id) if function is not None else []
        if not bindings:
            return _constants(self._global(node.id))
        if len(bindings) != 1:
            return None
        binding = bindings[0]
        if isinstance(binding, ast.arg):
            return _literal(binding.annotation)
        if isinstance(binding, ast.For | ast.comprehension):
            return _constants(binding.iter) if isinstance(binding.target, ast.Name) else None
        if isinstance(binding, ast.Assign) and not isinstance(binding.targets[0], ast.Name):
            return None
        value = binding.value if isinstance(binding, ast.Assign | ast.AnnAssign | ast.NamedExpr) else None
        return self.of(value) if value is not None and not _mentions(value, node.id) else None

    def _function(self, node: ast.AST) -> _Function | None:
        """The function around a node."""
        while node in self._parents:
            node = self._parents[node]
            if isinstance(node, _Function):
                return node
        return None


def _union(parts: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    """All texts of all parts, where every part is known."""
    texts: frozenset[str] = frozenset()
    for part in parts:
        if part is None:
            return None
        texts |= part
    return texts or None


def _constants(node: ast.expr | None) -> frozenset[str] | None:
    """A text, or a display of texts."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return frozenset((node.value,))
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return _union(_constants(part) if isinstance(part, ast.Constant) else None for part in node.elts)
    return None


def _literal(annotation: ast.expr | None) -> frozenset[str] | None:
    """The texts of `Literal["LSTM", "GRU"]`."""
    if not isinstance(annotation, ast.Subscript):
        return None
    name = annotation.value
    short = name.attr if isinstance(name, ast.Attribute) else name.id if isinstance(name, ast.Name) else ""
    return _constants(annotation.slice) if short == "Literal" else None


def _bindings(function: _Function, name: str) -> list[ast.AST]:
    """The parameters, statements and loops of a function that bind a name."""
    return [p for p in ast.walk(function) if (isinstance(p, ast.arg) and p.arg == name) or _binds(p, name)]


def _binds(node: ast.AST, subject: str) -> bool:
    """True if a node gives `subject` a value."""
    targets: list[ast.expr | None] = []
    if isinstance(node, ast.Assign | ast.Delete):
        targets = [*node.targets]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For | ast.NamedExpr | ast.comprehension):
        targets = [node.target]
    elif isinstance(node, ast.withitem):
        targets = [node.optional_vars]
    return any(_mentions(target, subject) for target in targets if target is not None)


def _line(node: ast.AST) -> int:
    part = node.target if isinstance(node, ast.comprehension) else node
    part = part.context_expr if isinstance(part, ast.withitem) else part
    return getattr(part, "lineno", 0)


def _mentions(node: ast.expr, subject: str) -> bool:
    return any(isinstance(part, ast.Name | ast.Attribute) and ast.unparse(part) == subject for part in ast.walk(node))
