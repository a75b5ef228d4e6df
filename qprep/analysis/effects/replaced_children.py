"""Children that code replaces by their names: `setattr(net, name, nn.SiLU())` in a loop over `named_children()`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import partial

from qprep.analysis.effects import named_children
from qprep.analysis.effects.abstract_objects import Made, References
from qprep.analysis.effects.attribute_names import ANY_NAME
from qprep.analysis.effects.effect_kinds import Effect, EffectKind
from qprep.analysis.effects.effect_search import EffectSearch
from qprep.analysis.effects.lexical_scopes import assigned_value
from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import argument_values


def replaced_by(search: EffectSearch, node: ast.expr) -> list[named_children.NamedChild] | None:
    """The children whose names an expression holds: `name` in a loop over `named_children()`."""
    return named_children.named_children(node, search.file, search.points_to)


def replacements(
    search: EffectSearch, node: ast.expr, replaced: Iterable[named_children.NamedChild], text: str
) -> Iterator[Effect]:
    """One effect for each loop over children that replaces them."""
    for child in replaced:
        by_class = search.is_by_class(child.where)
        place = Place.of(search.file.module, node)
        value = _given_with(search, child.where)
        values = partial(_made_by, search, value) if value is not None else None
        yield Effect(EffectKind.REPLACE, child.find_modules, place, text, ANY_NAME, by_class, find_values=values)


def _made_by(search: EffectSearch, call: ast.Call) -> References:
    """The module of torch that a call itself makes."""
    place = Place.of(search.file.module, call)
    found = search.targets(call)
    return found if all(isinstance(e.base, Made) and e.base.place == place for e in found) else frozenset()


def _given_with(search: EffectSearch, name: ast.AST) -> ast.Call | None:
    """The call that makes what a child gets with its name, if all its arguments are written out."""
    parent = search.file.parents.get(name)
    value: ast.expr | None = None
    if isinstance(parent, ast.Subscript):
        value = assigned_value(parent, search.file.parents)
    elif isinstance(parent, ast.Call):
        value = parent.args[-1]
    if not isinstance(value, ast.Call):
        return None
    arguments = argument_values(value)
    return value if all(isinstance(each, ast.Constant) for each in arguments) else None
