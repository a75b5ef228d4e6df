"""Loops whose length is known at construction: their operations get all instances there."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.facts import MANY
from qprep.analysis.symbols.ast_utils import is_attribute_of, positional_parameters
from qprep.analysis.values.abstract_values import ClassRef, External, Module, Number
from qprep.rewriting.owners import made_early

if TYPE_CHECKING:
    from qprep.analysis.interpreter.attribute_table import Attribute, Creation
    from qprep.analysis.places import Unit
    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.source_code import Code

_SIZED = frozenset(("torch.nn.ModuleList", "torch.nn.Sequential"))
_SAME_LENGTH = frozenset(("enumerate", "reversed", "zip"))


def known_length(context: RewriteContext, code: Code, unit: Unit, node: ast.AST, owner: str) -> str | None:
    """`len(<owner>.layers)` where a node runs once in each round of one loop over `self.layers`; None if unknown."""
    function = code.function(node)
    loop = _only_loop(code, node)
    if function is None or loop is None or not unit.is_class:
        return None
    name = f"{unit.name}.{function.name}"
    if context.facts.entered.get((unit, name), 0) >= MANY or made_early(context, code, unit, function.name):
        return None
    return _length(context, unit, _plain(loop.iter), positional_parameters(function)[0].arg, owner)


def _only_loop(code: Code, node: ast.AST) -> ast.For | None:
    """The loop whose body holds a node, if it is the only one, and the node runs once in each round."""
    found: ast.For | None = None
    while not isinstance(node, ast.FunctionDef | ast.Lambda | ast.Module):
        parent = code.parents[node]
        if isinstance(
            parent, ast.While | ast.comprehension | ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp
        ):
            return None
        if isinstance(parent, ast.For) and node is not parent.iter:
            if found is not None or node in parent.orelse:
                return None
            found = parent
        node = parent
    return found if isinstance(node, ast.FunctionDef) and code.function(node) is node else None


def _plain(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SAME_LENGTH and node.args:
        node = node.args[0]
    return node


def _length(context: RewriteContext, unit: Unit, node: ast.expr, owner: str, written: str) -> str | None:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        bound = node.args[0] if len(node.args) == 1 and not node.keywords else None
        if isinstance(bound, ast.Constant) and isinstance(bound.value, int):
            return str(bound.value)
        entry = _made_in_init(context, unit, bound, owner)
        is_number = entry is not None and isinstance(entry.kind, Number)
        return f"{written}.{bound.attr}" if is_number and isinstance(bound, ast.Attribute) else None
    entry = _made_in_init(context, unit, node, owner)
    if entry is None or not isinstance(node, ast.Attribute) or not isinstance(entry.kind, Module):
        return None
    cls = entry.kind.cls
    return f"len({written}.{node.attr})" if isinstance(cls, External) and cls.name in _SIZED else None


def _made_in_init(context: RewriteContext, unit: Unit, node: ast.expr | None, owner: str) -> Attribute | None:
    """The attribute that `self.name` means, where the class's own __init__ always makes it."""
    if not is_attribute_of(node, owner):
        return None
    entry = context.analysis.attributes_of(ClassRef(unit.module, unit.name)).names.get(node.attr)
    if entry is None or not any(is_certain(context, unit, creation) for creation in entry.creations.values()):
        return None
    return entry


def is_certain(context: RewriteContext, unit: Unit, creation: Creation) -> bool:
    """True if an assignment stands on the top level of the class's own __init__."""
    code = context.code(creation.place.module)
    node = code.node(creation.place) if code is not None else None
    if code is None or node is None or creation.unit != unit or creation.function != f"{unit.name}.__init__":
        return False
    return isinstance(code.parents[code.statement(node)], ast.FunctionDef)
