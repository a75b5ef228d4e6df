"""Classes that a call of `type` makes: `Net = type("Net", (nn.Module,), {"forward": run})`."""

from __future__ import annotations

import ast


def written_out(name: str, value: ast.expr) -> ast.ClassDef | None:
    """The class statement that says the same as `name = type(..., bases, {...})`; None for any other value.

    Its body binds the values of the dict under their keys, where these are texts; it has the position of the call.
    """
    if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "type"):
        return None
    if len(value.args) != 3 or not isinstance(value.args[1], ast.Tuple):
        return None
    members = _members(value.args[2])
    if members is None:
        return None
    made = ast.ClassDef(name=name, bases=list(value.args[1].elts), keywords=value.keywords, body=[], decorator_list=[])
    made.body = [_binding(key, member) for key, member in members]
    return ast.copy_location(made, value)


def _members(node: ast.expr) -> list[tuple[str, ast.expr]] | None:
    """The pairs of a dict that is written out, or of `dict(forward=run)`."""
    if isinstance(node, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        return [(key, value) for key, value in zip(keys, node.values, strict=True) if isinstance(key, str)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        return [(keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg is not None]
    return None


def _binding(name: str, value: ast.expr) -> ast.Assign:
    target = ast.copy_location(ast.Name(id=name, ctx=ast.Store()), value)
    return ast.copy_location(ast.Assign(targets=[target], value=value), value)
