"""Modules that a class reaches through other ones: `self.block.norm.emb` is an attribute of what `block.norm` is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qprep.analysis.places import Unit
from qprep.analysis.values.abstract_values import ClassRef, Module, Sequence, modules_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.places import Place
    from qprep.analysis.values.abstract_values import Kind
    from qprep.analysis.values.access_paths import AccessPath
    from qprep.rewriting.fix_session import RewriteContext


def owners(context: RewriteContext, unit: Unit, path: AccessPath) -> Iterator[tuple[Unit, str]]:
    """The class of the project and the attribute of each step of a path behind its first attribute.

    A step of a class that is unknown, or of another package, is left out.
    """
    classes = _held(context, context.family(unit), path.root)
    for name in path.below_root:
        having = [cls for cls in sorted(classes, key=repr) if name in context.analysis.attributes_of(cls).names]
        yield from ((Unit(cls.module, cls.name, True), name) for cls in having)
        classes = _held(context, having, name)


def made(context: RewriteContext, unit: Unit, attribute: str) -> list[Place]:
    """The places at which the family of a class makes an attribute."""
    tables = (context.analysis.attributes_of(member).names for member in context.family(unit))
    return [place for table in tables if attribute in table for place in table[attribute].creations]


def _held(context: RewriteContext, classes: tuple[ClassRef, ...] | list[ClassRef], attribute: str) -> set[ClassRef]:
    """The classes of the project that an attribute holds, or whose instances are in a list that it holds."""
    tables = (context.analysis.attributes_of(cls).names for cls in classes)
    kinds = [table[attribute].kind for table in tables if attribute in table]
    return {cls for kind in kinds for cls in _classes(kind)}


def _classes(kind: Kind | None) -> Iterator[ClassRef]:
    for module in modules_of(kind) if kind is not None else ():
        if isinstance(module.cls, ClassRef):
            yield module.cls
        yield from _items(module)


def _items(module: Module) -> Iterator[ClassRef]:
    item = module.item
    if isinstance(item, Sequence):
        yield from (cls for part in (item.item, *(item.items or ())) for cls in _classes(part))
    else:
        yield from _classes(item)
