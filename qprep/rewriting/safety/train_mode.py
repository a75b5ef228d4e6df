"""True if a new child is always in the mode, training or not, that its owner is in."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import is_attribute_of, positional_parameters

if TYPE_CHECKING:
    from qprep.analysis.places import Unit
    from qprep.rewriting.fix_session import RewriteContext

_MODES = frozenset(("train", "eval"))
_OWN = _MODES | {"training", "__getattribute__", "__setattr__"}
"""Members by which a class may keep a mode of its own."""


def parts_from_children(context: RewriteContext, unit: Unit) -> bool:
    """True if the mode of an instance may be set without that of its children, or before a child is there.

    Examples are a `train` or a `__setattr__` in the class, a constructor that sets the mode, code that sets `training`.
    """
    family = context.family(unit)
    if any(context.effects.children.on_flag(family)):
        return True
    entries = [entry for member in family if (entry := context.project.class_node(member)) is not None]
    if any(not _OWN.isdisjoint({*entry.methods, *entry.values}) for entry in entries):
        return True
    constructors = (entry.methods["__init__"] for entry in entries if "__init__" in entry.methods)
    return any(_sets_mode(node, init) for init in constructors for node in ast.walk(init))


def _sets_mode(node: ast.AST, init: ast.FunctionDef) -> bool:
    """`self.eval()`, `self.train(False)`"""
    func = node.func if isinstance(node, ast.Call) else None
    owner = positional_parameters(init)[0].arg if positional_parameters(init) else ""
    return is_attribute_of(func, owner) and func.attr in _MODES
