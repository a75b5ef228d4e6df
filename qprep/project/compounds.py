"""Compound modules of torch.nn: where they are constructed, and which classes inherit from one."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.project.facts import Compound, Place, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.project.analysis import Analysis
    from qprep.project.index import FileIndex


def find_compounds(analysis: Analysis, names: Iterable[str]) -> None:
    """Add every construction of a compound module, and every base class that is one, to the facts."""
    words = [module.name for module in analysis.catalogue.nn_modules if module.is_compound]
    for name in names:
        text = analysis.project.text(name)
        index = analysis.project.index(name) if text is not None and any(word in text for word in words) else None
        if index is None:
            continue
        for node in ast.walk(index.tree):
            for value in _classes_used(node):
                _note(analysis, index, value)


_TYPE_TESTS = frozenset(("isinstance", "issubclass", "type", "hasattr"))


def _classes_used(node: ast.AST) -> list[ast.expr]:
    """Expressions that name a class to make instances of it, now or later: not those of a type test or annotation."""
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in _TYPE_TESTS:
            return []
        return [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
    if isinstance(node, ast.ClassDef):
        return list(node.bases)
    if isinstance(node, ast.Dict):
        return list(node.values)
    if isinstance(node, ast.Assign | ast.Return) and node.value is not None:
        return [node.value]
    if isinstance(node, ast.arguments):
        return [*node.defaults, *(default for default in node.kw_defaults if default is not None)]
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    return []


def _note(analysis: Analysis, index: FileIndex, node: ast.expr) -> None:
    short = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    if not short[:1].isupper():
        return
    dotted = analysis.project.expression_name(index, node)
    if dotted is None or not dotted.startswith("torch.nn."):
        return
    known = analysis.catalogue.nn_module(dotted.removeprefix("torch.nn."))
    if known is not None and known.is_compound:
        place = Place(index.name, node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
        analysis.facts.compounds.setdefault(place, Compound(place, dotted, Unit(index.name, "", True)))
