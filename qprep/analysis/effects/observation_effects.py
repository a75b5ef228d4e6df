"""Uses of child modules, texts, graphs, sources and names that depend on which modules there are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from qprep.analysis.effects import (
    child_visits,
    container_uses,
    exposures,
    function_handlers,
    object_texts,
    replaced_tables,
    table_uses,
)
from qprep.analysis.effects.attribute_names import ANY_NAME
from qprep.analysis.effects.effect_kinds import Effect, EffectKind
from qprep.analysis.effects.effect_search import EffectSearch
from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import last_name
from qprep.analysis.values.abstract_values import ClassRef

if TYPE_CHECKING:
    from qprep.analysis.effects.outside_effects import OutsideEffects


def visits(search: EffectSearch, outside: OutsideEffects) -> Iterator[Effect]:
    """Uses of child modules that depend on which there are."""
    for visit in child_visits.visits(search.file, outside):
        yield Effect(
            EffectKind.OBSERVE_ORIGINAL if visit.of_originals else EffectKind.OBSERVE,
            visit.find_modules,
            Place.of(search.file.module, visit.node),
            f"goes through `{ast.unparse(visit.listing)}`",
            listing=Place.of(search.file.module, visit.listing),
            owner=_lister(search, visit.module, visit.listing),
            is_lasting=visit.is_lasting,
        )


def _lister(search: EffectSearch, module: ast.expr, listing: ast.expr) -> ClassRef | None:
    """The class whose method lists what its own object holds, also by `super()`."""
    scope = search.file.scope_of(listing)
    is_super = isinstance(module, ast.Call) and last_name(module.func) == "super"
    is_own = isinstance(module, ast.Name) and search.is_own(module, scope)
    return search.points_to.enclosing_class(scope) if is_own or is_super else None


def exposed(search: EffectSearch) -> Iterator[Effect]:
    """Uses of texts, graphs and sources, and handlers of torch's functions."""
    found = [(EffectKind.EXPOSE, each) for each in object_texts.texts(search.file, search.points_to)]
    found += [(EffectKind.EXPOSE, each) for each in exposures.graphs(search.file, search.points_to)]
    found += [(EffectKind.EXPOSE, each) for each in exposures.traced_models(search.file, search.points_to)]
    found += [(EffectKind.EXPOSE, each) for each in replaced_tables.replaced_tables(search.file, search.points_to)]
    found += [(EffectKind.EXPOSE, each) for each in exposures.watchers(search.file, search.points_to)]
    found += [(EffectKind.EXPOSE, each) for each in container_uses.container_uses(search.file, search.points_to)]
    found += [(EffectKind.BORROW, each) for each in exposures.borrowed_methods(search.file, search.points_to)]
    found += [(EffectKind.SOURCE, each) for each in exposures.sources(search.file, search.points_to)]
    found += [(EffectKind.NAMES, each) for each in table_uses.module_names(search.file, search.points_to)]
    found += [(EffectKind.TABLE, each) for each in table_uses.tables(search.file, search.points_to)]
    for kind, each in found:
        is_method = kind is EffectKind.BORROW and isinstance(each.node, ast.Attribute)
        name = re.escape(each.node.attr) if is_method and isinstance(each.node, ast.Attribute) else ANY_NAME
        yield Effect(kind, each.find_targets, Place.of(search.file.module, each.node), each.text, name)
    for cls, node in exposures.handlers(search.file):
        found_objects = partial(exposures.handled_objects, cls)
        text = f"`{cls.name}.{node.name}` reads which function of torch runs"
        place = Place.of(search.file.module, node)
        yield Effect(EffectKind.DISPATCH, found_objects, place, text, asked=function_handlers.asked(node))
