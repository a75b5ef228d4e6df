"""Constructors that go through the modules of self: a second instance made before would be met as well."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import is_attribute_of, positional_parameters
from qprep.analysis.values.abstract_values import ClassRef
from qprep.rewriting.safety.constructor_calls import run_by_init

if TYPE_CHECKING:
    from qprep.analysis.places import Unit
    from qprep.rewriting.fix_session import RewriteContext

_WALKS = frozenset(("modules", "named_modules", "children", "named_children", "apply"))
_COUNTS = frozenset(("len", "list", "tuple", "enumerate", "zip", "sum", "next", "sorted", "reversed"))


def walked_at_construction(context: RewriteContext, unit: Unit, *, counted: bool) -> ClassRef | None:
    """The class whose constructor goes through the modules of self, or counts them, once `unit` made its own."""
    at_construction = run_by_init(context, unit)
    ref = ClassRef(unit.module, unit.name)
    for member in (ref, *sorted(context.project.subclasses(ref), key=repr)):
        entry = context.project.class_node(member)
        for name, method in entry.methods.items() if entry is not None else ():
            if name in at_construction and positional_parameters(method) and _walks(method, counted=counted):
                return member
    return None


def _walks(method: ast.FunctionDef, *, counted: bool) -> bool:
    owner = positional_parameters(method)[0].arg
    calls = [node for node in ast.walk(method) if isinstance(node, ast.Call)]
    walks = {node for node in calls if _is_walk(node, owner)}
    if not counted:
        return bool(walks)
    counting = (node for node in calls if getattr(node.func, "id", None) in _COUNTS)
    return any(arg in walks for node in counting for arg in node.args)


def _is_walk(node: ast.Call, owner: str) -> bool:
    func = node.func
    return is_attribute_of(func, owner) and func.attr in _WALKS
