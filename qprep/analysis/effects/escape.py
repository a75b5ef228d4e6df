"""True if a constructor keeps what it is given: a module that it only reads is not shared."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.interpreter import attributes
from qprep.analysis.symbols.parameter_names import LOOKING
from qprep.analysis.values.abstract_values import ClassRef, FunctionRef, Module
from qprep.analysis.values.access_paths import SELF

if TYPE_CHECKING:
    from qprep.analysis.interpreter.protocol import Analysis

_INSIDE = (ast.IfExp, ast.BoolOp, ast.Tuple, ast.List, ast.Starred, ast.keyword, ast.NamedExpr)


def keeps(analysis: Analysis, cls: ClassRef, argument: int | str) -> bool:
    """True if an instance of `cls` may keep the argument at a position, or of a name, of its constructor."""
    found = attributes.class_attribute(analysis, cls, Module(cls, SELF), "__init__")
    node = analysis.project.function_node(found) if isinstance(found, FunctionRef) else None
    if node is None:
        return True
    positional = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args)][1:]
    if isinstance(argument, int):
        if argument >= len(positional):
            return True
        argument = positional[argument]
    if argument not in (*positional, *(arg.arg for arg in node.args.kwonlyargs)):
        return True
    return _is_kept(node, argument)


def _is_kept(function: ast.FunctionDef, name: str) -> bool:
    """True if a function assigns a name's value, or hands it on."""
    parents = {child: node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}
    for part in ast.walk(function):
        if not (isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Load)):
            continue
        node: ast.AST = part
        outer = parents[node]
        while isinstance(outer, _INSIDE) or (isinstance(outer, ast.Subscript) and node is outer.value):
            node, outer = outer, parents[outer]
        if isinstance(outer, ast.Assign | ast.AnnAssign | ast.Dict | ast.For | ast.comprehension | ast.Return):
            return True
        if isinstance(outer, ast.Call) and node is not outer.func:
            short = outer.func.id if isinstance(outer.func, ast.Name) else ""
            if short not in LOOKING:
                return True
    return False
