"""Modules that stand for functions: `@stands_for(function)` above a class."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.project.kinds import ClassRef

if TYPE_CHECKING:
    from qprep.project.index import FileIndex
    from qprep.project.kinds import FunctionRef
    from qprep.project.project import Project

_DECORATOR = "qprep.runtime_modules.stands_for"


def stand_in(project: Project, function: FunctionRef) -> ClassRef | None:
    """The class of the function's file that stands for it where a Dispatch calls it."""
    index = project.index(function.module)
    if index is None:
        return None
    for name, entry in index.classes.items():
        if any(_names(project, index, node, function.name) for node in entry.node.decorator_list):
            return ClassRef(function.module, name)
    return None


def _names(project: Project, index: FileIndex, decorator: ast.expr, function: str) -> bool:
    """Whether a decorator is `stands_for(function)`."""
    if not isinstance(decorator, ast.Call) or [ast.unparse(arg) for arg in decorator.args] != [function]:
        return False
    return project.expression_name(index, decorator.func) == _DECORATOR
