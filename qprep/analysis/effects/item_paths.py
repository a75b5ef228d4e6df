"""The place of a function in the value of an expression, by keys of dictionaries and tuples inside one another.

`("fn",)` in `dict(fn=value)`. An empty path says that the value is the function itself.
"""

from __future__ import annotations

import ast

Key = str | int
Path = tuple[Key, ...]

MAX_KEYS = 3
"""Containers inside one another whose keys are followed; of more, the place is not known."""

ANYWHERE: Path = ("*",)
"""The value is the function, or holds it somewhere."""

_TAKES = frozenset(("get", "pop", "setdefault"))


def may_be_called(path: Path) -> bool:
    """True if the value may be the function itself."""
    return path in ((), ANYWHERE)


def put_under(key: Key | None, path: Path) -> Path:
    """The path in a container that holds something by a key, which may be unknown."""
    return (key, *path) if key is not None and len(path) < MAX_KEYS else ANYWHERE


def key_of(node: ast.expr | None) -> Key | None:
    """The text or number that an expression spells; None for any other expression."""
    match node:
        case ast.Constant(value=str(key)):
            return key
        case ast.Constant(value=int(key)) if not isinstance(key, bool):
            return key
    return None


def taken(path: Path, key: Key | None) -> Path | None:
    """The path in the item of a key, which may be unknown; None if that item does not hold the function."""
    if path == ANYWHERE:
        return path
    is_other = not path or (key is not None and path[0] not in (key, *ANYWHERE))
    return None if is_other else path[1:]


def iterated(path: Path) -> Path | None:
    """The path in what a loop gives; None if there is nothing to loop over."""
    return ANYWHERE if path else None


def unpacked(path: Path, number: int, targets: list[ast.expr]) -> Path | None:
    """The path in one of several targets that a value is unpacked to; None if that target does not get it."""
    if path and isinstance(path[0], int) and not any(isinstance(each, ast.Starred) for each in targets):
        return taken(path, number)
    return iterated(path)


def of_copy(path: Path) -> Path:
    """The path in a dictionary that is made of another one, or of pairs."""
    return path if path and isinstance(path[0], str) else ANYWHERE


def through_method(path: Path, call: ast.Call) -> Path | None:
    """The path in the result of a method of a dictionary; None if the result does not hold the function."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if path and name in _TAKES and call.args:
        return taken(path, key_of(call.args[0]))
    return path if path and name == "copy" else ANYWHERE


def through(path: Path, parent: ast.expr, part: ast.expr) -> Path | None:
    """The path in an expression that holds a part; None if it does not hold the function."""
    match parent:
        case ast.Dict(keys=keys, values=values) if part in values:
            key = keys[values.index(part)]
            return of_copy(path) if key is None else put_under(key_of(key), path)
        case ast.Tuple(elts=parts) if not any(isinstance(each, ast.Starred) for each in parts):
            return put_under(parts.index(part), path)
        case ast.Subscript(value=value, slice=ast.Slice() | ast.UnaryOp()) if value is part:
            return iterated(path)
        case ast.Subscript(value=value, slice=index) if value is part:
            return taken(path, key_of(index))
        case ast.BoolOp() | ast.IfExp() | ast.NamedExpr() | ast.Await() | ast.BinOp(op=ast.BitOr()):
            return path
        case ast.BinOp() | ast.Starred():
            return iterated(path)
    return ANYWHERE
