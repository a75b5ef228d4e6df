"""Expressions that list modules together with their names, and variables with theirs."""

from __future__ import annotations

import ast

_KEEPING = frozenset(("iter", "list", "reversed", "sorted", "tuple"))
_NAMESPACES = frozenset(("globals", "locals", "vars"))
_NAMED = frozenset(("named_children", "named_modules"))


def lists_names(node: ast.AST | None) -> bool:
    """True if a listing gives each module with its name: `m.named_modules()`, `m._modules.items()`."""
    match node:
        case ast.Call(func=ast.Name(id=function), args=[inner]) if function in _KEEPING:
            return lists_names(inner)
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="_modules"), attr=name)):
            return name == "items"
        case ast.Call(func=ast.Attribute(attr=name)):
            return name in _NAMED
    return False


def is_module_in(loop: ast.AST | None, name: str) -> bool:
    """True if a loop over names and modules binds a variable to the module: `for _, name in m.named_modules()`."""
    match loop:
        case (
            ast.For(target=ast.Tuple(elts=[ast.Name(id=first), ast.Name(id=second)]), iter=listing)
            | ast.comprehension(target=ast.Tuple(elts=[ast.Name(id=first), ast.Name(id=second)]), iter=listing)
        ):
            return second == name != first and lists_names(listing)
    return False


def module_beside(name: str, loop: ast.AST | None) -> str | None:
    """The variable for the module in a loop that binds `name` to the module's name."""
    match loop:
        case ast.For(target=target, iter=listing) | ast.comprehension(target=target, iter=listing):
            pass
        case _:
            return None
    match target:
        case ast.Tuple(elts=[ast.Name(id=first), ast.Name(id=second)]) if first == name and lists_names(listing):
            return second if second != name else None
    return None


def is_name_in_namespace(name: str, loop: ast.AST | None) -> bool:
    """True if a loop gives a variable the names of variables: `for key, value in globals().items()`."""
    match loop:
        case ast.For(target=target, iter=listing) | ast.comprehension(target=target, iter=listing):
            pass
        case _:
            return False
    match target, _of_namespace(listing):
        case ast.Name(id=key), "" | "keys":
            return key == name
        case ast.Tuple(elts=[ast.Name(id=key), other]), "items":
            return key == name and not any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(other))
    return False


def _of_namespace(listing: ast.expr) -> str | None:
    """The part of the variables around it that an expression lists: "keys", "items", "" for both; None for another."""
    match listing:
        case ast.Call(func=ast.Name(id=function), args=[inner]) if function in _KEEPING:
            return _of_namespace(inner)
        case ast.Call(func=ast.Attribute(value=table, attr=name)) if _of_namespace(table) == "":
            return "" if name == "copy" else name
        case ast.Call(func=ast.Name(id=function), args=[]) if function in _NAMESPACES:
            return ""
    return None
