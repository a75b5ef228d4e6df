"""Names that mean something else where a rewrite would write them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import walk
from qprep.analysis.symbols.local_classes import bound_names as bound_outside
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting import generated_init
from qprep.rewriting.rewrite_result import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.rewrite_result import Declaration


def bound_names(function: ast.FunctionDef) -> frozenset[str]:
    """Names that a function binds, and those inside it do."""
    found: set[str] = set()
    for node in walk(function):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node is not function:
            found.add(node.name)
    return frozenset(found)


def hidden(context: RewriteContext, declarations: Iterable[Declaration]) -> Rejection | None:
    """The reason why a constructor cannot make a new attribute: it binds a name of its value differently."""
    for declaration in declarations:
        if declaration.unit.is_class and declaration.unit.name:
            bound = _bound_where_made(context, declaration)
            tree = ast.parse(declaration.expression.replace(OWNER, "self"), mode="eval")
            used = {node.id for node in walk(tree) if isinstance(node, ast.Name)} - {"self"}
            if used & bound:
                return Rejection(
                    f"`{min(used & bound)}` has another meaning in the constructor of `{declaration.unit.name}`",
                    RejectionCode.NAME,
                )
    return None


def _bound_where_made(context: RewriteContext, declaration: Declaration) -> frozenset[str]:
    unit, after = declaration.unit, declaration.after
    code = context.code(after.module if after is not None else unit.module)
    if code is None:
        return frozenset()
    if after is not None:
        node = code.node(after)
        function = code.function(node) if node is not None else None
    else:
        entry = code.index.classes.get(unit.name)
        function = entry.methods.get("__init__") if entry is not None else None
    entry = code.index.classes.get(unit.name)
    around = frozenset(name for outer in (entry.around if entry is not None else ()) for name in bound_outside(outer))
    return around | (bound_names(function) if function is not None else generated_init.new_names(context, unit))
