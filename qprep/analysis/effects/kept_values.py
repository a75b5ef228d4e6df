"""The values that code stores in the object of a variable or of an attribute, without a plain assignment."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from qprep.analysis.effects.abstract_objects import (
    CHILD_NAME,
    NOTHING,
    Anything,
    Below,
    ClassObject,
    FunctionObject,
    Instance,
    Made,
    Many,
    Named,
    Reference,
    References,
    may_be_of,
)
from qprep.analysis.effects.definitions import is_torch_container
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.lexical_scopes import Binding, BindingKind, FileScopes, LexicalScope
from qprep.analysis.effects.object_items import modules_below, with_parts
from qprep.analysis.effects.reference_sets import is_followed, is_holder, union
from qprep.analysis.effects.stored_values import Addition, Kept
from qprep.analysis.effects.value_keys import KeptKey
from qprep.analysis.symbols.ast_utils import argument_values, last_name
from qprep.analysis.values.abstract_values import ClassRef


def of_kept(evaluation: Evaluation, key: KeptKey) -> References:
    """The values stored in the object of a variable, or of an attribute on any object."""
    home, name = key.home, key.name
    if isinstance(home, LexicalScope):
        if _is_immutable(evaluation, home, name):
            return NOTHING
        found = union(values_added(evaluation, each) for each in evaluation.stores.of_variable(home, name))
        if home.is_function and any(isinstance(node, ast.Name) and node.id == name for node in home.returned):
            found |= union(values_added(evaluation, each) for each in evaluation.stores.of_result(home.name))
        if home.parent is None:
            kept = evaluation.stores.of_attribute(name)
            found |= union(
                values_added(evaluation, each.addition) for each in kept if _may_be_of_module(evaluation, each)
            )
        uses = _calls_adding_to(evaluation, home, name)
        return found | union(_kept_by_callee(evaluation, node, call, home.file) for node, call in uses)
    return kept_in_attribute(evaluation, name, None) | kept_by_callees(evaluation, name, None)


def _is_immutable(evaluation: Evaluation, scope: LexicalScope, name: str) -> bool:
    """True if code gives a variable numbers and texts alone, which hold nothing, whatever else gets them."""
    if scope.parent is None and _is_set_elsewhere(evaluation, scope.file, name):
        return False
    bindings = scope.bindings.get(name, ())
    return bool(bindings) and all(_is_written_out(binding, scope) for binding in bindings)


def _is_set_elsewhere(evaluation: Evaluation, file: FileScopes, name: str) -> bool:
    """True if code may set a variable of a module otherwise: `module.name = …`, `globals()[key] = …`."""
    stores = evaluation.stores.attribute_stores(name)
    return any(store.owner is None and store.scope.file is file for store in stores) or any(
        not evaluation.own_class(node, where)[0] for node, where, _ in evaluation.assignments(name)
    )


def _is_written_out(binding: Binding, scope: LexicalScope) -> bool:
    """True if a binding gives a name a number or text: `name = "out"`, not `first, *rest = "out"`."""
    value = binding.value
    if binding.kind is not BindingKind.VALUE or not isinstance(value, ast.Constant | ast.JoinedStr):
        return False
    match scope.file.parents.get(value):
        case ast.Assign(targets=targets):
            return all(isinstance(target, ast.Name) for target in targets)
        case ast.AnnAssign():
            return True
    return False


def _may_be_of_module(evaluation: Evaluation, kept: Kept) -> bool:
    """True if what something is added to may be a variable of a module, and no attribute of another object."""
    if kept.node is None or kept.scope is None:
        return True
    if evaluation.is_own(kept.node, kept.scope):
        return False
    return any(isinstance(each.base, Named | Anything | Many) for each in evaluation.get(kept.node.value, kept.scope))


def kept_in_attribute(evaluation: Evaluation, name: str, family: frozenset[ClassRef] | None) -> References:
    """The values stored in what an attribute holds: of objects of a family, or (None) of any."""
    return union(
        values_added(evaluation, kept.addition)
        for kept in evaluation.stores.of_attribute(name)
        if family is None
        or kept.node is None
        or kept.scope is None
        or may_set(evaluation, kept.node, kept.scope, family)
    )


def kept_by_callees(evaluation: Evaluation, name: str, family: frozenset[ClassRef] | None) -> References:
    """The values that functions store in what an attribute holds, which they are given."""
    return union(
        _kept_by_callee(evaluation, node, call, file)
        for node, call, file in _adding_calls(evaluation, name)
        if family is None or may_set(evaluation, node, file.scope_of(node), family)
    )


def _adding_calls(evaluation: Evaluation, name: str) -> list[tuple[ast.Attribute, ast.Call, FileScopes]]:
    """The reads of an attribute as an argument of a call that may put something into it."""
    if name not in evaluation.adding_calls:
        evaluation.adding_calls[name] = [
            (node, call, file)
            for node, file in evaluation.names.loads(evaluation, name)
            if isinstance(node, ast.Attribute) and (call := _call_of_adder(evaluation, node, file)) is not None
        ]
    return evaluation.adding_calls[name]


def _calls_adding_to(evaluation: Evaluation, home: LexicalScope, name: str) -> list[tuple[ast.Name, ast.Call]]:
    """The reads of a variable as an argument of a call that may put something into it."""
    key = (home, name)
    if key not in evaluation.calls_adding_to:
        reads = evaluation.names.reads(home.file, name) if _may_bind_container(home, name) else ()
        evaluation.calls_adding_to[key] = [
            (node, call)
            for node in reads
            if (call := _call_of_adder(evaluation, node, home.file)) is not None
            and home.file.scope_of(node).binder(name) is home
        ]
    return evaluation.calls_adding_to[key]


def _may_bind_container(home: LexicalScope, name: str) -> bool:
    """True if a variable may hold an object that can keep others."""
    kinds = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Call)
    return any(isinstance(b.value, kinds) or b.kind is BindingKind.PARAMETER for b in home.bindings.get(name, ()))


def _kept_by_callee(evaluation: Evaluation, node: ast.expr, call: ast.Call, file: FileScopes) -> References:
    """The values that a function stores in an argument of a call."""
    found = NOTHING
    for function in _run_by(evaluation, evaluation.get(call.func, file.scope_of(call))):
        for name in evaluation.calls.bound_names(call, function, node):
            found |= evaluation.get(KeptKey(function, name))
    return found


def _call_of_adder(evaluation: Evaluation, node: ast.expr, file: FileScopes) -> ast.Call | None:
    """The call that an expression is an argument of, where the function may put something into it."""
    call: ast.AST | None = file.parents.get(node)
    call = file.parents.get(call) if isinstance(call, ast.keyword) else call
    if not isinstance(call, ast.Call) or call.func is node or last_name(call.func) not in evaluation.stores.adders:
        return None
    return call


def _run_by(evaluation: Evaluation, callees: References) -> Iterable[LexicalScope]:
    """The functions of the project that a call runs."""
    for reference in callees:
        base = reference.base
        if isinstance(base, FunctionObject):
            yield base.scope
        elif isinstance(base, ClassObject) and isinstance(base.cls, ClassRef):
            yield from evaluation.method(base.cls, "__init__")


def values_added(evaluation: Evaluation, addition: Addition) -> References:
    """The values that an addition may store in an object; none if the receiving code is followed by itself."""
    if addition.passed is not None:
        return _given_to_passed(evaluation, addition.passed, addition.scope)
    if addition.callee is not None and not addition.keeps_texts:
        callees = evaluation.known(addition.callee, addition.scope)
        callee = addition.callee
        owners = evaluation.get(callee.value, addition.scope) if isinstance(callee, ast.Attribute) else NOTHING
        # A method of an object that is not read may be any, whatever that object holds under its name.
        is_known = callees and all(map(is_followed, callees)) and not any(is_holder(each.base) for each in owners)
        if callees is None or is_known or (owners and all(_keeps_children(evaluation, each) for each in owners)):
            return NOTHING
    found = union(evaluation.get(value, addition.scope) for value in addition.values)
    if addition.callee is not None and not addition.keeps_texts:
        found = with_parts(evaluation, found)
    return found if addition.keeps_texts else found - {CHILD_NAME}


def _given_to_passed(evaluation: Evaluation, method: ast.Attribute, scope: LexicalScope) -> References:
    """The objects that calls give a stored method of a container: `add = items.append`."""
    if any(isinstance(each.base, FunctionObject) for each in evaluation.get(method, scope)):
        return NOTHING  # a method of the project, which is followed by itself
    uses = evaluation.calls.uses_of(method, scope.file)
    given = [(value, where) for call, where in (*uses.direct, *uses.loose) for value in argument_values(call)]
    found = union(evaluation.get(value, where) for value, where in given)
    owners = union(evaluation.get(c.func.value, w) for c, w in uses.loose if isinstance(c.func, ast.Attribute))
    return found | owners | modules_below(evaluation, owners)


def _keeps_children(evaluation: Evaluation, reference: Reference) -> bool:
    """True if an object is a module that keeps others as children alone: they count as below it."""
    base = reference.base
    if isinstance(base, Made):
        return base.name.startswith("torch.nn.") and not is_torch_container(base.name)
    return isinstance(base, Below) or (
        isinstance(base, Instance) and evaluation.is_module(base.cls) and not evaluation.is_container(base.cls)
    )


def may_set(evaluation: Evaluation, node: ast.Attribute, scope: LexicalScope, family: frozenset[ClassRef]) -> bool:
    """True if an assignment to an attribute may be one to an object of a family."""
    is_own, cls = evaluation.own_class(node, scope)
    if is_own:
        return cls in family
    owners = evaluation.known(node.value, scope)
    return owners is not None and (not owners or may_be_of(owners, family))
