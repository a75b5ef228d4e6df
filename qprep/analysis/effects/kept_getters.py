"""Results of an `attrgetter` that is made at one place and called at another."""

from __future__ import annotations

import ast

from qprep.analysis.effects.abstract_objects import Made, Reference, References
from qprep.analysis.effects.attribute_values import attribute_of
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.effects.module_definitions import any_attribute
from qprep.analysis.effects.reference_sets import union
from qprep.analysis.places import Place

GETTER = "operator.attrgetter"


def made_getter(evaluation: Evaluation, name: str, node: ast.Call, scope: LexicalScope) -> References:
    """The object that `attrgetter(…)`, by its dotted name, makes."""
    place = Place.of(scope.file.module, node)
    evaluation.getters[place] = node
    return frozenset((Reference(Made(name, place)),))


def fetched(evaluation: Evaluation, place: Place | None, node: ast.Call, scope: LexicalScope) -> References:
    """The result of a call of a getter that was made at a place, or (None) anywhere."""
    return _of_getter(evaluation, place, union(evaluation.get(value, scope) for value in node.args))


def fetched_by_package(evaluation: Evaluation, given: References) -> References:
    """The results of getters that a package calls with the other objects which it is given: `map(getter, nets)`."""
    getters = (each.base for each in given if isinstance(each.base, Made) and each.base.name == GETTER)
    return union(_of_getter(evaluation, getter.place, given) for getter in getters)


def _of_getter(evaluation: Evaluation, place: Place | None, owners: References) -> References:
    """The objects that a getter fetches from some objects; by any name, if its paths are not known."""
    made = evaluation.getters.get(place) if place is not None else None
    if made is None:
        return any_attribute(evaluation, owners)
    return union(at_path(evaluation, owners, path) for path in made.args)


def at_path(evaluation: Evaluation, owners: References, path: ast.expr) -> References:
    """The objects that a path of attributes may lead to from some objects."""
    if not (isinstance(path, ast.Constant) and isinstance(path.value, str)):
        return any_attribute(evaluation, owners)
    for name in path.value.split("."):
        owners = attribute_of(evaluation, owners, name)
    return owners
