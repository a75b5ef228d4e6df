"""Classes that a file keeps or passes on as values: `setattr(Net, name, other)`, `[Net, Other]`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import dotted_text, last_name, walk

if TYPE_CHECKING:
    from qprep.analysis.symbols.symbol_table import FileIndex

# Functions that do nothing with a class that they are given.
HARMLESS = frozenset(("isinstance", "issubclass", "print", "str", "repr", "super", "len", "id", "hash"))


def handed_names(index: FileIndex) -> Iterator[str]:
    """The names of possible classes in other uses than calls, bases and tests."""
    plain = set(_plain_uses(index))
    found: list[ast.Name | ast.Attribute] = [*index.of(ast.Name), *index.of(ast.Attribute)]
    for node in found:
        last = last_name(node)
        is_class = last in index.classes or last[:1].isupper()
        if is_class and node not in plain and isinstance(node.ctx, ast.Load):
            yield dotted_text(node)
    yield from (name for name, entry in index.classes.items() if entry.node.decorator_list)


def _plain_uses(index: FileIndex) -> Iterator[ast.AST]:
    """Expressions whose class goes nowhere: what is called, bases, annotations, what `isinstance` is given."""
    for call in index.of(ast.Call):
        yield call.func
        if last_name(call.func) in HARMLESS:
            yield from (part for value in call.args for part in walk(value))
    for attribute in index.of(ast.Attribute):
        yield attribute.value
    for cls in index.of(ast.ClassDef):
        yield from cls.bases
    notes = [*(a.annotation for a in index.of(ast.arg)), *(f.returns for f in index.of(ast.FunctionDef))]
    notes += [node.annotation for node in index.of(ast.AnnAssign)]
    yield from (part for note in notes if note is not None for part in walk(note))
