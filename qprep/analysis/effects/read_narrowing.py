"""The objects that a variable may refer to after the tests on the way to a read."""

from __future__ import annotations

import ast

from qprep.analysis.effects import instance_checks
from qprep.analysis.effects.abstract_objects import (
    CHILD_NAME,
    Anything,
    ChildName,
    ClassObject,
    Instance,
    Many,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.class_conditions import (
    binding_loop,
    conditions,
    containers_with,
    may_bind,
    needed_behind,
)
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.effects.library_names import ROOTS
from qprep.analysis.effects.listings import module_beside
from qprep.analysis.effects.object_tests import ClassTest, Test
from qprep.analysis.effects.python_classes import is_standard
from qprep.analysis.effects.reference_sets import are_values, may_be_listed
from qprep.analysis.effects.variable_tests import Variable, is_none_or_attribute
from qprep.analysis.effects.written_texts import texts_in
from qprep.analysis.values.abstract_values import ClassRef, External


def narrowed_read(evaluation: Evaluation, node: ast.Name, found: References, home: LexicalScope) -> References:
    """The objects that a variable may refer to at a read, after the tests on the way there."""
    if not found or len(home.bindings[node.id]) != 1:
        return found
    if any(isinstance(each.base, ChildName) for each in found):
        found = _narrowed_name(evaluation, node, found, home)
    tests = list(conditions(node, tested_variable(evaluation, node.id, home), home.file.parents))
    loop = home.file.parents.get(value) if (value := home.bindings[node.id][0].value) is not None else None
    if isinstance(loop, ast.For) and binding_loop(node, home.file.parents) is not loop:
        tests += needed_behind(loop, frozenset((node.id,)), home.file.parents)
    return passing(evaluation, found, tests)


def passing(evaluation: Evaluation, found: References, tests: list[Test]) -> References:
    """The objects that may pass some tests: a number or a text is no object, and holds none."""
    for test in tests:
        if isinstance(test, ClassTest) and test.is_positive and are_values(test.classes):
            is_plain = all(isinstance(each, str) and is_standard(each) for each in test.classes or ())
            found = frozenset(each for each in found if _may_be_value(evaluation, each, is_plain))
    return frozenset(each.narrowed(tests) for each in found) if tests else found


def _may_be_value(evaluation: Evaluation, reference: Reference, is_plain: bool) -> bool:
    """True if an object may be a number, text or tensor: it is a name, or its class inherits from such a type.

    `is_plain`: a number or text. No class of another package that is not read counts as one of these.
    """
    match reference.base:
        case Anything() | Many() | ChildName():
            return True
        case Instance(cls=cls):
            bases = (base.name for base in evaluation.project.mro(cls) if isinstance(base, External))
            may_be = any(name not in ROOTS and (is_standard(name) or not is_plain) for name in bases)
            return may_be and not evaluation.is_module(cls)
    return False


def _narrowed_name(evaluation: Evaluation, node: ast.Name, found: References, home: LexicalScope) -> References:
    """The possible values of a name at a read: none of a listing, or the name of a module that has passed tests."""
    if _is_one_of_others(evaluation, node, home):
        return frozenset(each for each in found if not isinstance(each.base, ChildName))
    value = home.bindings[node.id][0].value
    module = module_beside(node.id, home.file.parents.get(value)) if value is not None else None
    if module is None or len(home.bindings.get(module, ())) != 1:
        return found
    known = frozenset(conditions(node, tested_variable(evaluation, module, home), home.file.parents))
    return frozenset(Reference(ChildName(named=known)) if each == CHILD_NAME else each for each in found)


def _is_one_of_others(evaluation: Evaluation, node: ast.Name, scope: LexicalScope) -> bool:
    """True if a test has shown that a text is one of those in a container, which come from no listing."""
    containers = containers_with(node, scope.file.parents)
    return any(not may_be_listed(evaluation.get(container, scope)) for container in containers)


def tested_variable(evaluation: Evaluation, name: str, scope: LexicalScope) -> Variable:
    """A variable of a scope, as tests of its class are read."""
    held = {
        other
        for other, bindings in scope.bindings.items()
        if len(bindings) == 1 and isinstance(bindings[0].value, ast.expr) and _names_class(bindings[0].value, name)
    }
    attributes = {
        other: bindings[0].value
        for other, bindings in scope.bindings.items()
        if len(bindings) == 1
        and isinstance(bindings[0].value, ast.expr)
        and is_none_or_attribute(bindings[0].value, name)
        and _is_with_each(bindings[0].value, name, scope.file.parents)
    }
    return Variable(
        name,
        lambda node: tested_classes(evaluation, node, scope),
        lambda function: scope.binder(function) is None,
        frozenset(held),
        attributes,
        lambda node: texts_in(evaluation, node, scope),
    )


def tested_classes(evaluation: Evaluation, node: ast.expr, scope: LexicalScope) -> frozenset[ClassRef | str] | None:
    """The classes that the second argument of `isinstance` names; None where they are not known."""
    found: set[ClassRef | str] = set()
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        parts = [node.left, node.right]
    for part in parts:
        references = evaluation.known_class(part, scope)
        if references is None:
            continue  # so far, no object is known to pass
        if not references:
            return None
        for reference in references:
            if instance_checks.may_have_any_instance(evaluation, reference.base):
                return None
            if isinstance(reference.base, ClassObject):
                found.add(reference.base.cls)
            elif isinstance(reference.base, Named):
                found.add(reference.base.name)
            else:
                return None
    return frozenset(found)


def _is_with_each(value: ast.expr, name: str, parents: dict[ast.AST, ast.AST]) -> bool:
    """True if an assignment runs whenever its function does, or in each round of the loop that binds a name."""
    statement = parents.get(value)
    around = parents.get(statement) if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    is_round = isinstance(around, ast.For) and statement in around.body and may_bind([around.target], name)
    return is_round or isinstance(around, ast.FunctionDef | ast.AsyncFunctionDef)


def _names_class(node: ast.expr, name: str) -> bool:
    """True if an expression is the name of the class of a variable: `m.__class__.__name__`."""
    match node:
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id=tested), attr="__class__"), attr="__name__"):
            return tested == name
        case ast.Attribute(value=ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=tested)]), attr="__name__"):
            return tested == name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=tested), attr="_get_name"), args=[]):
            return tested == name
    return False
