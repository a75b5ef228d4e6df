"""Code that asks whether a module has children at all, and then treats each of them alike."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.module_summary import walked_module

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qprep.analysis.symbols.module_resolver import Project
    from qprep.analysis.symbols.symbol_table import FileIndex

_LISTS = frozenset(("list", "tuple"))


def emptiness_tests(project: Project, index: FileIndex) -> Iterator[ast.AST]:
    """The lists of children in a file, with all parts, that only decide whether to go through them.

    A function that asks this in front of a call of itself, or of a loop over these children, visits a new child as it
    visits the other children: what it does to each is an effect of its own.
    """
    for function in (*index.of(ast.FunctionDef), *index.of(ast.AsyncFunctionDef)):
        if isinstance(function, ast.FunctionDef):
            yield from _descents(function)
            yield from _early_ends(project, index, function)


def _descents(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The parts of tests such as `if len(list(child.children())) > 0: replace(child)` inside `replace` itself."""
    for block in _blocks(function):
        for position, node in enumerate(block):
            if not isinstance(node, ast.If) or node.orelse:
                continue
            if all(_calls(statement, function.name) for statement in node.body):
                if _asks_for_any(node.test):
                    yield from ast.walk(node.test)
                elif (listing := _listed_before(function, block[:position], node.test)) is not None:
                    yield from ast.walk(listing)


def _early_ends(project: Project, index: FileIndex, function: ast.FunctionDef) -> Iterator[ast.AST]:
    """`inside = list(x.children())` in `if not inside: return`, where a loop over the children of `x` follows."""
    body = function.body
    for position, node in enumerate(body):
        match node:
            case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=asked), body=[ast.Return() as end], orelse=[]):
                pass
            case ast.If(test=ast.Compare(left=asked, ops=[ast.Eq()], comparators=[ast.Constant(value=0)]),
                        body=[ast.Return() as end], orelse=[]):  # fmt: skip
                pass
            case _:
                continue
        listing = _listed(asked) or _listed_before(function, body[:position], asked)
        if listing is None or not _is_gone_through(listing, body[position + 1 :]):
            continue
        last = body[-1]
        is_same = not isinstance(last, ast.Return) or _text(last.value) == _text(end.value)
        if is_same or _is_result_unused(project, index, function.name):
            yield from ast.walk(listing)


def _blocks(function: ast.FunctionDef) -> Iterator[Sequence[ast.stmt]]:
    for node in ast.walk(function):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block


def _asks_for_any(test: ast.expr) -> bool:
    """`len(x) > 0`, `len(x) != 0`, `len(x)`: true as soon as there is one."""
    if isinstance(test, ast.Compare):
        bound = test.comparators[0]
        from_one = isinstance(test.ops[0], ast.Gt | ast.NotEq) and isinstance(bound, ast.Constant) and bound.value == 0
        return len(test.ops) == 1 and from_one and _asks_for_any(test.left)
    return isinstance(test, ast.Call) and isinstance(test.func, ast.Name) and test.func.id == "len"


def _listed(node: ast.expr) -> ast.Call | None:
    """`list(x.children())` in itself and in its length."""
    match node:
        case ast.Call(func=ast.Name(id="len"), args=[inner]):
            return _listed(inner)
        case ast.Call(func=ast.Name(id=name), args=[ast.Call() as inner]) if name in _LISTS:
            return node if walked_module(inner) is not None else None
    return None


def _listed_before(function: ast.FunctionDef, before: Sequence[ast.stmt], test: ast.expr) -> ast.Call | None:
    """The list that a name in a test is bound to right in front of it, where nothing else uses the name."""
    match test:
        case ast.Compare(left=left, ops=[ast.Gt() | ast.NotEq()], comparators=[ast.Constant(value=0)]):
            return _listed_before(function, before, left)
        case ast.Call(func=ast.Name(id="len"), args=[inner]):
            return _listed_before(function, before, inner)
    match before[-1:]:
        case [ast.Assign(targets=[ast.Name(id=name)], value=value)] if isinstance(test, ast.Name) and test.id == name:
            uses = [part for part in ast.walk(function) if isinstance(part, ast.Name) and part.id == name]
            return _listed(value) if len(uses) == 2 else None
    return None


def _is_gone_through(listing: ast.Call, rest: list[ast.stmt]) -> bool:
    """True if all that follows is a loop over the children of the module that is listed, and a return."""
    if rest and isinstance(rest[-1], ast.Return):
        rest = rest[:-1]
    match rest:
        case [ast.For(iter=ast.Call(func=ast.Attribute(value=module, attr="children" | "named_children")), orelse=[])]:
            inner = listing.args[0]
            found = walked_module(inner) if isinstance(inner, ast.Call) else None
            return found is not None and ast.unparse(found) == ast.unparse(module)
    return False


def _text(node: ast.expr | None) -> str:
    return ast.unparse(node) if node is not None else "None"


def _is_result_unused(project: Project, index: FileIndex, name: str) -> bool:
    """True if every use of a function's name in the project is a call that nothing takes the result of."""
    return all(
        _only_called(project.index(module), name) for module in project.given if name in (project.text(module) or "")
    )


def _only_called(index: FileIndex | None, name: str) -> bool:
    if index is None or any(alias.asname and alias.name == name for alias in index.of(ast.alias)):
        return False
    statements = {node.value for node in index.of(ast.Expr)}
    called = {call.func for call in index.of(ast.Call) if call in statements}
    named = [node for node in index.of(ast.Name) if node.id == name]
    return all(node in called for node in (*named, *(node for node in index.of(ast.Attribute) if node.attr == name)))


def _calls(statement: ast.stmt, name: str) -> bool:
    """True if a statement is a call of the function `name`, or of the method of that name."""
    call = statement.value if isinstance(statement, ast.Expr | ast.Assign | ast.Return) else None
    callee = call.func if isinstance(call, ast.Call) else None
    return (isinstance(callee, ast.Name) and callee.id == name) or (
        isinstance(callee, ast.Attribute) and callee.attr == name
    )
