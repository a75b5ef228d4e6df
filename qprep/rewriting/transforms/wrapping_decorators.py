"""Decorators of the project that run a function with the arguments of the call, and code around it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import positional_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.symbols.module_resolver import Project
    from qprep.analysis.symbols.symbol_table import FileIndex

_WRAPS = "functools.wraps"


def wraps_alone(project: Project, index: FileIndex, decorator: ast.expr, node: ast.FunctionDef) -> bool:
    """True if a decorator runs the method of a module as it runs a function: it does not notice `self`.

    It returns the result of the function for all arguments, and sets no variable of others. It may look for tensors.
    """
    maker = _returned_function(node) if isinstance(decorator, ast.Call) else node
    inner = _returned_function(maker) if maker is not None else None
    if maker is None or inner is None or len(positional_parameters(maker)) != 1:
        return False
    args, kwargs = inner.args.vararg, inner.args.kwarg
    if args is None or kwargs is None or _has_others(inner.args):
        return False
    function = positional_parameters(maker)[0].arg
    if not all(_is_wraps(project, index, each, function) for each in inner.decorator_list):
        return False
    return not _keeps_state(inner) and _passes_on(project, index, inner, function)


def _returned_function(node: ast.FunctionDef) -> ast.FunctionDef | None:
    """The function inside that a function does nothing but define and return."""
    has_docstring = ast.get_docstring(node) is not None
    match node.body[has_docstring:]:
        case [ast.FunctionDef() as inner, ast.Return(value=ast.Name(id=name))] if name == inner.name:
            return inner
    return None


def _has_others(arguments: ast.arguments) -> bool:
    return bool(arguments.posonlyargs or arguments.args or arguments.kwonlyargs)


def _is_wraps(project: Project, index: FileIndex, decorator: ast.expr, function: str) -> bool:
    match decorator:
        case ast.Call(func=func, args=[ast.Name(id=name)], keywords=[]):
            return name == function and project.expression_name(index, func) == _WRAPS
    return False


def _keeps_state(inner: ast.FunctionDef) -> bool:
    """True if a function sets anything but its own variables."""
    return any(
        isinstance(part, ast.Global | ast.Nonlocal | ast.FunctionDef | ast.Lambda | ast.ClassDef | ast.Yield)
        or (isinstance(part, ast.Attribute | ast.Subscript) and not isinstance(part.ctx, ast.Load))
        for statement in inner.body
        for part in ast.walk(statement)
    )


def _passes_on(project: Project, index: FileIndex, inner: ast.FunctionDef, function: str) -> bool:
    """True if the function is only called with all arguments, and tensors alone are taken from them besides."""
    assert inner.args.vararg is not None
    assert inner.args.kwarg is not None
    args, kwargs = inner.args.vararg.arg, inner.args.kwarg.arg
    allowed: set[ast.AST] = set()
    for statement in inner.body:
        for part in ast.walk(statement):
            match part:
                case ast.Return(
                    value=ast.Call(
                        func=ast.Name() as func,
                        args=[ast.Starred(value=ast.Name() as first)],
                        keywords=[ast.keyword(arg=None, value=ast.Name() as second)],
                    )
                ) if (func.id, first.id, second.id) == (function, args, kwargs):
                    allowed |= {func, first, second}
                case ast.comprehension() if _takes_tensors(project, index, part):
                    allowed |= set(_read_whole(part.iter))
    names = [part for statement in inner.body for part in ast.walk(statement) if isinstance(part, ast.Name)]
    return all(name in allowed for name in names if name.id in (function, args, kwargs))


def _takes_tensors(project: Project, index: FileIndex, loop: ast.comprehension) -> bool:
    """True for `… for a in args if torch.is_tensor(a)`, and for a test of the class."""
    for test in loop.ifs:
        match test:
            case ast.Call(func=func, args=[ast.Name(id=name)]):
                named = project.expression_name(index, func)
                is_test = named == "torch.is_tensor"
            case ast.Call(func=func, args=[ast.Name(id=name), cls]):
                is_question = project.expression_name(index, func) == "builtins.isinstance"
                is_test = is_question and project.expression_name(index, cls) == "torch.Tensor"
            case _:
                continue
        if is_test and isinstance(loop.target, ast.Name) and loop.target.id == name:
            return True
    return False


def _read_whole(node: ast.expr) -> Iterator[ast.AST]:
    """The variables that a loop iterates over: `args`, `kwargs.values()`, `(*args, *kwargs.values())`."""
    match node:
        case ast.Name():
            yield node
        case ast.Call(func=ast.Attribute(value=ast.Name() as owner, attr="values"), args=[], keywords=[]):
            yield owner
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                if isinstance(part, ast.Starred):
                    yield from _read_whole(part.value)
