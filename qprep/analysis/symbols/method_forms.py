"""Methods that are not written as `def` in their class: lambdas, and functions of the file that a class takes."""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import positional_parameters, walk
from qprep.analysis.symbols.made_classes import written_out

if TYPE_CHECKING:
    from collections.abc import Iterator

_SELF = "self"
_CALL = "_qprep_call"


def with_written_out_methods(tree: ast.Module, text: str) -> ast.Module:
    """`tree`, the parsed `text`, with each `forward = lambda self, x: …` of a class as the `def` that says the same.

    `forward = run` counts as the method too, where `run` is a function of the file whose first parameter is `self` and
    that nothing else names: its definition moves into the class, with the positions that it has. So does a class of
    `Net = type("Net", bases, {"forward": run})` become a class statement. Changes the tree itself.
    """
    if _SELF not in text:
        return tree
    taken = _functions_with_self(tree)
    if taken:
        tree.body[:] = [_class_statement(item, taken) for item in tree.body]
    if not taken and "lambda" not in text:
        return tree
    for cls in [node for node in walk(tree) if isinstance(node, ast.ClassDef)]:
        functions = taken if cls in tree.body else {}
        cls.body[:] = [part for item in cls.body for part in _written_out(item, functions)]
    moved = {id(part) for cls in tree.body if isinstance(cls, ast.ClassDef) for part in cls.body}
    tree.body[:] = [item for item in tree.body if id(item) not in moved]
    return tree


def is_elsewhere(cls: ast.ClassDef, item: ast.stmt) -> bool:
    """True if a method of a class is written outside its class statement."""
    return not (cls.lineno <= item.lineno and (item.end_lineno or 0) <= (cls.end_lineno or 0))


def is_call(cls: ast.ClassDef) -> bool:
    """True if a class is written as a call of `type`."""
    return bool(getattr(cls, _CALL, False))


def _functions_with_self(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """The functions of a file that are written as methods, and named exactly once."""
    found = {
        item.name: item
        for item in tree.body
        if isinstance(item, ast.FunctionDef) and _first_parameter(item) == _SELF and not item.decorator_list
    }
    if not found:
        return {}
    named = Counter(_names(tree))
    return {name: item for name, item in found.items() if named[name] == 1}


def _names(tree: ast.Module) -> Iterator[str]:
    """Every name that is read, bound, declared or exported anywhere in a file."""
    for node in walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node not in tree.body:
            yield node.name


def _class_statement(item: ast.stmt, taken: dict[str, ast.FunctionDef]) -> ast.stmt:
    """The class statement of a call of `type` that takes functions of the file as methods; else the item itself."""
    if not (isinstance(item, ast.Assign) and len(item.targets) == 1 and isinstance(item.targets[0], ast.Name)):
        return item
    made = written_out(item.targets[0].id, item.value)
    if made is None or not any(_taken_name(part) in taken for part in made.body):
        return item
    setattr(made, _CALL, True)
    return ast.copy_location(made, item)


def _written_out(item: ast.stmt, taken: dict[str, ast.FunctionDef]) -> list[ast.stmt]:
    """A statement of a class, or the methods that it binds."""
    name = _taken_name(item)
    if isinstance(item, ast.Assign) and isinstance(item.value, ast.Lambda) and name is not None:
        body = item.value.body
        made = ast.FunctionDef(
            name=name,
            args=item.value.args,
            body=[ast.copy_location(ast.Return(body), body)],
            decorator_list=[],
            returns=None,
            type_comment=None,
        )
        return [ast.copy_location(made, item)]
    if isinstance(item, ast.Assign) and name is not None and name in taken:
        function = taken[name]
        assert isinstance(item.targets[0], ast.Name)
        function.name = item.targets[0].id
        return [ast.copy_location(ast.Pass(), item), function]
    return [item]


def _taken_name(item: ast.stmt) -> str | None:
    """The name of the function that `name = function` takes, or of the method that a lambda is bound to."""
    if not (isinstance(item, ast.Assign) and len(item.targets) == 1 and isinstance(item.targets[0], ast.Name)):
        return None
    if isinstance(item.value, ast.Lambda):
        return item.targets[0].id if _first_parameter(item.value) == _SELF else None
    return item.value.id if isinstance(item.value, ast.Name) else None


def _first_parameter(node: ast.FunctionDef | ast.Lambda) -> str:
    positional = positional_parameters(node)
    return positional[0].arg if positional else ""
