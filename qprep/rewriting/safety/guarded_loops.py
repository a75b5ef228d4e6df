"""Loops over children that do nothing for a new one: they ask each what it is, or how its name begins."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import positional_parameters
from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES, OTHER_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class InnerFunctions:
    """The functions defined in a method; `running`: the one under consideration, inside itself.

    may_be    whether a new child may be of the class that an expression names
    settings  attributes of modules of operations
    """

    functions: Mapping[str, ast.FunctionDef]
    may_be: Callable[[ast.expr], bool]
    settings: frozenset[str]
    running: str = ""


def beginnings(loop: ast.For) -> tuple[str, ...]:
    """The prefixes that names need for a loop over names to do anything; none if it may do something for others."""
    texts = [_beginning(line, ast.unparse(loop.target)) for line in loop.body]
    return tuple(text for text in texts if text) if all(texts) else ()


def _beginning(line: ast.stmt, name: str) -> str | None:
    """ "aux_" in `if name.startswith("aux_"):`."""
    test = line.test if isinstance(line, ast.If) and not line.orelse else None
    asks = isinstance(test, ast.Call) and ast.unparse(test.func) == f"{name}.startswith"
    text = test.args[0] if asks and isinstance(test, ast.Call) and len(test.args) == 1 else None
    return text.value if isinstance(text, ast.Constant) and isinstance(text.value, str) else None


def is_guarded(loop: ast.For, variable: str, inner: InnerFunctions) -> bool:
    """True if a loop asks each child what it is before it does anything."""
    handed = [line for line in loop.body if isinstance(line, ast.Expr)]
    lines = [line for line in loop.body if not isinstance(line, ast.Expr)]
    asked = bool(lines or handed) and all(_asks_about(line, variable, inner) for line in lines)
    return asked and all(_is_handed_on(line.value, variable, inner) for line in handed)


def _is_handed_on(call: ast.expr, variable: str, inner: InnerFunctions) -> bool:
    """True if a child is given to a function of the method that asks it first, and does the same for those below."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return False
    if call.func.id == inner.running:
        return True
    function = inner.functions.get(call.func.id)
    places = [number for number, arg in enumerate(call.args) if ast.unparse(arg) == variable]
    if function is None or len(places) != 1 or places[0] >= len(positional_parameters(function)):
        return False
    name = positional_parameters(function)[places[0]].arg
    below = replace(inner, running=function.name)
    return not inner.running and all(_does_nothing(line, name, below) for line in function.body)


def _does_nothing(line: ast.stmt, name: str, inner: InnerFunctions) -> bool:
    """True if a statement asks a module first, or goes on to its children."""
    if isinstance(line, ast.For):
        accesses = {f"{name}.children()": False, f"{name}.named_children()": True}
        pairs = accesses.get(ast.unparse(line.iter))
        variable = child_variable(line, pairs=pairs, numbered=False) if pairs is not None else None
        return variable is not None and is_guarded(line, variable, inner)
    is_end = isinstance(line, ast.Return) and (line.value is None or isinstance(line.value, ast.Name | ast.Constant))
    return is_end or _asks_about(line, name, inner)


def _asks_about(line: ast.stmt, variable: str, inner: InnerFunctions) -> bool:
    """`if isinstance(child, …):`, in all its branches; or what goes to the next child, whatever it is."""
    if not isinstance(line, ast.If):
        return False
    if all(isinstance(part, ast.Continue | ast.Pass) for part in (*line.body, *line.orelse)):
        return True
    return _is_false(line.test, variable, inner) and all(_asks_about(part, variable, inner) for part in line.orelse)


def _is_false(test: ast.expr, variable: str, inner: InnerFunctions) -> bool:
    """True if a condition fails for a new child."""
    if isinstance(test, ast.NamedExpr):  # if keys := getattr(child, "keys", None)
        return _is_false(test.value, variable, inner)
    if isinstance(test, ast.Compare) and ast.unparse(test).endswith(", None) is not None"):  # getattr(child, …, None)
        return _is_false(test.left, variable, inner)
    if isinstance(test, ast.BoolOp):
        parts = [_is_false(part, variable, inner) for part in test.values]
        return any(parts) if isinstance(test.op, ast.And) else all(parts)
    if not isinstance(test, ast.Call) or not test.args or ast.unparse(test.args[0]) != variable:
        return False
    name = ast.unparse(test.func)
    if name == "isinstance" and len(test.args) == 2:
        return not inner.may_be(test.args[1])
    default = test.args[2] if len(test.args) == 3 else None
    is_asked = name == "hasattr" or (name == "getattr" and isinstance(default, ast.Constant) and not default.value)
    asked = test.args[1] if is_asked else None
    return (
        isinstance(asked, ast.Constant) and asked.value not in NN_MODULE_ATTRIBUTES | OTHER_ATTRIBUTES | inner.settings
    )


def asked_attributes(method: ast.FunctionDef) -> frozenset[str]:
    """The attributes that a method tests any object for: a loop would find a second instance with them."""
    calls = [node for node in ast.walk(method) if isinstance(node, ast.Call) and len(node.args) > 1]
    asked = [call.args[1] for call in calls if ast.unparse(call.func) in ("hasattr", "getattr")]
    return frozenset(str(node.value) for node in asked if isinstance(node, ast.Constant))


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
