"""Loops over children that do nothing for a new one: they ask each what it is, or how its name begins."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Inner:
    """The functions defined in a method; `running`: the one under consideration, inside itself."""

    functions: Mapping[str, ast.FunctionDef]
    running: str = ""


def beginnings(loop: ast.For) -> tuple[str, ...]:
    """What the names must begin with for which a loop over names does anything; nothing where that is not all."""
    texts = [_beginning(line, ast.unparse(loop.target)) for line in loop.body]
    return tuple(text for text in texts if text) if all(texts) else ()


def _beginning(line: ast.stmt, name: str) -> str | None:
    """ "aux_" in `if name.startswith("aux_"):`."""
    test = line.test if isinstance(line, ast.If) and not line.orelse else None
    asks = isinstance(test, ast.Call) and ast.unparse(test.func) == f"{name}.startswith"
    text = test.args[0] if asks and isinstance(test, ast.Call) and test.args else None
    return text.value if isinstance(text, ast.Constant) and isinstance(text.value, str) else None


def is_guarded(loop: ast.For, variable: str, inner: Inner) -> bool:
    """Whether a loop asks each child what it is before it does anything."""
    handed = [line for line in loop.body if isinstance(line, ast.Expr)]
    lines = [line for line in loop.body if not isinstance(line, ast.Expr)]
    asked = bool(handed) or any(_asks_about(line, variable) for line in lines)
    are_tests = all(isinstance(line, ast.If) for line in lines)
    return asked and are_tests and all(_is_handed_on(line.value, variable, inner) for line in handed)


def _is_handed_on(call: ast.expr, variable: str, inner: Inner) -> bool:
    """Whether a child is given to a function of the method that asks it first, and does the same for those below."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return False
    if call.func.id == inner.running:
        return True
    function = inner.functions.get(call.func.id)
    places = [number for number, arg in enumerate(call.args) if ast.unparse(arg) == variable]
    if function is None or len(places) != 1 or places[0] >= len(function.args.args):
        return False
    name = function.args.args[places[0]].arg
    below = Inner(inner.functions, function.name)
    return not inner.running and all(_does_nothing(line, name, below) for line in function.body)


def _does_nothing(line: ast.stmt, name: str, inner: Inner) -> bool:
    """Whether a statement asks a module first, or goes on to its children."""
    if isinstance(line, ast.For):
        accesses = {f"{name}.children()": False, f"{name}.named_children()": True}
        pairs = accesses.get(ast.unparse(line.iter))
        variable = child_variable(line, pairs=pairs, numbered=False) if pairs is not None else None
        return variable is not None and is_guarded(line, variable, inner)
    return isinstance(line, ast.Return) or _asks_about(line, name)


def _asks_about(line: ast.stmt, variable: str) -> bool:
    """`if isinstance(child, …):`"""
    asking = ast.walk(line.test) if isinstance(line, ast.If) else ()
    calls = [call for call in asking if isinstance(call, ast.Call) and _asks(call)]
    return any(isinstance(arg, ast.Name) and arg.id == variable for call in calls for arg in call.args)


def _asks(call: ast.Call) -> bool:
    """`isinstance(child, …)`, `hasattr(child, …)`, or `getattr(child, …, None)`, false for a child without that."""
    name = ast.unparse(call.func)
    default = call.args[2] if name == "getattr" and len(call.args) == 3 else None
    return name in ("isinstance", "hasattr") or (isinstance(default, ast.Constant) and not default.value)


def child_variable(loop: ast.For, *, pairs: bool, numbered: bool) -> str | None:
    """The name that a loop gives the child."""
    target = loop.target
    if numbered:
        if not (isinstance(target, ast.Tuple) and len(target.elts) == 2):
            return None
        target = target.elts[1]
    if pairs:
        if not (isinstance(target, ast.Tuple) and len(target.elts) == 2):
            return None
        target = target.elts[1]
    return target.id if isinstance(target, ast.Name) else None
