"""Quantization methods as decorators of forward: what runs in there is the quantizer's."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.values.abstract_values import ClassRef, FunctionRef

if TYPE_CHECKING:
    from qprep.analysis.symbols.module_resolver import Project
    from qprep.analysis.symbols.symbol_table import FileIndex

_MAKERS = frozenset(("qprep.quantizer.forward_method", "qprep.quantizer.graph.forward_methods.forward_method"))


def quantizes_itself(project: Project, cls: ClassRef) -> bool:
    """True if the forward that instances of a class run is decorated with a quantization method.

    That is a function under `@forward_method`, by its name, or `forward_method(function)` in place; a name for the
    result of such a call counts as another decorator.
    """
    for base in project.mro(cls):
        entry = project.class_node(base) if isinstance(base, ClassRef) else None
        forward = entry.methods.get("forward") if entry is not None else None
        if isinstance(base, ClassRef) and forward is not None:
            index = project.index(base.module)
            return index is not None and any(_is_method(project, index, each) for each in forward.decorator_list)
    return False


def _is_method(project: Project, index: FileIndex, decorator: ast.expr) -> bool:
    if isinstance(decorator, ast.Call):
        return _makes_methods(project, index, decorator.func)
    name = project.expression_name(index, decorator)
    found = project.resolve(name) if name is not None else None
    node = project.function_node(found) if isinstance(found, FunctionRef) else None
    home = project.index(found.module) if isinstance(found, FunctionRef) else None
    return home is not None and node is not None and any(_makes_methods(project, home, d) for d in node.decorator_list)


def _makes_methods(project: Project, index: FileIndex, node: ast.expr) -> bool:
    return project.expression_name(index, node) in _MAKERS
