"""The objects that the text of an expression shows: the object itself, its parts and its fields."""

from __future__ import annotations

import ast
import sys

from qprep.analysis.effects.abstract_objects import (
    NOTHING,
    Below,
    ClassObject,
    FunctionObject,
    Instance,
    Made,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.handed_back import RETURNS_SELF
from qprep.analysis.effects.lexical_scopes import Binding, BindingKind, FileScopes
from qprep.analysis.effects.library_names import CHILDREN, FETCHES
from qprep.analysis.effects.object_tests import ClassTest, Test
from qprep.analysis.effects.points_to import PointsTo
from qprep.analysis.effects.python_classes import OF_CONTAINERS
from qprep.analysis.effects.text_functions import TEXT_METHODS
from qprep.analysis.symbols.ast_utils import last_name
from qprep.analysis.values.abstract_values import ClassRef, External

# What gives pairs of a name or number and an object.
_PAIRED = frozenset(("enumerate", "items", "named_children", "named_modules"))


def has_own_text(points_to: PointsTo, base: object) -> bool:
    """True if the class of an object defines the text of its instances."""
    if not isinstance(base, Instance):
        return False
    bases = (each for each in points_to.project.mro(base.cls) if isinstance(each, ClassRef))
    return any(not TEXT_METHODS.isdisjoint(points_to.project.methods(each) or ()) for each in bases)


def is_module_of_torch(base: object) -> bool:
    """True if an object is an instance of a class of torch.nn: its text names what it is made of."""
    return isinstance(base, Made) and base.name.startswith("torch.nn.") and base.name.rpartition(".")[2][:1].isupper()


def shown_objects(points_to: PointsTo, value: ast.expr, file: FileScopes) -> frozenset[Reference]:
    """The modules, and objects with a text of their own, whose text is part of that of a value.

    What may be any object is left out: few of all values in texts are modules.
    """
    if _is_result_of_unknown(points_to, value, file) or _is_item_of_result(points_to, value, file):
        return NOTHING
    found: set[Reference] = set()
    waiting = list(points_to.of(value, file.scope_of(value)))
    seen = set(waiting)
    while waiting:
        reference = waiting.pop()
        is_shown = isinstance(reference.base, Instance | Below) or is_module_of_torch(reference.base)
        if is_shown and not any(map(_admits_values_alone, reference.tests)):
            found.add(reference)
        parts = _parts(points_to, reference) - seen
        seen |= parts
        waiting += parts
    return frozenset(found)


def _admits_values_alone(test: Test) -> bool:
    """True for the condition that an object is a number, a text or a container of Python."""
    return (
        isinstance(test, ClassTest)
        and test.is_positive
        and test.classes is not None
        and all(isinstance(cls, str) and cls.partition(".")[0] in sys.stdlib_module_names for cls in test.classes)
    )


def _parts(points_to: PointsTo, reference: Reference) -> References:
    """The objects whose texts Python puts into that of an object: fields, and the object of a bound method."""
    match reference.base:
        case FunctionObject(scope=scope, is_bound=True) if scope.owner is not None and scope.receiver is not None:
            return frozenset((Reference(Instance(scope.owner)),))
        case Instance(cls=cls) if not points_to.is_module(cls):
            every = (cls, *points_to.project.subclasses(cls))
            shown = (each for each in every if _has_generated_text(points_to, each))
            return frozenset().union(*(_fields(points_to, each) for each in shown))
        case Below(owner=Instance(cls=cls)) if not points_to.is_module(cls):
            return _fields(points_to, cls)  # `vars(x)`
        case Made(name=name) if not name.startswith("torch."):
            return points_to.set_from_outside(name)
    return NOTHING


def _has_generated_text(points_to: PointsTo, cls: ClassRef) -> bool:
    """True if a decorator or a base of another package may give a class a text that shows its fields."""
    if has_own_text(points_to, Instance(cls)):
        return False
    bases = points_to.project.mro(cls)
    nodes = (points_to.project.class_node(base) for base in bases if isinstance(base, ClassRef))
    is_decorated = any(entry is not None and entry.node.decorator_list for entry in nodes)
    return is_decorated or not all(
        isinstance(base, ClassRef) or (isinstance(base, External) and base.name == "builtins.object") for base in bases
    )


def _fields(points_to: PointsTo, cls: ClassRef) -> References:
    """The values of the attributes that a class names, and the arguments of its constructor."""
    found = points_to.given_to(cls)
    bases = (base for base in points_to.project.mro(cls) if isinstance(base, ClassRef))
    names = dict.fromkeys(name for base in bases for name in points_to.names_set_in(base))
    return found.union(*(points_to.of_attribute(cls, name) for name in names))


def _is_result_of_unknown(points_to: PointsTo, value: ast.expr, file: FileScopes) -> bool:
    """True for a call of a method of which nothing is known: its result counts as no module."""
    if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)):
        return False
    if _returns_object(points_to, value.func):
        return False
    if value.func.attr in OF_CONTAINERS and not _is_result(points_to, value.func.value):
        return False
    return not any(
        isinstance(each.base, ClassObject | Named) for each in points_to.of(value.func, file.scope_of(value))
    )


def _returns_object(points_to: PointsTo, func: ast.Attribute) -> bool:
    """True if a method may return a module: one of the project's, `model.eval()`, or `model.get_submodule(name)`."""
    return func.attr in RETURNS_SELF | FETCHES or points_to.names.is_method(func.attr)


def _is_item_of_result(points_to: PointsTo, value: ast.expr, file: FileScopes) -> bool:
    """True for `key` in `for key, _ in x.mapping().items()`: what an unknown method's result holds is no module."""
    home = file.scope_of(value).binder(value.id) if isinstance(value, ast.Name) else None
    if home is None or not isinstance(value, ast.Name):
        return False
    bindings = home.bindings[value.id]
    return bool(bindings) and all(
        binding.kind is BindingKind.ITEM and _is_result(points_to, binding.value) for binding in bindings
    )


def _is_result(points_to: PointsTo, node: ast.AST | None) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=inner, attr="items" | "keys" | "values"), args=[]):
            return _is_result(points_to, inner)
        case ast.Call(func=ast.Attribute() as func):
            return func.attr not in CHILDREN and not _returns_object(points_to, func)
    return False


def is_part_of_tuple(value: ast.expr, file: FileScopes) -> bool:
    """True if a name is one part of tuples of unlike things: what is known of those is no evidence of a module.

    The name in a pair of a name and a module is such a part, and the module is not.
    """
    home = file.scope_of(value).binder(value.id) if isinstance(value, ast.Name) else None
    if home is None or not isinstance(value, ast.Name):
        return False
    return all(_unpacks(binding, value.id, file) for binding in home.bindings[value.id])


def _unpacks(binding: Binding, name: str, file: FileScopes) -> bool:
    source = binding.value if isinstance(binding.value, ast.expr) else None
    statement = file.parents.get(source) if source is not None else None
    match statement:
        case ast.For(target=target) | ast.comprehension(target=target) | ast.Assign(targets=[target]):
            parts = target.elts if isinstance(target, ast.Tuple | ast.List) else []
        case _:
            parts = []
    names = [part.id if isinstance(part, ast.Name) else "" for part in parts]
    if name not in names:
        return False
    maker = last_name(source.func) if isinstance(source, ast.Call) else ""
    return maker != "zip" and not (maker in _PAIRED and names.index(name) > 0)
