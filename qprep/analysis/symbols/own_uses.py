"""Uses of `self` in the methods of a class, read once for each method."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass, field

from qprep.analysis.symbols.ast_utils import is_attribute_of, positional_parameters

_BY_TEXT = frozenset(("getattr", "vars"))
_ALL_CHILDREN = frozenset(("children", "named_children", "_modules", "__dict__", "get_submodule"))


@dataclass(slots=True)
class OwnUses:
    """The uses of `self` in one method.

    looks_names_up  it may reach a child by no name that is written out: `getattr(self, name)`, `self.children()`
    reads           the places that read `self.name`, by name, each with the node around it
    """

    looks_names_up: bool = False
    reads: dict[str, list[tuple[ast.Attribute, ast.AST]]] = field(default_factory=lambda: defaultdict(list))


def find_own_uses(method: ast.FunctionDef) -> OwnUses:
    """The uses of `self` in a method, which has at least one parameter."""
    owner = positional_parameters(method)[0].arg
    found = OwnUses()
    for parent in ast.walk(method):
        asked: ast.expr | None = None
        if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name):
            asked = parent.args[0] if parent.func.id in _BY_TEXT and parent.args else None
        elif isinstance(parent, ast.Attribute) and parent.attr in _ALL_CHILDREN:
            asked = parent.value
        found.looks_names_up |= isinstance(asked, ast.Name) and asked.id == owner
        for node in ast.iter_child_nodes(parent):
            if is_attribute_of(node, owner) and isinstance(node.ctx, ast.Load):
                found.reads[node.attr].append((node, parent))
    return found
