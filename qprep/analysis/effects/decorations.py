"""Decorators of classes and functions: what they are called with, and by which parameter they get it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import ClassObject, FunctionObject, Instance
from qprep.analysis.values.abstract_values import ClassRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qprep.analysis.effects.abstract_objects import Reference
    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
    from qprep.analysis.symbols.symbol_table import FileIndex

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def definitions(index: FileIndex) -> Iterator[Definition]:
    """The definitions of a file that have a decorator."""
    nodes = (*index.of(ast.ClassDef), *index.of(ast.FunctionDef), *index.of(ast.AsyncFunctionDef))
    return (node for node in nodes if isinstance(node, Definition) and node.decorator_list)


def defined(node: Definition, file: FileScopes) -> ClassObject | FunctionObject | None:
    """The class or function that a definition makes, before its decorators get it."""
    if isinstance(node, ast.ClassDef):
        cls = file.class_of(node)
        return ClassObject(cls) if cls is not None else None
    scope = file.defined(node)
    return FunctionObject(scope) if scope is not None else None


def run_by(decorator: Reference, method: Callable[[ClassRef, str], list[LexicalScope]]) -> Iterator[LexicalScope]:
    """The functions that a call of a decorator runs."""
    match decorator.base:
        case FunctionObject(scope=function):
            yield function
        case ClassObject(cls=ClassRef() as cls):
            yield from method(cls, "__init__")
        case Instance(cls=cls):
            yield from method(cls, "__call__")


def parameters(decorator: Reference, function: LexicalScope) -> tuple[str, ...]:
    """The parameters by which a function that a decorator runs may get the definition."""
    match decorator.base:
        case FunctionObject(is_loose=True):
            return function.positional
        case FunctionObject(is_bound=is_bound):
            place = 1 if is_bound and function.owner is not None else 0
        case _:
            place = 1  # behind `self`
    arguments = function.arguments
    if place >= len(function.positional) and arguments is not None and arguments.vararg is not None:
        return (arguments.vararg.arg,)
    return function.positional[place : place + 1]
