"""Models that functions outside classes and the lines of a file put together: one instance in two of their places."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.aliasing import FILE
from qprep.analysis.interpreter.environment import Frame
from qprep.analysis.places import Unit
from qprep.analysis.values.abstract_values import FunctionRef
from qprep.analysis.values.closure_values import NameScope

if TYPE_CHECKING:
    from qprep.analysis.interpreter.protocol import Analysis

_CONTAINERS = frozenset(("Sequential", "ModuleList", "ModuleDict"))


def has_some(analysis: Analysis, name: str) -> bool:
    """True if something outside classes puts containers of modules together in a file."""
    text = analysis.project.text(name)
    index = analysis.project.index(name) if text and any(f"{part}(" in text for part in _CONTAINERS) else None
    return index is not None and any(map(_puts_together, (*index.functions.values(), *index.values.values())))


def look_at(analysis: Analysis, name: str) -> None:
    """Evaluate what puts containers of modules together in a file, and is not a class."""
    index = analysis.project.index(name)
    if index is None:
        return
    try:
        for function, node in list(index.functions.items()):
            if _puts_together(node):
                analysis.look_through(FunctionRef(name, function))
        for value in list(index.values.values()):
            if _puts_together(value):
                analysis.evaluate(Frame(index, Unit(name, "", False), FILE, None, None, NameScope({}), False), value)
    except RecursionError:
        analysis.too_deep.add(name)


def _puts_together(node: ast.AST) -> bool:
    calls = (part.func for part in ast.walk(node) if isinstance(part, ast.Call))
    return any((getattr(func, "attr", None) or getattr(func, "id", None)) in _CONTAINERS for func in calls)
