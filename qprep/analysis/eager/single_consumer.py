"""Pairs of modules of a class: the output of the first goes to the second, and nowhere else."""

from __future__ import annotations

import ast
import itertools
from typing import TYPE_CHECKING

from qprep.analysis.eager.fusion import walk_own
from qprep.analysis.symbols.ast_utils import is_attribute_of, positional_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.interpreter.protocol import Analysis
    from qprep.analysis.values.abstract_values import ClassRef


def followers(analysis: Analysis, cls: ClassRef) -> dict[str, str]:
    """For modules called once in the class's methods: the module that alone takes the output."""
    return {first: second for first, (second, _) in chained_calls(analysis, cls).items()}


def chained_calls(analysis: Analysis, cls: ClassRef) -> dict[str, tuple[str, ast.Call]]:
    """`self.b(self.a(x))`, or `x = self.a(x)` with `x = self.b(x)` right behind: a → (b, the call of b)."""
    entry = analysis.project.class_node(cls)
    found: dict[str, tuple[str, ast.Call]] = {}
    uses: dict[str, int] = {}
    for method in entry.methods.values() if entry is not None else ():
        if method.name == "__init__" or not positional_parameters(method):
            continue
        owner = positional_parameters(method)[0].arg
        for part in walk_own(method.body):
            if is_attribute_of(part, owner):
                uses[part.attr] = uses.get(part.attr, 0) + 1
        for first, second, call in _pairs(method, owner):
            found[first] = (second, call)
    # A module that is mentioned once is called once; anything else might hand it on elsewhere.
    return {first: pair for first, pair in found.items() if uses.get(first) == 1 and uses.get(pair[0]) == 1}


def _pairs(method: ast.FunctionDef, owner: str) -> Iterator[tuple[str, str, ast.Call]]:
    for part in (*walk_own(method.body),):
        if isinstance(part, ast.Call):
            outer, inner = _called(part, owner), _called(part.args[0], owner) if part.args else None
            if outer is not None and inner is not None:
                yield inner, outer, part
    for body in statement_lists(method):
        for first, second in itertools.pairwise(body):
            pair = _handed_on(first, second, owner)
            if pair is not None:
                yield pair


def statement_lists(method: ast.FunctionDef) -> Iterator[list[ast.stmt]]:
    """The blocks of a method: statements that run one behind the other."""
    for node in (method, *walk_own(method.body)):
        if isinstance(node, ast.FunctionDef) and node is not method:
            continue
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                yield body


def _handed_on(first: ast.stmt, second: ast.stmt, owner: str) -> tuple[str, str, ast.Call] | None:
    """`v = self.a(…)`, then `v = self.b(v)`, with maybe more around it."""
    if not isinstance(first, ast.Assign) or len(first.targets) != 1 or not isinstance(first.targets[0], ast.Name):
        return None
    name, made = first.targets[0].id, _called(first.value, owner)
    if made is None or not isinstance(second, ast.Assign | ast.Return) or second.value is None:
        return None
    rebound = isinstance(second, ast.Return) or any(isinstance(t, ast.Name) and t.id == name for t in second.targets)
    reads = [part for part in ast.walk(second.value) if isinstance(part, ast.Name) and part.id == name]
    if not rebound or len(reads) != 1:
        return None
    for part in ast.walk(second.value):
        if isinstance(part, ast.Call) and part.args and part.args[0] is reads[0]:
            taker = _called(part, owner)
            return (made, taker, part) if taker is not None else None
    return None


def _called(node: ast.expr, owner: str) -> str | None:
    """Of `self.a(x)`, "a"."""
    if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords:
        return None
    func = node.func
    return func.attr if is_attribute_of(func, owner) else None
