"""Metaclasses, and bases that a class gets from a function around it."""

from __future__ import annotations

import ast

from qprep.analysis.effects.abstract_objects import NOTHING, Instance, Reference, References
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.effects.reference_sets import classes_in, union
from qprep.analysis.effects.value_keys import ResultKey
from qprep.analysis.values.abstract_values import ClassRef


def of_metaclass(evaluation: Evaluation, cls: ClassRef) -> References:
    """The result of a metaclass's `__call__`, if it defines one."""
    if not evaluation.has_method("__call__"):
        return NOTHING
    methods = (m for kind in classes_in(evaluation.metaclass_objects(cls)) for m in evaluation.method(kind, "__call__"))
    return union(evaluation.get(ResultKey(method)) for method in methods)


def of_computed_bases(evaluation: Evaluation, cls: ClassRef) -> References:
    """Instances of the bases that a class, or a subclass, gets from a function around it.

    `def make(base): class C(Mixin, base): …`: what runs for a C, or for a Mixin, may have an instance of any base.
    """
    found: set[ClassRef] = set()
    for body in _made_in_functions(evaluation, cls):
        if isinstance(body.node, ast.ClassDef) and body.parent is not None:
            around = body.parent
            found |= classes_in(union(evaluation.get(base, around) for base in body.node.bases))
    return frozenset(Reference(Instance(base)) for base in found if base not in evaluation.project.mro(cls))


def _made_in_functions(evaluation: Evaluation, cls: ClassRef) -> tuple[LexicalScope, ...]:
    """The bodies of a class and its subclasses as far as functions make them."""
    if cls not in evaluation.local_bodies:
        bodies = filter(None, map(evaluation.body, (cls, *sorted(evaluation.project.subclasses(cls), key=repr))))
        evaluation.local_bodies[cls] = tuple(b for b in bodies if b.parent is not None and b.parent.is_function)
    return evaluation.local_bodies[cls]
