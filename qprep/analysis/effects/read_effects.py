"""Attributes that are read of every child module that passes some tests."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from qprep.analysis.effects import listed_children
from qprep.analysis.effects.abstract_objects import Anything, Below, Reference
from qprep.analysis.effects.effect_kinds import Effect, EffectKind
from qprep.analysis.effects.effect_search import EffectSearch
from qprep.analysis.effects.lexical_scopes import BindingKind
from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES

# Attributes that layers with weights have and other modules lack.
_LAYER_ATTRIBUTES = frozenset(
    ["affine", "bias", "dilation", "embedding_dim", "eps", "groups", "in_channels", "in_features", "in_proj_bias",
     "in_proj_weight", "kernel_size", "momentum", "normalized_shape", "num_embeddings", "num_features", "out_channels",
     "out_features", "padding", "running_mean", "running_var", "stride", "weight", "weight_hh_l0", "weight_ih_l0",
     "weight_orig"]
)  # fmt: skip


def reads(search: EffectSearch) -> Iterator[Effect]:
    """Attributes that are read of every child module that passes some tests."""
    for node in search.file.index.of(ast.Attribute):
        if not (isinstance(node.ctx, ast.Load) and isinstance(node.value, ast.Name)):
            continue
        is_of_layers = node.attr in _LAYER_ATTRIBUTES and not _is_called_as_of_a_tensor(search, node)
        is_asked = is_of_layers and _is_variable_of_many(search, node.value)
        if is_asked or (not _is_of_every_module(node.attr) and _is_child_of_another(search, node.value)):
            text = f"reads `{ast.unparse(node)}`"
            yield from search.effect(EffectKind.READ, search.later(node.value), node, text, re.escape(node.attr))
    for call in search.file.index.of(ast.Call):
        match call:
            case ast.Call(func=ast.Name(id="getattr"), args=[ast.Name() as value, name]):
                for attribute in search.names_of(name):
                    if attribute in _LAYER_ATTRIBUTES and _is_variable_of_many(search, value):
                        text = f"calls `{ast.unparse(call)}`"
                        yield from search.effect(EffectKind.READ, search.later(value), call, text, attribute)


def _is_called_as_of_a_tensor(search: EffectSearch, node: ast.Attribute) -> bool:
    """True for `x.stride()` where no module has such a method: those of torch.nn have a value of this name."""
    call, name = search.file.parents.get(node), node.attr
    if not (isinstance(call, ast.Call) and call.func is node) or search.points_to.names.is_method(name):
        return False
    return not search.points_to.attribute(frozenset((Reference(Below(Anything())),)), name)


def _is_child_of_another(search: EffectSearch, node: ast.Name) -> bool:
    """True if a loop over the modules of another object than `self` binds a name.

    What a class does with children of its own, the rewrite of the class takes care of.
    """
    home = search.file.scope_of(node).binder(node.id)
    values = [binding.value for binding in home.bindings[node.id]] if home is not None else []
    listings = [each for each in values if isinstance(each, ast.expr) and listed_children.lists_modules(each)]
    return any(not _is_self(search, listed_children.listed_module(each)) for each in listings)


def _is_self(search: EffectSearch, node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == search.points_to.receiver(search.file.scope_of(node))


def _is_variable_of_many(search: EffectSearch, node: ast.Name) -> bool:
    """True if a name may mean one module after another: it is bound by a loop, or a parameter but not `self`."""
    home = search.file.scope_of(node).binder(node.id)
    kinds = {binding.kind for binding in home.bindings[node.id]} if home is not None else set()
    is_own = home is not None and home.receiver == node.id
    return not is_own and not kinds.isdisjoint((BindingKind.ITEM, BindingKind.PARAMETER))


def _is_of_every_module(name: str) -> bool:
    return name in NN_MODULE_ATTRIBUTES or name.startswith("__")
