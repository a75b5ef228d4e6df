"""Iteration over objects: children of modules, items of containers, results of `__iter__`."""

from __future__ import annotations

import ast
from functools import lru_cache

from qprep.analysis.effects.abstract_objects import (
    MANY,
    NOTHING,
    Anything,
    Base,
    Below,
    ChildName,
    Held,
    HolderOf,
    Instance,
    Made,
    Many,
    Reference,
    References,
)
from qprep.analysis.effects.definitions import is_torch_container
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.library_names import CHILDREN
from qprep.analysis.effects.listings import is_module_in, is_name_in_namespace, module_beside
from qprep.analysis.effects.reference_sets import classes_in, classes_of, union
from qprep.analysis.effects.value_keys import GivenKey, ResultKey


def item_of(evaluation: Evaluation, references: References, name: str, loop: ast.AST | None) -> References:
    """The values that a loop gives a variable: of a pair of name and module, the name is a text only."""
    if is_name_in_namespace(name, loop):
        return NOTHING
    listed = _listed_children(evaluation, references, loop)
    found = items_of(evaluation, references - listed) | listed
    if module_beside(name, loop) is not None:
        return frozenset(each for each in found if isinstance(each.base, ChildName | Anything))
    if not is_module_in(loop, name):
        return found
    return frozenset(each for each in found if not isinstance(each.base, ChildName))


def _listed_children(evaluation: Evaluation, references: References, loop: ast.AST | None) -> References:
    """The modules that a loop over `net.children()` gives one by one: no module further down is an item of these."""
    match loop:
        case (
            ast.For(iter=ast.Call(func=ast.Attribute(attr=name)))
            | ast.comprehension(iter=ast.Call(func=ast.Attribute(attr=name)))
        ) if name in CHILDREN and not any(map(evaluation.has_method, CHILDREN)):
            return frozenset(each for each in references if _is_below_module(evaluation, each.base))
    return NOTHING


def _is_below_module(evaluation: Evaluation, base: Base) -> bool:
    match base:
        case Below(owner=Instance(cls=cls)):
            return evaluation.is_module(cls)
    return False


def items_of(evaluation: Evaluation, references: References) -> References:
    """The results of iterating over an object: the children of a module, the items of a container."""
    held = (Reference(each.base.owner) for each in references if isinstance(each.base, HolderOf))
    found = references | modules_below(
        evaluation, frozenset((*(each for each in references if _may_have_items(evaluation, each)), *held))
    )
    if evaluation.has_method("__iter__"):
        started = results_of_methods(evaluation, references, "__iter__")
        found |= started | results_of_methods(evaluation, started | references, "__next__")
    return found | union(evaluation.get(GivenKey(c)) for c in classes_of(references) if evaluation.has_given_items(c))


def with_parts(evaluation: Evaluation, references: References) -> References:
    """The same, and objects around the modules among them, as code of another package makes them."""
    modules = (each for each in references if isinstance(each.base, Instance) and not _may_have_items(evaluation, each))
    return references.union(_holder_of(each.base) for each in modules)


@lru_cache(maxsize=1 << 16)  # made anew for each growth of a set
def _holder_of(base: Instance) -> Reference:
    return Reference(HolderOf(base))


def _may_have_items(evaluation: Evaluation, reference: Reference) -> bool:
    """True if an object may be iterated over; a module is, where its class says so or is a container."""
    match reference.base:
        case Instance(cls=cls):
            return evaluation.may_be_iterated(cls)
        case Made(name=name):
            return not name.startswith("torch.nn.") or is_torch_container(name)
    return True


def results_of_methods(evaluation: Evaluation, references: References, *names: str) -> References:
    """The results of the methods that Python calls by itself, if the project defines them for the objects."""
    used = [name for name in names if evaluation.has_method(name)]
    if not used:
        return NOTHING
    found = NOTHING
    for cls in classes_in(references) | classes_of(references):
        found |= union(evaluation.get(ResultKey(method)) for name in used for method in evaluation.method(cls, name))
    return found


def modules_below(evaluation: Evaluation, references: References, *, is_direct: bool = False) -> References:
    """Modules below any of several objects; their children alone where `is_direct`."""
    found: set[Reference] = set()
    for reference in references:
        base = reference.base
        if isinstance(base, Below):
            found.add(Reference(Below(base.owner)))
        elif isinstance(base, Instance | Made | Held | Anything):
            found.add(Reference(Below(base, is_direct)))
        elif isinstance(base, Many):
            found.add(MANY)  # so a set that grows past the limit leaves none of its first members behind
    if any(_is_container_object(evaluation, each.base) for each in references):  # any of the others may be in it
        found |= {each for each in references if not _is_container_object(evaluation, each.base)}
    return frozenset(found)


def _is_container_object(evaluation: Evaluation, base: Base) -> bool:
    """True for an object of Sequential, ModuleList, ModuleDict, or of a class that inherits from them."""
    return (isinstance(base, Made) and is_torch_container(base.name)) or (
        isinstance(base, Instance) and evaluation.is_container(base.cls)
    )
