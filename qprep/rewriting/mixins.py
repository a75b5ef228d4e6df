"""Classes that are no nn.Module and whose methods run on modules that inherit from them: those hold the operations."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.places import Unit
from qprep.analysis.values.abstract_values import ClassRef
from qprep.rewriting.fix_session import remembered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.rewriting.fix_session import RewriteContext


@remembered
def holders(context: RewriteContext, unit: Unit) -> tuple[Unit, ...]:
    """The classes that hold the operations of a unit.

    These are the unit itself, where it is a class of nn.Module or no class. Of a mixin they are the first classes of
    nn.Module that inherit from it; none where objects exist that have its methods and are no modules.
    """
    ref = ClassRef(unit.module, unit.name)
    if not unit.is_class or context.analysis.is_module(ref):
        return (unit,)
    below = sorted(context.project.subclasses(ref), key=repr)
    plain = [ref, *(child for child in below if not context.analysis.is_module(child))]
    return () if any(_has_own_objects(context, cls) for cls in plain) else first_modules(context, unit)


@remembered
def first_modules(context: RewriteContext, unit: Unit) -> tuple[Unit, ...]:
    """The classes of nn.Module that inherit from a class and from no other class of nn.Module that does; or itself."""
    ref = ClassRef(unit.module, unit.name)
    if context.analysis.is_module(ref):
        return (unit,)
    modules = [
        child for child in sorted(context.project.subclasses(ref), key=repr) if context.analysis.is_module(child)
    ]
    first = [child for child in modules if not any(base in modules for base in context.project.mro(child)[1:])]
    return tuple(Unit(child.module, child.name, True) for child in first)


def is_mixin(context: RewriteContext, unit: Unit) -> bool:
    """True if modules that inherit from a class hold its operations."""
    found = holders(context, unit)
    return bool(found) and unit not in found


def _has_own_objects(context: RewriteContext, cls: ClassRef) -> bool:
    """True if a class that is no nn.Module may be called, or has no subclass of nn.Module for its methods to run on."""
    children = context.project.subclasses(cls)
    return cls in _used_as_values(context) or not any(map(context.analysis.is_module, children))


@remembered
def _used_as_values(context: RewriteContext) -> frozenset[ClassRef]:
    """Classes of the given files that some code calls, or takes as values; a base or an annotation is neither."""
    return frozenset(_values(context))


def _values(context: RewriteContext) -> Iterator[ClassRef]:
    for name in context.project.given:
        index = context.project.index(name)
        for part in _value_parts(index) if index is not None else ():
            kind = _kind(context, name, part)
            if isinstance(kind, ClassRef):
                yield kind


def _value_parts(index: FileIndex) -> Iterator[ast.expr]:
    """Names that are called, passed to calls, or put into collections; `isinstance` and annotations do not count."""
    asking = {id(arg) for node in index.of(ast.Call) if _asks(node) for arg in node.args}
    asking |= {id(node.slice) for node in index.of(ast.Subscript)}
    for call in index.of(ast.Call):
        if not _asks(call):
            yield from (call.func, *call.args, *(keyword.value for keyword in call.keywords))
    listed: list[ast.List | ast.Tuple] = [*index.of(ast.List), *index.of(ast.Tuple)]
    for display in listed:
        if id(display) not in asking:
            yield from display.elts
    for table in index.of(ast.Dict):
        yield from table.values


def _asks(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass", "super")


def _kind(context: RewriteContext, module: str, node: ast.expr) -> object:
    index = context.project.index(module)
    if index is None or not isinstance(node, ast.Name | ast.Attribute):
        return None
    dotted = context.project.expression_name(index, node)
    return context.project.resolve(dotted) if dotted is not None else None
