"""The results of calls that Python itself gives a meaning: `getattr`, `super`, `type`, `vars`, `attrgetter`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from qprep.analysis.effects.abstract_objects import (
    ANY_OBJECT,
    CHILD_NAME,
    HOLDER,
    NOTHING,
    Base,
    ClassObject,
    FunctionObject,
    Held,
    Instance,
    Made,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.attribute_names import patterns_of
from qprep.analysis.effects.attribute_values import attribute_of, classes_of_objects
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.kept_getters import at_path
from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.effects.module_definitions import (
    any_attribute,
    defined_in,
    every_binding,
    found_by_name,
    methods_named,
)
from qprep.analysis.effects.object_items import modules_below
from qprep.analysis.effects.python_classes import is_standard
from qprep.analysis.effects.reference_sets import classes_in, classes_of, union
from qprep.analysis.effects.value_keys import ResultKey
from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import dotted_text, named_read
from qprep.analysis.values.abstract_values import ClassRef


def of_builtin_call(  # noqa: C901, PLR0912  (one case a function)
    evaluation: Evaluation, node: ast.Call, scope: LexicalScope
) -> References | None:
    """Calls that Python itself gives a meaning: `getattr`, `super`, `type`, `vars`, `attrgetter`."""
    match node:
        case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(name)), *_]):
            return attribute_of(evaluation, evaluation.get(value, scope), name) | union(
                evaluation.get(a, scope) for a in node.args[2:]
            )
        case ast.Call(func=ast.Name(id="getattr"), args=[value, attribute, *_]):
            owners = evaluation.get(value, scope)
            found = found_by_name(evaluation, any_attribute(evaluation, owners), attribute, scope)
            found |= methods_named(evaluation, owners, patterns_of(attribute, scope))
            return found | union(evaluation.get(a, scope) for a in node.args[2:])
        case ast.Call(func=ast.Attribute(attr="__getattr__" | "__getattribute__")) if (
            read := named_read(node)
        ) is not None:
            return attribute_of(evaluation, evaluation.get(read[0], scope), read[1])
        case ast.Call(func=ast.Name(id="super")):
            cls = evaluation.enclosing_class(scope)
            return frozenset((Reference(Instance(cls)),)) if cls is not None else NOTHING
        case ast.Call(func=ast.Name(id="type"), args=[value]):
            return classes_of_objects(evaluation, evaluation.get(value, scope))
        case ast.Call(func=ast.Name(id="type"), args=[_, bases, body]):
            return evaluation.get(bases, scope) | (HOLDER | held if (held := evaluation.get(body, scope)) else NOTHING)
        case ast.Call(func=ast.Attribute(attr="__new__"), args=[cls, *_]):
            return _instances_of(evaluation.get(cls, scope), Place.of(scope.file.module, node))
        case ast.Call(func=ast.Name(id="eval" | "exec")):
            return _of_text(evaluation, node, scope)
        case ast.Call(func=ast.Name(id="globals"), args=[]):
            return every_binding(evaluation, scope.file.top)
        case ast.Call(func=ast.Name(id="locals" | "vars"), args=[]):
            return every_binding(evaluation, scope)
        case ast.Call(func=ast.Name(id="vars"), args=[value]):
            found = evaluation.get(value, scope)
            return modules_below(evaluation, found) | defined_in(evaluation, found) | {CHILD_NAME}
        case ast.Call(func=ast.Name(id="dir"), args=[_]):
            return frozenset((CHILD_NAME,))
        case ast.Call(func=ast.Call(func=getter, args=[ast.Constant() as path]), args=[value]):
            if dotted_text(getter).rpartition(".")[2] == "attrgetter":
                return at_path(evaluation, evaluation.get(value, scope), path)
    return None


def _of_text(evaluation: Evaluation, call: ast.Call, scope: LexicalScope) -> References:
    """The values of texts that run: what the variables around name, or what the call is given in their place.

    A text that names anything of torch, of another package or of another file of the project may make any object.
    """
    named = union(evaluation.get(value, scope) for value in [*call.args[1:], *(k.value for k in call.keywords)])
    if len(call.args) + len(call.keywords) == 1:
        if scope.file.index.stars:
            return ANY_OBJECT
        named = union(every_binding(evaluation, around) for around in _around(scope))
    results: References = NOTHING
    for each in named:
        match each.base:
            case ClassObject(cls=ClassRef() as cls):
                results |= {Reference(Instance(cls))}
            case FunctionObject(scope=function):
                results |= evaluation.get(ResultKey(function))
            case Named(name=name) | ClassObject(cls=str(name)):
                if not is_standard(name):
                    return ANY_OBJECT
    found = named | results
    return found | modules_below(evaluation, found) | frozenset(Reference(Held(cls, None)) for cls in classes_of(found))


def _around(scope: LexicalScope) -> Iterator[LexicalScope]:
    """The scopes whose variables a text at a place can name."""
    around: LexicalScope | None = scope
    while around is not None:
        yield around
        around = around.parent


def _instances_of(classes: References, place: Place) -> References:
    """The objects that `__new__` returns for classes."""
    made: list[Base] = [Instance(cls, place) for cls in classes_in(classes)]
    bases = [reference.base for reference in classes]
    made += [Made(base.cls, place) for base in bases if isinstance(base, ClassObject) and isinstance(base.cls, str)]
    made += [Made(base.name, place) for base in bases if isinstance(base, Named)]
    return frozenset(map(Reference, made))
