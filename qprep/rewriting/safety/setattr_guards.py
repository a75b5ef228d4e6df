"""Classes with a `__setattr__` or `__getattr__` of their own that sets and finds new modules as nn.Module does."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import last_name, positional_parameters, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# Classes that no module is an instance of.
_NO_MODULES = frozenset(("Tensor", "Parameter", "int", "float", "str", "bool", "list", "tuple", "dict", "set"))


def _never(_: ast.expr) -> bool:
    return False


def passes_on(method: ast.FunctionDef, lacks: Callable[[ast.expr], bool] = _never) -> bool:
    """True if a method treats every module under every name that it does not write out as nn.Module does.

    A `__getattr__` asks `super().__getattr__(name)` first. A `__setattr__` ends in `super().__setattr__(name, value)`;
    what comes before that are conditions on the name, compared with constants, or on the class of the value, where that
    does not belong to a module. A `__getattr__` may also test if another object has the name, where `lacks` says of
    the expression that this object has none of the names in question.
    """
    arguments = [argument.arg for argument in positional_parameters(method)]
    if method.name == "__getattr__" and len(arguments) == 2 and not method.decorator_list:
        owner, name = arguments
        return _asks_first(_without_docstring(method.body), owner, name, lacks)
    if method.name != "__setattr__" or len(arguments) != 3 or method.decorator_list:
        return False
    *before, last = _without_docstring(method.body)
    owner, name, value = arguments
    return _sets(last, owner, name, value) and all(_is_guard(line, name, value) for line in before)


def closes(method: ast.FunctionDef) -> bool:
    """True for a `__setattr__` that sets every module as nn.Module does, or raises an error once the object says so.

    `if self.frozen: raise …` and `if self.frozen and not hasattr(self, name): raise …`: the test reads the attributes
    of the object alone. So where one new attribute can be set, right behind it another one can.
    """
    arguments = [argument.arg for argument in positional_parameters(method)]
    if method.name != "__setattr__" or len(arguments) != 3 or method.decorator_list:
        return False
    *before, last = _without_docstring(method.body)
    owner, name, value = arguments
    guards = (_is_guard(line, name, value) or _is_closing(line, owner, name) for line in before)
    return _sets(last, owner, name, value) and all(guards)


def _is_closing(line: ast.stmt, owner: str, name: str) -> bool:
    match line:
        case ast.If(test=test, body=[ast.Raise()], orelse=[]):
            return _is_about_state(test, owner, name)
    return False


def _is_about_state(test: ast.expr, owner: str, name: str) -> bool:
    """True if a test depends on the attributes that an object has, and on a name only as one that is new to it."""
    match test:
        case ast.BoolOp(values=values):
            return all(_is_about_state(part, owner, name) for part in values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _is_about_state(operand, owner, name)
        case ast.Attribute(value=ast.Name(id=read)):
            return read == owner
        case ast.Call(func=ast.Name(id="getattr" | "hasattr"), args=[ast.Name(id=read), key, *rest], keywords=[]):
            is_key = isinstance(key, ast.Constant) or (isinstance(key, ast.Name) and key.id == name and not rest)
            return read == owner and is_key and all(isinstance(part, ast.Constant) for part in rest)
        case ast.Compare(left=ast.Name() | ast.Constant() as key, ops=[ast.In() | ast.NotIn()], comparators=[table]):
            return (isinstance(key, ast.Constant) or key.id == name) and _is_own_table(table, owner)
    return False


def _is_own_table(table: ast.expr, owner: str) -> bool:
    match table:
        case ast.Attribute(value=ast.Name(id=read), attr="__dict__"):
            return read == owner
        case ast.Call(func=ast.Name(id="dir" | "vars"), args=[ast.Name(id=read)], keywords=[]):
            return read == owner
    return False


def names_written_out(methods: Iterable[ast.FunctionDef]) -> frozenset[str]:
    """The texts in the `__setattr__` and `__getattr__` of a class: names that it treats in its own way."""
    own = ("__setattr__", "__getattr__")
    nodes = (node for method in methods if method.name in own for node in walk(method))
    return frozenset(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and len(body) > 1
    return body[1:] if is_text else body


def _asks_first(body: list[ast.stmt], owner: str, name: str, lacks: Callable[[ast.expr], bool]) -> bool:
    """True if a `__getattr__` returns what nn.Module's finds, behind conditions on other names, and then tries more."""
    rest = list(body)
    tests: dict[str, ast.expr] = {}  # conditions that have a name of their own
    while rest:
        line = _without_names(rest[0], tests)
        if not (_is_named_test(line, (owner, name), tests) or _is_guard(line, name, "", lacks)):
            break
        rest.pop(0)
    if rest and isinstance(rest[0], ast.Try):
        rest = rest[0].body
    return bool(rest) and isinstance(rest[0], ast.Return) and _is_passed_on(rest[0], "__getattr__", owner, [name])


def _is_named_test(line: ast.stmt, taken: tuple[str, ...], tests: dict[str, ast.expr]) -> bool:
    """True if a line gives a condition a name, which `tests` keeps: `known = "x" in table and hasattr(table, name)`."""
    match line:
        case ast.Assign(targets=[ast.Name(id=target)], value=value) if target not in (*taken, *tests):
            if _only_asks(value):
                tests[target] = value
                return True
    return False


def _only_asks(test: ast.expr) -> bool:
    """True if an expression computes a truth value from comparisons and `hasattr` alone."""
    match test:
        case ast.BoolOp(values=values):
            return all(map(_only_asks, values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _only_asks(operand)
        case ast.Call(func=ast.Name(id="hasattr" | "isinstance"), args=[_, _]):
            return not any(isinstance(part, ast.Call | ast.NamedExpr) for each in test.args for part in ast.walk(each))
        case ast.Compare():
            return not any(isinstance(part, ast.Call | ast.NamedExpr) for part in ast.walk(test))
    return False


def _without_names(line: ast.stmt, tests: Mapping[str, ast.expr]) -> ast.stmt:
    """An `if` with the conditions themselves in the place of their names."""
    if not isinstance(line, ast.If) or not tests:
        return line
    return ast.If(_spelled_out(line.test, tests), line.body, line.orelse)


def _spelled_out(test: ast.expr, tests: Mapping[str, ast.expr]) -> ast.expr:
    match test:
        case ast.Name(id=known) if known in tests:
            return tests[known]
        case ast.BoolOp(op=operator, values=values):
            return ast.BoolOp(operator, [_spelled_out(part, tests) for part in values])
    return test


def _sets(line: ast.stmt, owner: str, name: str, value: str) -> bool:
    """`super().__setattr__(name, value)`, or `nn.Module.__setattr__(self, name, value)`."""
    return _is_passed_on(line, "__setattr__", owner, [name, value])


def _is_passed_on(line: ast.stmt, method: str, owner: str, arguments: list[str]) -> bool:
    call = line.value if isinstance(line, ast.Expr | ast.Return) else None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == method):
        return False
    base = call.func.value
    is_super = isinstance(base, ast.Call) and last_name(base.func) == "super"
    expected = arguments if is_super else [owner, *arguments]
    given = [arg.id if isinstance(arg, ast.Name) else "" for arg in call.args]
    return given == expected and not call.keywords and (is_super or last_name(base) == "Module")


def _is_guard(line: ast.stmt, name: str, value: str, lacks: Callable[[ast.expr], bool] = _never) -> bool:
    """`if name == "frozen": …` or `if isinstance(value, Tensor): …`; such branches do not meet a new module."""
    return isinstance(line, ast.If) and not line.orelse and _is_about_others(line.test, name, value, lacks)


def _is_about_others(test: ast.expr, name: str, value: str, lacks: Callable[[ast.expr], bool]) -> bool:
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            return any(_is_about_others(part, name, value, lacks) for part in values)
        case ast.BoolOp(op=ast.Or(), values=values):
            return all(_is_about_others(part, name, value, lacks) for part in values)
        case ast.Compare(left=ast.Name(id=left), ops=[ast.Eq() | ast.In()], comparators=[other]) if left == name:
            parts = other.elts if isinstance(other, ast.Tuple | ast.List | ast.Set) else [other]
            return all(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in parts)
        case ast.Call(func=ast.Name(id="isinstance"), args=[ast.Name(id=first), classes]) if first == value:
            parts = classes.elts if isinstance(classes, ast.Tuple) else [classes]
            return all(last_name(part) in _NO_MODULES for part in parts)
        case ast.Call(func=ast.Name(id="hasattr"), args=[other, ast.Name(id=asked)]) if asked == name:
            return lacks(other)
    return False
