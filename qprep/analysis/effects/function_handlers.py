"""`__torch_function__` and its like: the functions of torch that a handler tests for, and its use of arguments."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qprep.analysis.effects.argument_reads import reads_arguments
from qprep.analysis.symbols.ast_utils import last_name, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDLERS = frozenset(("__torch_dispatch__", "__torch_function__"))


@dataclass(frozen=True, slots=True)
class Asked:
    """The functions that a handler compares with the one that is called: the last parts of their names.

    reads  (name, position) of the arguments that it reads, each by its name or else at its position; None where it may
           read them in another way, so that it sees how they are passed
    of_all the handler sees how the arguments of every function are passed
    """

    names: frozenset[str]
    reads: frozenset[tuple[str, int]] | None = None
    of_all: bool = False


def asked(handler: ast.FunctionDef) -> Asked | None:
    """The functions that a handler tests for; None where that is unknown."""
    parameters = [argument.arg for argument in (*handler.args.posonlyargs, *handler.args.args)]
    if len(parameters) < 5:
        return Asked(frozenset()) if len(parameters) < 2 else None
    function, arguments, keywords = parameters[1], parameters[3], parameters[4]
    parents = {child: node for node in ast.walk(handler) for child in ast.iter_child_nodes(node)}
    names: set[str] = set()
    for node in walk(handler):
        if isinstance(node, ast.Name) and node.id == function:
            found = _compared(node, parents.get(node))
            if found is None:
                return None
            names |= found
    reads = _reads(handler, parents, function, arguments, keywords)
    return Asked(frozenset(names), reads, reads_arguments(handler))


def _compared(node: ast.Name, parent: ast.AST | None) -> frozenset[str] | None:
    """The functions that a use of the function's name compares it with; None where it does more than call it."""
    match parent:
        case ast.Call() if parent.func is node or last_name(parent.func) in HANDLERS:
            return frozenset()
        case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot() | ast.Eq() | ast.NotEq()], comparators=[other]):
            others = [other] if left is node else []
        case ast.Compare(
            left=left, ops=[ast.In() | ast.NotIn()], comparators=[ast.Tuple() | ast.List() | ast.Set() as s]
        ):
            others = s.elts if left is node else []
        case _:
            return None
    known = all(isinstance(each, ast.Attribute | ast.Name) for each in others)
    return frozenset(map(last_name, others)) if others and known else None


def _reads(
    handler: ast.FunctionDef, parents: dict[ast.AST, ast.AST], function: str, arguments: str, keywords: str
) -> frozenset[tuple[str, int]] | None:
    """The arguments that a handler reads, where each is `kwargs.get("x")` and, if that is None, `args[0]`."""
    by_name, by_position = dict(_gotten(handler, keywords)), dict(_filled_in(handler, arguments))
    if by_name.keys() != by_position.keys():
        return None
    names = [node for node in walk(handler) if isinstance(node, ast.Name) and node.id in (arguments, keywords)]
    reads = [
        node
        for node in names
        if isinstance(node.ctx, ast.Load)
        and not (_is_passed_on(node, parents, function) or _is_none_test(parents.get(node)))
    ]
    is_all = len(reads) == len(by_name) + len(by_position)
    return frozenset((by_name[name], by_position[name]) for name in by_name) if is_all else None


def _gotten(handler: ast.FunctionDef, keywords: str) -> Iterator[tuple[str, str]]:
    """`query` and "query" in `query = kwargs.get("query", None)`."""
    for target, value in _assigned(handler):
        match value:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=table), attr="get"),
                args=[ast.Constant(value=str(name)), *rest],
            ) if table == keywords and all(isinstance(each, ast.Constant) and each.value is None for each in rest):
                yield target, name


def _filled_in(handler: ast.FunctionDef, arguments: str) -> Iterator[tuple[str, int]]:
    """`query` and 0 in `query = query if query is not None else args[0]`."""
    for target, value in _assigned(handler):
        match value:
            case ast.IfExp(
                test=ast.Compare(
                    left=ast.Name(id=asked_for), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]
                ),
                body=ast.Name(id=kept),
                orelse=ast.Subscript(value=ast.Name(id=table), slice=ast.Constant(value=int(position))),
            ) if target == asked_for == kept and table == arguments:
                yield target, position


def _assigned(handler: ast.FunctionDef) -> Iterator[tuple[str, ast.expr]]:
    """The assignments of a handler to one name, each with its value."""
    for node in walk(handler):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                yield target, value


def _is_passed_on(node: ast.Name, parents: dict[ast.AST, ast.AST], function: str) -> bool:
    """True for `args` and `kwargs` in `func(*args, **kwargs)`."""
    holder = parents.get(node)
    call = parents.get(holder) if isinstance(holder, ast.Starred | ast.keyword) else None
    is_unpacked = isinstance(holder, ast.Starred) or (isinstance(holder, ast.keyword) and holder.arg is None)
    is_function = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == function
    return is_unpacked and is_function


def _is_none_test(parent: ast.AST | None) -> bool:
    """True for `kwargs` in `if kwargs is None` and in `kwargs or {}`."""
    match parent:
        case ast.Compare(ops=[ast.Is() | ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return True
        case ast.BoolOp(op=ast.Or(), values=[_, ast.Dict(keys=[])]):
            return True
    return False
