"""The objects that dotted names, files and packages define, and those found by a computed name."""

from __future__ import annotations

import ast

from qprep.analysis.effects.abstract_objects import (
    NOTHING,
    Anything,
    Below,
    ChildName,
    ClassObject,
    FunctionObject,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.attribute_names import is_any, may_be
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.effects.library_names import ANY_MODULE, ANY_OF_PACKAGE
from qprep.analysis.effects.object_items import modules_below
from qprep.analysis.effects.object_tests import GivenName
from qprep.analysis.effects.reference_sets import as_bound, classes_of, union
from qprep.analysis.effects.value_keys import VariableKey
from qprep.analysis.symbols.definition_names import plain_name
from qprep.analysis.values.abstract_values import ClassRef, External, FunctionRef, options

MAX_MODULES = 16
"""Modules of a project, any of which may define what a computed name gets from one; of more, that is not followed."""


def of_dotted(evaluation: Evaluation, dotted: str) -> References:
    """The object of a dotted name: a class, a function, a value of a module, or one of another package."""
    found = NOTHING
    for option in options(evaluation.project.resolve(dotted)):
        if isinstance(option, ClassRef):
            found |= {Reference(ClassObject(option))}
        elif isinstance(option, FunctionRef):
            node = evaluation.project.function_node(option)
            scope = evaluation.function(option.module, node) if node is not None else None
            found |= {Reference(FunctionObject(scope))} if scope is not None else NOTHING
        elif isinstance(option, External):
            found |= _of_external(evaluation, option.name)
    return found


def _of_external(evaluation: Evaluation, name: str) -> References:
    module, _, last = name.rpartition(".")
    if module and name not in evaluation.project.given and module in evaluation.project.given:
        file = evaluation.file(module)
        if file is not None and last in file.top.bindings:
            return evaluation.get(VariableKey(file.top, last))
    return frozenset((Reference(Named(name)),))


def found_by_name(evaluation: Evaluation, found: References, name: ast.expr, scope: LexicalScope) -> References:
    """Objects that are found by a name: no module that a fix adds where no listing of modules gave the name."""
    names = {each.base for each in evaluation.get(name, scope)}
    listed = [base for base in names if isinstance(base, ChildName) and not base.of_tensors]
    if any(isinstance(base, Anything) for base in names) or any(not base.named for base in listed):
        return found
    ways = [GivenName(base.named) for base in listed] or [GivenName()]
    return frozenset(each.narrowed([way]) if isinstance(each.base, Below) else each for each in found for way in ways)


def any_attribute(evaluation: Evaluation, references: References) -> References:
    """The results of `getattr(x, name)`: a module below, or a definition of a file, class or package."""
    found = modules_below(evaluation, references) | defined_in(evaluation, references)
    for reference in references:
        match reference.base:
            case Named(name=name) if name in evaluation.project.given:
                pass
            case Named(name="sys.modules"):
                found |= _of_any_module(evaluation)
            case Named(name=name):
                found |= {Reference(Named(f"{name}.{ANY_OF_PACKAGE}"))}
            case ClassObject(cls=ClassRef() as cls):
                for base in evaluation.project.mro(cls):
                    found |= every_binding(evaluation, evaluation.body(base) if isinstance(base, ClassRef) else None)
    return found


def methods_named(evaluation: Evaluation, references: References, patterns: frozenset[str]) -> References:
    """The methods of objects whose names match patterns; those of modules, if a part of the name is spelled."""
    found = NOTHING
    for cls in classes_of(references):
        if not (any(map(is_any, patterns)) and evaluation.is_module(cls)):
            family = (
                base for each in (cls, *evaluation.project.subclasses(cls)) for base in evaluation.project.mro(each)
            )
            keys = {
                key for base in family if isinstance(base, ClassRef) for key in evaluation.project.methods(base) or ()
            }
            names = {plain_name(key) for key in keys}
            wanted = (n for n in names if not n.startswith("__") and any(may_be(p, n) for p in patterns))
            found |= union(as_bound(evaluation.method(cls, name)) for name in wanted)
    return found


def defined_in(evaluation: Evaluation, references: References) -> References:
    """The values of all variables of the project's modules among some objects."""
    names = {each.base.name for each in references if isinstance(each.base, Named)} & evaluation.project.given.keys()
    files = [file for name in sorted(names) if (file := evaluation.file(name)) is not None]
    return union(every_binding(evaluation, file.top) for file in files)


def _of_any_module(evaluation: Evaluation) -> References:
    """The results of a computed name on any module: objects of another package, or of a small project."""
    files = [file for module in evaluation.modules if (file := evaluation.file(module)) is not None]
    known = files if len(evaluation.modules) <= MAX_MODULES else []
    found = union(every_binding(evaluation, file.top) for file in known)
    return found | {Reference(Named(f"{ANY_MODULE}.{ANY_OF_PACKAGE}"))}


def every_binding(evaluation: Evaluation, scope: LexicalScope | None) -> References:
    """The values of all variables of a scope."""
    return union(evaluation.get(VariableKey(scope, name)) for name in scope.bindings) if scope is not None else NOTHING
