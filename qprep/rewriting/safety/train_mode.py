"""True if a new child is always in the mode, training or not, that its owner is in."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import is_attribute_of, positional_parameters

if TYPE_CHECKING:
    from qprep.analysis.places import Unit
    from qprep.rewriting.fix_session import RewriteContext

_MODES = frozenset(("train", "eval"))


def parts_from_children(context: RewriteContext, unit: Unit) -> bool:
    """True if the mode of an instance may be set without that of its children, or before a child is there.

    That is so with a `train` in the class, with a constructor that sets the mode, and where code sets `training`.
    """
    family = context.family(unit)
    if any(context.effects.children.on_flag(family)):
        return True
    entries = [entry for member in family if (entry := context.project.class_node(member)) is not None]
    if any(not _MODES.isdisjoint({*entry.methods, *entry.values}) for entry in entries):
        return True
    constructors = (entry.methods["__init__"] for entry in entries if "__init__" in entry.methods)
    return any(_sets_mode(node, init) for init in constructors for node in ast.walk(init))


def _sets_mode(node: ast.AST, init: ast.FunctionDef) -> bool:
    """`self.eval()`, `self.train(False)`"""
    func = node.func if isinstance(node, ast.Call) else None
    owner = positional_parameters(init)[0].arg if positional_parameters(init) else ""
    return is_attribute_of(func, owner) and func.attr in _MODES
