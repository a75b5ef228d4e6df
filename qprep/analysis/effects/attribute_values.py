"""The objects that `x.name` may refer to, by the objects that `x` may refer to."""

from __future__ import annotations

from qprep.analysis.effects.abstract_objects import (
    ANY_OBJECT,
    CHILD_NAME,
    NOTHING,
    Anything,
    Base,
    Below,
    ClassObject,
    ClassOf,
    FunctionObject,
    Held,
    Holder,
    HolderOf,
    Instance,
    Made,
    Many,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.definitions import is_torch_container
from qprep.analysis.effects.evaluation import Evaluation
from qprep.analysis.effects.given_objects import is_given_objects
from qprep.analysis.effects.implicit_calls import is_property
from qprep.analysis.effects.library_names import DICTIONARIES, MODULE_NAMES, OF_MODULE_TABLE, ROOTS
from qprep.analysis.effects.module_definitions import defined_in, of_dotted
from qprep.analysis.effects.object_items import items_of, modules_below, results_of_methods
from qprep.analysis.effects.object_tests import ClassTest
from qprep.analysis.effects.python_classes import OF_CONTAINERS
from qprep.analysis.effects.reference_sets import as_bound, is_holder, union, without_place
from qprep.analysis.effects.value_keys import ComputedKey, OutsideKey, ResultKey, StoredKey, VariableKey
from qprep.analysis.values.abstract_values import ClassRef, External
from qprep.foundation.catalogue.module_attributes import NN_MODULE_ATTRIBUTES, PARTS_OF_COMPOUNDS, VALUES_OF_TENSORS

MAX_NAME = 5
"""Dots in the name of what a package holds; an attribute that lies deeper belongs to an object, not to a module."""
_OTHER_CLASSES = frozenset(("__base__", "__bases__", "__mro__"))


def attribute_of(evaluation: Evaluation, references: References, name: str) -> References:
    """The objects that `x.name` may refer to if `x` refers to `references`."""
    found: set[Reference] = set()
    for base in {without_place(each.base) for each in references}:
        if not has_known_values(evaluation, base):
            found |= _attribute_of_one(evaluation, Reference(base), name)
    if not _is_tensor_value(evaluation, name) and any(
        is_holder(each.base) for each in references
    ):  # it may hold any of the others
        found |= {each for each in references if isinstance(each.base, Instance | Made | Held | Below)}
    return frozenset(found)


def _attribute_of_one(  # noqa: C901  (one case a kind of object)
    evaluation: Evaluation, reference: Reference, name: str
) -> References:
    base = reference.base
    if name == "__class__":
        return classes_of_objects(evaluation, frozenset((reference,)))
    match base:
        case FunctionObject():
            return _set_outside(evaluation, name)
        case Instance():
            return _attribute_of_instance(evaluation, reference, base, name)
        case ClassObject(cls=ClassRef() as cls):
            return _attribute_of_class(evaluation, cls, name)
        case Named(name="sys.modules") if name not in OF_MODULE_TABLE:
            files = [
                file for module in evaluation.modules if (file := evaluation.file(module)) and name in file.top.bindings
            ]
            return union(evaluation.get(VariableKey(file.top, name)) for file in files)
        case Named() if name == "__dict__":
            return defined_in(evaluation, frozenset((reference,)))
        case Named(name=dotted):
            is_long = dotted.count(".") >= MAX_NAME or dotted.rpartition(".")[2][:1].isupper()
            return NOTHING if is_long else of_dotted(evaluation, f"{dotted}.{name}")
        case Anything():
            return ANY_OBJECT
        case ClassOf() if name in _OTHER_CLASSES:
            return frozenset((reference,))
        case Holder():
            return evaluation.get(OutsideKey(name, of_foreign=True))
        case HolderOf(owner=around):  # `nn.DataParallel(model).module`
            return (
                NOTHING
                if _is_tensor_value(evaluation, name) or may_have(evaluation, around, name)
                else frozenset((Reference(around),))
            )
        case Made() | Held() | Below() | Many():
            return _attribute_of_module(evaluation, reference, name)
    return NOTHING


def _attribute_of_instance(evaluation: Evaluation, reference: Reference, base: Instance, name: str) -> References:
    """An attribute of an instance of a class of the project."""
    cls = base.cls
    if name in DICTIONARIES:
        return frozenset((Reference(Below(base, is_direct=True)), CHILD_NAME))
    if methods := evaluation.method(cls, name):
        computed = [method for method in methods if is_property(method)]
        return union(evaluation.get(ResultKey(method)) for method in computed) if computed else as_bound(methods)
    other = results_of_methods(evaluation, frozenset((reference,)), "__getattr__", "__getattribute__")
    if _names_item(evaluation, base, name):
        other |= items_of(evaluation, frozenset((reference,)))
    if not may_keep(evaluation, cls, name):
        return other
    if not may_have(evaluation, base, name):
        return other | evaluation.get(StoredKey(cls, name))
    return frozenset((Reference(Held(cls, name)),)) | evaluation.get(StoredKey(cls, name)) | other


def _names_item(evaluation: Evaluation, base: Base, name: str) -> bool:
    """True if an attribute may be an item of a container: `blocks.act`, `getattr(blocks, "0")`."""
    match base:
        case Made(name=cls):
            is_container = is_torch_container(cls)
        case Instance(cls=own):
            is_container = evaluation.is_container(own) and not evaluation.has_own(own, name)
        case _:
            return name.isdigit()
    is_own = name.startswith("__") or name in NN_MODULE_ATTRIBUTES or name in OF_CONTAINERS
    return is_container and not is_own


def _attribute_of_class(evaluation: Evaluation, cls: ClassRef, name: str) -> References:
    """An attribute of a class of the project: methods are not bound to an instance."""
    if methods := evaluation.method(cls, name):
        of_class = [method for method in methods if method.has_decorator("classmethod")]
        others = (method for method in methods if method not in of_class)
        return as_bound(of_class) | {Reference(FunctionObject(method)) for method in others}
    return evaluation.get(StoredKey(cls, name))


def _attribute_of_module(evaluation: Evaluation, reference: Reference, name: str) -> References:
    """An attribute of a module whose class is another package's, or not known."""
    base = reference.base
    if _names_item(evaluation, base, name):
        return items_of(evaluation, frozenset((reference,))) | _set_outside(evaluation, name)
    if name in DICTIONARIES:
        return modules_below(evaluation, frozenset((reference,))) | {CHILD_NAME}
    if (part := _part_of_compound(base, name)) is not None:
        return frozenset((part,)) | _set_outside(evaluation, name)
    if not may_hold_on_some(evaluation, name) and not _is_set_by_name(evaluation, name):
        return evaluation.get(ComputedKey(base.name, name)) if isinstance(base, Made) else NOTHING
    owner = base.name if isinstance(base, Made) else None
    return frozenset((Reference(Held(owner, name)),)) | _set_outside(evaluation, name)


def _is_tensor_value(evaluation: Evaluation, name: str) -> bool:
    """True for an attribute of tensors that holds a number, a type or a place; no code of the project sets it."""
    return name in VALUES_OF_TENSORS and not is_an_attribute(evaluation, name)


def may_have(evaluation: Evaluation, base: Base, name: str) -> bool:
    """True if an object may have an attribute; False for a module of which reading it is an error."""
    if name in NN_MODULE_ATTRIBUTES or name in OF_CONTAINERS or name.startswith("__"):
        return True
    match base:
        case Instance(cls=cls) if evaluation.is_module(cls):
            return any(_class_may_have(evaluation, each, name) for each in (cls, *evaluation.project.subclasses(cls)))
        case Below():
            return evaluation.names.is_method(name) or is_an_attribute(evaluation, name)
    return True


def _class_may_have(evaluation: Evaluation, cls: ClassRef, name: str) -> bool:
    bases = (base for base in evaluation.project.mro(cls) if isinstance(base, External))
    if not all(base.name in ROOTS or base.name in MODULE_NAMES for base in bases):
        return True  # what a class of another package has is not known
    return bool(evaluation.has_own(cls, name) or evaluation.method(cls, name) or evaluation.method(cls, "__getattr__"))


def is_an_attribute(evaluation: Evaluation, name: str) -> bool:
    """True if code of the project gives any object an attribute of this name."""
    if any(evaluation.names.holders(name)) or any(evaluation.names.stores(evaluation, name)):
        return True
    return any(store.owner is not None for store in evaluation.stores.attribute_stores(name))


def has_known_values(evaluation: Evaluation, base: Base) -> bool:
    """True for what an attribute holds where the project gives it objects, which count in its place."""
    if not (isinstance(base, Held) and isinstance(base.owner, ClassRef) and base.attribute is not None):
        return False
    stored = evaluation.known_key(StoredKey(base.owner, base.attribute))
    return stored is None or any(isinstance(each.base, Instance | Made) for each in stored)


def may_keep(evaluation: Evaluation, cls: ClassRef, name: str) -> bool:
    """True if an attribute of a class may hold anything but numbers, texts and tensors."""
    if evaluation.class_may_hold(cls, name) or _is_set_by_name(evaluation, name):
        return True
    return is_given_objects(evaluation, name, evaluation.family(cls))


def _is_set_by_name(evaluation: Evaluation, name: str) -> bool:
    """True if code sets an attribute by this name, written as a text."""
    return any(store.owner is not None for store in evaluation.stores.attribute_stores(name, is_exact=True))


def _set_outside(evaluation: Evaluation, name: str) -> References:
    """The values of attributes of this name on other objects than `self`."""
    return evaluation.get(OutsideKey(name))


def may_hold_on_some(evaluation: Evaluation, name: str) -> bool:
    """True if an attribute of this name holds, on some object, anything but numbers, texts and tensors."""
    if name not in evaluation.held_names:
        evaluation.held_names[name] = any(
            evaluation.class_may_hold(cls, name) for cls in evaluation.names.holders(name)
        )
    if evaluation.held_names[name] or is_given_objects(evaluation, name, None):
        return True
    return any(
        evaluation.get(value, scope)
        for node, scope, value in evaluation.assignments(name)
        if value is not None and not evaluation.own_class(node, scope)[0]
    )


def classes_of_objects(evaluation: Evaluation, references: References) -> References:
    """The classes of objects: `type(x)`."""
    found = NOTHING
    for reference in references:
        match reference.base:
            case Instance(cls=cls):
                children = (cls, *evaluation.project.subclasses(cls))
                found |= frozenset(Reference(ClassObject(child)) for child in children)
            case Made(name=name):
                found |= {Reference(ClassObject(name))}
            case Below() | Held() | Anything():
                found |= {Reference(ClassOf(), reference.tests)}
            case _:
                pass
    return found


def _part_of_compound(base: Base, name: str) -> Reference | None:
    """The module that a compound module of torch.nn, or a part of one, holds in an attribute: `attention.out_proj`."""
    whole = base.owner if isinstance(base, Below) else base
    cls = PARTS_OF_COMPOUNDS.get(name)
    if cls is None or not (isinstance(whole, Made) and whole.name.startswith("torch.nn.")):
        return None
    return Reference(Below(whole), frozenset((ClassTest(frozenset((cls,))),)))
