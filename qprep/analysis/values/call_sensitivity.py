"""Modules that a callee allocates get an allocation site for each call (1-call-site sensitivity)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

from qprep.analysis.values.abstract_values import Kind, Mapping, Module, Sequence, Union, join_all
from qprep.analysis.values.allocation_sites import AllocationSite, Origin

Made = Callable[[Origin], bool]  # whether the call made what has this origin


def at_call_site(kind: Kind, place: AllocationSite | None, made: Made) -> Kind:
    """Re-root the modules in `kind`, the result of a call, that the callee allocated: their site is that of the call.

    place  the site of the call; None in a loop, where one site covers many objects, so the allocation site is unknown
    made   True for the sites that the callee allocated, and was not given
    """
    if type(kind) is Module:
        if kind.origin is None or not made(kind.origin):
            return kind
        item = None if kind.item is None else _within(kind.item, place, made)
        return Module(kind.cls, kind.path, place, item, kind.loops)
    return _within(kind, place, made)


def _within(kind: Kind, place: AllocationSite | None, made: Made) -> Kind:
    if type(kind) is Module:
        is_made = kind.origin is not None and made(kind.origin)
        origin = _at(kind.origin, place) if is_made else kind.origin
        item = None if kind.item is None else _within(kind.item, place, made)
        return Module(kind.cls, kind.path, origin, item, kind.loops)
    if type(kind) is Sequence:
        items = None if kind.items is None else tuple(_within(item, place, made) for item in kind.items)
        return Sequence(_within(kind.item, place, made), items)
    if type(kind) is Mapping:
        return Mapping(_within(kind.value, place, made))
    if type(kind) is Union:
        return join_all(_within(option, place, made) for option in kind.options)
    return kind


def _at(origin: Origin | None, place: AllocationSite | None) -> Origin | None:
    """The origin for the call at `place`; unknown in a loop."""
    if origin is None or place is None:
        return None
    site = origin if isinstance(origin, AllocationSite) else AllocationSite((origin,))
    return site.called_from(place)


def not_given(arguments: Iterable[Kind]) -> Made:
    """A call makes what it was not given."""
    given = {origin for argument in arguments for origin in _origins(argument)}
    return lambda origin: origin not in given and not (isinstance(origin, AllocationSite) and origin.is_common)


def _origins(kind: Kind) -> Iterator[Origin]:
    if type(kind) is Module:
        parts: Iterable[Kind | None] = (kind.item,)
        if kind.origin is not None:
            yield kind.origin
    elif type(kind) is Sequence:
        parts = (kind.item, *(kind.items or ()))
    elif type(kind) is Mapping:
        parts = (kind.value,)
    else:
        parts = kind.options if type(kind) is Union else ()
    for part in parts:
        if part is not None:
            yield from _origins(part)


def made_in(name: str, node: ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef) -> Made:
    """A call of the nested function `node` of the file `name` makes what its body makes, not what lies around it."""
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    first, last = body[0], body[-1]
    start = (first.lineno, first.col_offset)
    end = (last.end_lineno or last.lineno, last.end_col_offset or last.col_offset)

    def is_inside(origin: Origin) -> bool:
        made = origin.position if isinstance(origin, AllocationSite) else None  # the path of an attribute is no place
        return made is not None and made.module == name and start <= (made.line, made.column) < end

    return is_inside
