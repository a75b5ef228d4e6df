"""Modules that code looks up by a name: `modules[name]`, `net.get_submodule(name)`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from qprep.analysis.effects.abstract_objects import References
from qprep.analysis.effects.call_context import CallContext
from qprep.analysis.effects.effect_search import EffectSearch
from qprep.analysis.effects.lexical_scopes import BindingKind
from qprep.analysis.effects.reference_sets import may_be_listed


@dataclass(frozen=True, slots=True)
class NameLookup:
    """A module is taken from a table, or (None) from a module, by a key."""

    key: ast.expr
    table: ast.expr | None = None


def listed(search: EffectSearch, receiver: ast.expr) -> Callable[[], References] | None:
    """The objects of a receiver in calls that look it up by a name from a listing of names."""
    values = _values_of(search, receiver)
    return partial(_listed_of, search, values) if any(map(_looked_up, values)) else None


def _listed_of(search: EffectSearch, values: Iterable[ast.expr]) -> References:
    """The same for several expressions, some of which look nothing up."""
    found = ((value, _looked_up(value)) for value in values)
    return frozenset().union(
        *(search.targets(value) if lookup is None else _listed_by(search, value, lookup) for value, lookup in found)
    )


def _listed_by(search: EffectSearch, receiver: ast.expr, lookup: NameLookup) -> References:
    scope = search.file.scope_of(receiver)
    uses = search.points_to.calls.uses(scope) if scope.is_function else None
    if uses is None or uses.unknown or uses.loose or not uses.direct:
        return search.targets(receiver) if _may_meet_new(lookup, search.targets) else frozenset()
    contexts = [CallContext(search.points_to, scope, call, where) for call, where in uses.direct]
    return frozenset().union(*(each.of(receiver) for each in contexts if _may_meet_new(lookup, each.of)))


def _values_of(search: EffectSearch, node: ast.expr, seen: frozenset[ast.expr] = frozenset()) -> list[ast.expr]:
    """The values of a variable, or the expression itself where a binding gives the variable something else."""
    home = search.file.scope_of(node).binder(node.id) if isinstance(node, ast.Name) else None
    bindings = home.bindings[node.id] if home is not None and isinstance(node, ast.Name) else []
    values = [b.value for b in bindings if b.kind is BindingKind.VALUE and isinstance(b.value, ast.expr)]
    if node in seen or not values or len(values) != len(bindings):
        return [node]
    return [part for value in values for part in _values_of(search, value, seen | {node})]


def _looked_up(node: ast.expr) -> NameLookup | None:
    """A lookup of a module: `modules[name]`, `net.get_submodule(name)`."""
    match node:
        case ast.Subscript(slice=ast.Slice() | ast.Constant(value=int())):
            return None
        case ast.Subscript(value=table, slice=name):
            return NameLookup(name, table)
        case ast.Call(func=ast.Attribute(attr="get_submodule"), args=[name]):
            return NameLookup(name)
        case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[name, *_]):
            return NameLookup(name, table)
    return None


def _may_meet_new(lookup: NameLookup, targets: Callable[[ast.expr], References]) -> bool:
    """True if a lookup may give a module that a fix adds: a listing gave the key, or the table has no names as keys."""
    if may_be_listed(targets(lookup.key)):
        return True
    return lookup.table is not None and not may_be_listed(targets(lookup.table))
