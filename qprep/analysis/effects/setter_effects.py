"""Attributes that functions set or delete: `setattr(net, name, …)`, `object.__setattr__(net, name, …)`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from qprep.analysis.effects.attribute_names import ANY_NAME
from qprep.analysis.effects.effect_kinds import TRAINING, Effect, EffectKind
from qprep.analysis.effects.effect_search import EffectSearch
from qprep.analysis.effects.mutator_names import OVERRIDES
from qprep.analysis.effects.name_lookups import listed
from qprep.analysis.effects.replaced_children import replaced_by, replacements
from qprep.analysis.places import Place


def setter(search: EffectSearch, node: ast.Call, name: str) -> Iterator[Effect]:
    """The effects of one call of `setattr`, `delattr` or their methods."""
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        yield from search.effect(EffectKind.SET, search.later(*node.args), node, f"calls `{name}`")
        return
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")) as owner), args=[attribute, *_]):
            pass
        case ast.Call(func=ast.Attribute(value=owner, attr="__setattr__" | "__delattr__"), args=[attribute]):
            pass
        case ast.Call(func=ast.Attribute(value=owner, attr="__setattr__"), args=[attribute, _]):
            pass
        case ast.Call(args=[owner, attribute, *_]):
            pass
        case _:
            return
    scope = search.file.scope_of(node)
    if scope.name in ("__setattr__", "__delattr__") and scope.owner is not None:
        return  # the class's own way to set attributes
    if (replaced := replaced_by(search, attribute)) is not None:
        yield from replacements(search, node, replaced, f"calls `{name}`")
        return
    is_assignment = _is_own_assignment(search, node, owner, attribute)
    for text in search.names_of(attribute):
        if is_assignment and text not in (ANY_NAME, TRAINING) and text not in OVERRIDES:
            continue
        yield Effect(
            EffectKind.MODE if text == TRAINING else EffectKind.SET,
            search.later(owner),
            Place.of(search.file.module, node),
            f"calls `{name}`",
            text,
            search.is_by_class(node),
            find_listed=listed(search, owner),
            owner=search.owner_of(node),
        )


def _is_own_assignment(search: EffectSearch, node: ast.Call, owner: ast.expr, attribute: ast.expr) -> bool:
    """True if a call is `setattr(self, "act", …)`, which the rewrite of a class reads as an assignment."""
    is_own = isinstance(owner, ast.Name) and search.is_own(owner, search.file.scope_of(node))
    is_setattr = isinstance(node.func, ast.Name) and node.func.id == "setattr"
    return is_own and is_setattr and isinstance(attribute, ast.Constant)
