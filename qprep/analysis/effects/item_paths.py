"""The keys under which a value sits in dictionaries and tuples inside one another: `("fn",)` in `dict(fn=value)`.

An empty path says that it is not known where the value sits, or that it is in neither.
"""

from __future__ import annotations

import ast

Key = str | int
Path = tuple[Key, ...]

MAX_KEYS = 3
"""Containers inside one another whose keys are followed; of more, the place is not known."""

_TAKES = frozenset(("get", "pop", "setdefault"))


def put_under(key: Key | None, path: Path) -> Path:
    """The path in a container that holds something by a key, which may be unknown."""
    return (key, *path) if key is not None and len(path) < MAX_KEYS else ()


def key_of(node: ast.expr | None) -> Key | None:
    """The text or number that an expression spells; None for any other expression."""
    match node:
        case ast.Constant(value=str(key)):
            return key
        case ast.Constant(value=int(key)) if not isinstance(key, bool):
            return key
    return None


def unpacked(path: Path, number: int, targets: list[ast.expr]) -> Path | None:
    """The path in one of several targets that a value is unpacked to; None if that target does not get it."""
    is_known = bool(path) and isinstance(path[0], int) and not any(isinstance(each, ast.Starred) for each in targets)
    return taken(path, number) if is_known else ()


def of_copy(path: Path) -> Path:
    """The path in a dictionary that is made of another one, or of pairs."""
    return path if path and isinstance(path[0], str) else ()


def taken(path: Path, key: Key | None) -> Path | None:
    """The path in the item of a key, which may be unknown; None if the value is the item of another key."""
    if path and key is not None and path[0] != key:
        return None
    return path[1:]


def through_method(path: Path, call: ast.Call) -> Path | None:
    """The path in the result of a method of a dictionary; None if the result does not hold the value."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if name in _TAKES and call.args:
        return taken(path, key_of(call.args[0]))
    return path if name == "copy" else ()


def through(path: Path, parent: ast.expr, part: ast.expr) -> Path | None:
    """The path in an expression that holds a part; None if it does not hold the value."""
    match parent:
        case ast.Dict(keys=keys, values=values) if part in values:
            key = keys[values.index(part)]
            return path if key is None else put_under(key_of(key), path)
        case ast.Tuple(elts=parts) if not any(isinstance(each, ast.Starred) for each in parts):
            return put_under(parts.index(part), path)
        case ast.Subscript(value=value, slice=ast.Slice() | ast.UnaryOp()) if value is part:
            return ()
        case ast.Subscript(value=value, slice=index) if value is part:
            return taken(path, key_of(index))
        case ast.BoolOp() | ast.IfExp() | ast.NamedExpr() | ast.Await() | ast.BinOp(op=ast.BitOr()):
            return path
    return ()
