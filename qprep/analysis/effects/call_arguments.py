"""Arguments of a call by the parameters that they are bound to."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from qprep.analysis.effects.lexical_scopes import LexicalScope


def bound(call: ast.Call, scope: LexicalScope, name: str, shifts: Sequence[int]) -> Iterator[ast.expr]:
    """The arguments of a call that may be bound to a parameter, with some parameters left out in front.

    The rules are Python's: what is bound by its place or by its own name is not bound by `**` as well.
    """
    arguments = scope.arguments
    if arguments is None:
        return
    if arguments.vararg is not None and name == arguments.vararg.arg:
        yield from _beyond(call.args, len(scope.positional) - max(shifts))
        return
    by_place_alone = {arg.arg for arg in arguments.posonlyargs}
    if arguments.kwarg is not None and name == arguments.kwarg.arg:
        known = {*scope.positional, *(arg.arg for arg in arguments.kwonlyargs)} - by_place_alone
        yield from (keyword.value for keyword in call.keywords if keyword.arg not in known)
        return
    if name not in by_place_alone and (named := [each.value for each in call.keywords if each.arg == name]):
        yield from named
        return
    is_bound = name in scope.positional
    for place in (scope.positional.index(name) - shift for shift in shifts if name in scope.positional):
        yield from _at(call.args, place)
        is_bound &= place < 0 or _is_sure(call.args, place)
    if not is_bound and name not in by_place_alone:
        yield from (keyword.value for keyword in call.keywords if keyword.arg is None)


def _is_sure(args: Sequence[ast.expr], place: int) -> bool:
    """True if one argument alone can have this place: no `*` stands in front of it."""
    return 0 <= place < len(args) and not any(isinstance(arg, ast.Starred) for arg in args[: place + 1])


def _at(args: Sequence[ast.expr], place: int) -> Iterator[ast.expr]:
    """The arguments that may have a place among all: behind a `*`, which may be empty, each may have any further."""
    if _is_sure(args, place):
        yield args[place]
        return
    stars = 0
    for index, arg in enumerate(args):
        if (stars or isinstance(arg, ast.Starred)) and index - stars <= place:
            yield arg.value if isinstance(arg, ast.Starred) else arg
        stars += isinstance(arg, ast.Starred)


def _beyond(args: Sequence[ast.expr], count: int) -> Iterator[ast.expr]:
    """The arguments that may come after the first `count`."""
    has_star = False
    for index, arg in enumerate(args):
        has_star |= isinstance(arg, ast.Starred)
        if has_star or index >= count:
            yield arg


def is_bound_method(scope: LexicalScope) -> bool:
    """True if the first parameter of a function is the object, or the class, that it is called on."""
    return scope.owner is not None and not scope.has_decorator("staticmethod")


def parameters(function: LexicalScope) -> list[str]:
    """The names of all parameters of a function."""
    arguments = function.arguments
    if arguments is None:
        return []
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [arg for arg in (arguments.vararg, arguments.kwarg) if arg is not None]
    return [arg.arg for arg in every]
