"""The results of calls."""

from __future__ import annotations

import ast

from qprep.analysis.effects.abstract_objects import (
    ANY_OBJECT,
    CHILD_NAME,
    HOLDER,
    MANY_WITH_NAMES,
    NOTHING,
    TENSOR_NAME,
    Anything,
    Below,
    ChildName,
    ClassObject,
    FunctionObject,
    Held,
    Holder,
    Instance,
    Made,
    Many,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.attribute_values import has_known_values, is_an_attribute
from qprep.analysis.effects.builtin_results import of_builtin_call
from qprep.analysis.effects.class_bases import of_computed_bases, of_metaclass
from qprep.analysis.effects.definitions import is_torch_container
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.external_results import of_arguments, of_external_call, of_unknown_call
from qprep.analysis.effects.handed_back import RETURNS_SELF, may_hand_back
from qprep.analysis.effects.kept_getters import GETTER, fetched, made_getter
from qprep.analysis.effects.lexical_scopes import LexicalScope
from qprep.analysis.effects.library_names import CHILD_TABLE, CHILDREN, CONTAINERS, FETCHES, VIEWS
from qprep.analysis.effects.method_calls import attribute_reads
from qprep.analysis.effects.module_definitions import found_by_name
from qprep.analysis.effects.object_items import items_of, modules_below, results_of_methods
from qprep.analysis.effects.python_classes import OF_CONTAINERS
from qprep.analysis.effects.reference_sets import is_holder, union
from qprep.analysis.effects.tensor_expressions import is_operation_module, names_operation_of_tensors
from qprep.analysis.effects.value_keys import ResultKey
from qprep.analysis.places import Place
from qprep.analysis.symbols.ast_utils import argument_values, is_text_method
from qprep.analysis.values.abstract_values import ClassRef

_TENSORS = frozenset(["parameters", "named_parameters", "buffers", "named_buffers", "state_dict"])
_GIVE_ITEM = frozenset(("__getitem__", "get", "pop", "popitem", "setdefault"))
"""Methods of containers that return one of their items."""
_NAMESPACES = (Named, ClassObject, FunctionObject)
"""Objects whose attributes code finds by their names: modules, classes, functions."""


def of_call(evaluation: Evaluation, node: ast.Call, scope: LexicalScope) -> References:
    """The objects that a call may return."""
    found = _result_of_call(evaluation, node, scope)
    match node.func:
        case ast.Attribute(value=owner, attr=name) if name in _GIVE_ITEM:
            found |= items_of(evaluation, frozenset(filter(_is_module, evaluation.get(owner, scope))))
    return found


def _is_module(reference: Reference) -> bool:
    """True for an object that is, or may be, a module with items."""
    base = reference.base
    return isinstance(base, Instance | Below) or (isinstance(base, Made) and is_torch_container(base.name))


def _result_of_call(evaluation: Evaluation, node: ast.Call, scope: LexicalScope) -> References:
    if (special := of_builtin_call(evaluation, node, scope)) is not None:
        return special
    if (of_module := _of_listing(evaluation, node, scope)) is not None:
        return of_module
    if is_text_method(node.func):
        found = of_arguments(evaluation, node, scope)
        return frozenset(each for each in found if isinstance(each.base, ChildName | Anything))
    callees = evaluation.known(node.func, scope)
    if callees is None:
        return NOTHING
    if _is_weak(evaluation, node.func, scope):
        return callees
    if not callees:
        return of_unknown_call(evaluation, node, scope)
    results = [_result_of(evaluation, callee, node, scope) for callee in callees]
    found = union(result for result in results if result is not None)
    if None in results:
        found |= of_unknown_call(evaluation, node, scope)
    if _may_get_back(evaluation, callees):
        found |= of_arguments(evaluation, node, scope)  # called as functions, without their owner
    if isinstance(node.func, ast.Attribute):
        owners = evaluation.get(node.func.value, scope)
        is_container = node.func.attr in OF_CONTAINERS and not _defines(evaluation, owners, node.func.attr)
        if is_container or any(is_holder(each.base) for each in owners):
            found |= owners  # `queue.get()` gives what the queue holds
    if any(is_holder(each.base) for each in callees):  # a weak reference, a class made by a call
        found |= {each for each in callees if isinstance(each.base, Instance | Made | Held | Below)}
    return found


def _may_get_back(evaluation: Evaluation, callees: References) -> bool:
    """True if one of several modules that an object holds may return what it is given."""
    if not any(isinstance(each.base, Held | Below) for each in callees):
        return False
    for base in {each.base for each in callees}:
        if isinstance(base, Held | Below) and not has_known_values(evaluation, base):
            return True
        if isinstance(base, Instance) and any(map(may_hand_back, evaluation.method(base.cls, "forward"))):
            return True
    return False


def _is_operation_of_tensors(evaluation: Evaluation, node: ast.Call, scope: LexicalScope) -> bool:
    """True for `x.mean(dim=1)`, whatever `x` may be: a tensor's method that no code of the project defines.

    It is given nothing but numbers, texts and tensors.
    """
    func = node.func
    if not isinstance(func, ast.Attribute) or not names_operation_of_tensors(func.attr):
        return False
    if evaluation.names.is_method(func.attr) or is_an_attribute(evaluation, func.attr):
        return False
    owners = evaluation.get(func.value, scope)
    if not owners or any(isinstance(each.base, _NAMESPACES) for each in owners):
        return False
    values = argument_values(node)
    given = any(evaluation.get(value, scope) for value in values)
    return not given and not results_of_methods(evaluation, owners, "__getattr__", "__getattribute__")


def _of_module_method(
    evaluation: Evaluation, node: ast.Call, func: ast.Attribute, scope: LexicalScope
) -> References | None:
    """The result of a method of nn.Module; None for another method."""
    receiver = evaluation.get(func.value, scope)
    name = func.attr
    if name in CHILDREN or name in FETCHES:
        is_direct = name in ("children", "named_children")
        itself = receiver if name in ("modules", "named_modules") else NOTHING
        names = {CHILD_NAME} if receiver and name.startswith("named_") else NOTHING
        found = modules_below(evaluation, receiver, is_direct=is_direct) | itself | names
        return found_by_name(evaluation, found, node.args[0], scope) if name in FETCHES and node.args else found
    if name in VIEWS and _is_child_table(func.value, receiver):
        return receiver
    if name in _TENSORS and not _defines(evaluation, receiver, name):
        return frozenset((TENSOR_NAME,)) if receiver and name not in ("parameters", "buffers") else NOTHING
    return receiver if name in RETURNS_SELF and not _defines(evaluation, receiver, name) else None


def _is_child_table(node: ast.expr, values: References) -> bool:
    """True for `x._modules`, a plain dictionary of the children and their names."""
    is_table = isinstance(node, ast.Attribute) and node.attr == CHILD_TABLE
    return is_table and bool(values) and all(isinstance(each.base, Below | ChildName) for each in values)


def _of_listing(evaluation: Evaluation, node: ast.Call, scope: LexicalScope) -> References | None:
    """The result of a method of nn.Module, also of `getattr(x, "children")()`, or of tensors; None for others."""
    func = node.func
    if _is_operation_of_tensors(evaluation, node, scope):
        return NOTHING
    if isinstance(func, ast.Attribute):
        return _of_module_method(evaluation, node, func, scope)
    if not isinstance(func, ast.Call):
        return None
    names = ((owner, name) for owner, name in attribute_reads(func, scope.file) if name in CHILDREN)
    methods = [ast.copy_location(ast.Attribute(owner, name, ast.Load()), func) for owner, name in names]
    found = [_of_module_method(evaluation, node, method, scope) or NOTHING for method in methods]
    return union(found) if found else None


def _is_weak(evaluation: Evaluation, func: ast.expr, scope: LexicalScope) -> bool:
    """True if what is called is a weak reference: calling it gives the object."""
    home = scope.binder(func.id) if isinstance(func, ast.Name) else None
    bindings = home.bindings[func.id] if home is not None and isinstance(func, ast.Name) else []
    makers = [binding.value.func for binding in bindings if isinstance(binding.value, ast.Call)]
    made = [each.base for maker in makers for each in evaluation.get(maker, home or scope)]
    return any(isinstance(base, Named) and base.name.startswith("weakref.") for base in made)


def _defines(evaluation: Evaluation, receiver: References, method: str) -> bool:
    """True if a class of the project defines a method of this name for the receiver."""
    classes = [each.base.cls for each in receiver if isinstance(each.base, Instance)]
    return any(evaluation.method(cls, method) for cls in classes)


def _gives_tensors(name: str) -> bool:
    """True for a class of modules whose calls return tensors."""
    is_module = name.startswith("torch.nn.") and name.rpartition(".")[2] not in CONTAINERS
    return is_module or is_operation_module(name)


def _result_of(evaluation: Evaluation, callee: Reference, node: ast.Call, scope: LexicalScope) -> References | None:
    """The result of calling one object, and its arguments if it may hold a function; None: anything."""
    match callee.base:
        case FunctionObject(scope=inner):
            return evaluation.get(ResultKey(inner))
        case ClassObject(cls=ClassRef() as cls):
            made = frozenset((Reference(Instance(cls, Place.of(scope.file.module, node))),))
            made |= of_computed_bases(evaluation, cls)
            return (
                made | results_of_methods(evaluation, frozenset((callee,)), "__new__") | of_metaclass(evaluation, cls)
            )
        case Made(name=name, place=place) if name == GETTER:
            return fetched(evaluation, place, node, scope)
        case Named(name=name) | ClassObject(cls=str() as name):
            external = made_getter if name == GETTER else of_external_call
            return external(evaluation, name, node, scope)
        case Instance(cls=cls):
            return union(evaluation.get(ResultKey(method)) for method in evaluation.method(cls, "__call__"))
        case Made(name=name) if _gives_tensors(name):
            return NOTHING
        case Held(owner=ClassRef() as cls) if isinstance(node.func, ast.Attribute) and evaluation.has_given_items(cls):
            return evaluation.get(node.func.value, scope)  # an inherited method: `point._replace(x=1)`
        case ChildName() | Below() | Held(owner=ClassRef() | str()):
            return NOTHING
        case Holder():
            return HOLDER | of_arguments(evaluation, node, scope)
        case Anything():
            return ANY_OBJECT
        case Many():
            return MANY_WITH_NAMES
    return None
