"""The use that a handler of torch's functions makes of the arguments of every call.

A module passes arguments in another way than the function that it replaces: by name, or those left out before.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import last_name, walk

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARTS = (
    ast.BoolOp, ast.Call, ast.Dict, ast.DictComp, ast.GeneratorExp, ast.IfExp, ast.List, ast.ListComp, ast.Starred,
    ast.Tuple, ast.comprehension, ast.keyword,
)  # fmt: skip


def reads_arguments(handler: ast.FunctionDef) -> bool:
    """True if a handler may see how many arguments a call has, or which are passed by name.

    It does not if it gives them on to the function or to another handler, as they are or each replaced, or reads the
    first alone. What it does behind a test of the function is left out.
    """
    parameters = [argument.arg for argument in (*handler.args.posonlyargs, *handler.args.args)]
    if handler.name != "__torch_function__" or len(parameters) < 5:
        return False
    function, arguments = parameters[1], set(parameters[3:5])
    parents = {child: node for node in ast.walk(handler) for child in ast.iter_child_nodes(node)}
    reads = [n for n in walk(handler) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    while True:
        ends = [_end(read, function, parents) for read in reads if read.id in arguments]
        copies = {name for end in ends for name in _assigned(end)}
        if copies <= arguments:
            break
        arguments |= copies
    return any(
        not (_is_passed_on(end, function) or _assigned(end) or _is_harmless(end) or _is_tested(end, function, parents))
        for end in ends
    )


def _end(read: ast.AST, function: str, parents: Mapping[ast.AST, ast.AST]) -> ast.AST:
    """The outermost expression, or the assignment, that a read of arguments is a part of."""
    current = read
    while (parent := parents.get(current)) is not None:
        if _is_passed_on(parent, function) or _is_harmless(parent) or isinstance(parent, ast.Assign):
            return parent
        if not isinstance(parent, _PARTS):
            return current
        current = parent
    return current


def _assigned(node: ast.AST) -> list[str]:
    """The variables that an assignment gives a value; none if it sets anything else."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return names if len(names) == len(targets) else []


def _is_passed_on(node: ast.AST, function: str) -> bool:
    """True for a call of the function, or of the handler above."""
    if not isinstance(node, ast.Call):
        return False
    is_function = isinstance(node.func, ast.Name) and node.func.id == function
    return is_function or last_name(node.func) == "__torch_function__"


def _is_harmless(node: ast.AST) -> bool:
    """True for the first argument, and for a test that compares with None."""
    match node:
        case ast.Subscript(slice=ast.Constant(value=0)):
            return True
        case ast.Compare(comparators=[ast.Constant(value=None)]):
            return True
    return False


def _is_tested(node: ast.AST, function: str, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """True if a test of the function decides whether a node runs."""
    current = node
    while (parent := parents.get(current)) is not None:
        if isinstance(parent, ast.If | ast.IfExp) and current is not parent.test and _names(parent.test, function):
            return True
        if any(_ends_for(statement, function) for statement in _before(current, parent)):
            return True
        current = parent
    return False


def _before(statement: ast.AST, parent: ast.AST) -> list[ast.stmt]:
    """The statements in front of one in the same block."""
    blocks = [getattr(parent, name, None) for name in ("body", "orelse")]
    block = next((each for each in blocks if isinstance(each, list) and statement in each), [])
    return block[: block.index(statement)] if block else []


def _ends_for(statement: ast.stmt, function: str) -> bool:
    """True for `if func is not torch.add: return func(*args)`."""
    is_test = isinstance(statement, ast.If) and _names(statement.test, function)
    return is_test and isinstance(statement, ast.If) and isinstance(statement.body[-1], ast.Return)


def _names(test: ast.expr, function: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == function for part in ast.walk(test))
