"""Constructors that go through the modules of self: a second instance made before would be met as well."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.effect_kinds import EffectKind
from qprep.analysis.symbols.ast_utils import is_attribute_of, positional_parameters
from qprep.analysis.values.abstract_values import ClassRef
from qprep.rewriting.safety.constructor_calls import run_by_init

if TYPE_CHECKING:
    from collections.abc import Collection

    from qprep.analysis.effects.effect_kinds import Effect
    from qprep.analysis.places import Unit
    from qprep.rewriting.fix_session import RewriteContext

_WALKS = frozenset(("modules", "named_modules", "children", "named_children", "apply"))
_COUNTS = frozenset(("len", "list", "tuple", "enumerate", "zip", "sum", "next", "sorted", "reversed"))


def walked_at_construction(context: RewriteContext, unit: Unit, *, counted: bool) -> ClassRef | None:
    """The class whose constructor iterates over the modules of self, or counts them, once `unit` made its own."""
    at_construction = run_by_init(context, unit)
    ref = ClassRef(unit.module, unit.name)
    for member in (ref, *sorted(context.project.subclasses(ref), key=repr)):
        entry = context.project.class_node(member)
        for name, method in entry.methods.items() if entry is not None else ():
            if name in at_construction and positional_parameters(method) and _walks(method, counted=counted):
                return member
    return None


def met_at_construction(context: RewriteContext, unit: Unit, classes: Collection[str]) -> ClassRef | None:
    """The class whose code of construction depends on which modules self has, a new one of some classes among them.

    Subclasses come first: their constructors go on once that of `unit` is done. Code of other files that lists the
    children of `unit` counts as the constructor's own, since it may be given self there.
    """
    family = context.family(unit)
    own = ClassRef(unit.module, unit.name)
    found = {
        (own if effect.owner is None else effect.owner)
        for name in classes
        for effect in context.effects.children.on_child(family, name)
        if effect.kind is EffectKind.OBSERVE and _runs_by_then(context, unit, effect)
    }
    later = sorted(found & set(context.project.subclasses(own)), key=repr)
    return later[0] if later else own if found else None


def _runs_by_then(context: RewriteContext, unit: Unit, effect: Effect) -> bool:
    if effect.owner not in context.family(unit):
        return effect.listing in context.facts.child_iterations
    body = context.body(effect.owner) if effect.owner is not None else None
    around = {name for name, each in body.methods.items() if each.spans(effect.place.line)} if body is not None else ()
    return not run_by_init(context, unit).isdisjoint(around)


def _walks(method: ast.FunctionDef, *, counted: bool) -> bool:
    owner = positional_parameters(method)[0].arg
    calls = [node for node in ast.walk(method) if isinstance(node, ast.Call)]
    walks = {node for node in calls if _is_walk(node, owner)}
    if not counted:
        return bool(walks)
    counting = (node for node in calls if getattr(node.func, "id", None) in _COUNTS)
    return any(arg in walks for node in counting for arg in node.args)


def _is_walk(node: ast.Call, owner: str) -> bool:
    func = node.func
    return is_attribute_of(func, owner) and func.attr in _WALKS
