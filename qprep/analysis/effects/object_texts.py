"""Texts of objects that code uses: the text of a model names each module below it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from qprep.analysis.effects.abstract_objects import (
    NOTHING,
    Base,
    Below,
    ClassObject,
    ClassTest,
    FunctionObject,
    Held,
    Instance,
    Made,
    Named,
    Reference,
    References,
    Test,
)
from qprep.analysis.effects.attribute_listings import names_listed
from qprep.analysis.effects.exposures import Exposure
from qprep.analysis.effects.handed_back import RETURNS_SELF
from qprep.analysis.effects.lexical_scopes import BindingKind, is_super
from qprep.analysis.effects.library_names import CHILDREN, FETCHES
from qprep.analysis.effects.method_calls import as_method_calls
from qprep.analysis.effects.python_classes import OF_CONTAINERS
from qprep.analysis.effects.silent_calls import may_call
from qprep.analysis.effects.text_sinks import TEXT_METHODS, Way, is_message, is_shown, is_sink, writes_to_a_stream
from qprep.analysis.symbols.ast_utils import last_name
from qprep.analysis.values.abstract_values import ClassRef, External

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import Binding, FileScopes, LexicalScope
    from qprep.analysis.effects.points_to import PointsTo

_TO_TEXT = frozenset(("ascii", "format", "pformat", "repr", "saferepr", "str"))
_PACKAGES_OF_TEXT = ("builtins.", "pprint.", "reprlib.")
# Methods of templates, which give a text that holds their arguments.
_FILLS = frozenset(("__mod__", "format", "format_map", "safe_substitute", "substitute", "vformat"))
_OF_TEXTS = frozenset(name for name in dir(str) if not name.startswith("_"))
# What gives pairs of a name or number and an object.
_PAIRED = frozenset(("enumerate", "items", "named_children", "named_modules"))


@dataclass(frozen=True, slots=True)
class _Conversion:
    """An expression whose value depends on the texts of objects.

    `is_certain` says whether its callee makes texts, which may take a search; `of_base`: the text that a class
    inherits is made, even if it defines another one; `is_written`: the text goes elsewhere than into the value.
    """

    node: ast.expr
    values: tuple[ast.expr, ...]
    is_certain: Callable[[], bool]
    of_base: bool = False
    is_written: bool = False


def _always() -> bool:
    return True


def texts(file: FileScopes, points_to: PointsTo) -> Iterator[Exposure]:
    """Texts of modules that the program uses: each names all modules below.

    Text that is printed, logged or part of an error's message is for people, and left out.
    """
    for conversion in _conversions(file, points_to):
        node = conversion.node
        if _is_part_of_name(node, file.parents) or (not conversion.is_written and is_message(node, file)):
            continue
        for value in conversion.values:
            if not _is_part_of_tuple(value, file):
                find = partial(_exposed, points_to, conversion, value, file)
                yield Exposure(find, node, f"uses the text of `{ast.unparse(value)}`")
    for call in file.index.of(ast.Call):
        listed = names_listed(call, file, points_to)
        if listed is not None and not isinstance(file.parents.get(call), ast.Compare):
            yield Exposure(partial(_children, points_to, listed, file), call, f"lists `{ast.unparse(call)}`")


def _children(points_to: PointsTo, value: ast.expr, file: FileScopes) -> References:
    return points_to.below(points_to.of(value, file.scope_of(value)), is_direct=True)


def _exposed(points_to: PointsTo, conversion: _Conversion, value: ast.expr, file: FileScopes) -> References:
    """The modules that a text names which code uses; none if only people read it."""
    owner = _class_described(file.scope_of(conversion.node))
    if owner is not None and points_to.family(owner).isdisjoint(_described_classes(points_to).classes):
        return NOTHING
    named = _named_in(points_to, conversion, value, file)
    return named if named and _is_used(points_to, conversion, file, _described_classes(points_to)) else NOTHING


def _named_in(points_to: PointsTo, conversion: _Conversion, value: ast.expr, file: FileScopes) -> References:
    """The modules that the text of a value names; what the text methods of a class show is read with these methods."""
    found = _shown_objects(points_to, value, file)
    plain = (each for each in found if conversion.of_base or not _has_own_text(points_to, each.base))
    return points_to.below(frozenset(plain))


def _is_used(points_to: PointsTo, conversion: _Conversion, file: FileScopes, described: _Described) -> bool:
    way = Way(partial(_may_be_described, points_to, described))
    is_for_people = not conversion.is_written and is_shown(conversion.node, file, points_to, way)
    return not is_for_people and conversion.is_certain()


# Classes with a text of their own


def _class_described(scope: LexicalScope) -> ClassRef | None:
    """The class whose text a method makes: `__repr__` and its like."""
    return scope.owner if scope.name in TEXT_METHODS else None


@dataclass(frozen=True, slots=True)
class _Described:
    """The classes of the project of whose instances code uses the text, other than to show it.

    The text of a module holds those of the modules below it, of whatever class.
    """

    classes: frozenset[ClassRef] = frozenset()
    has_modules: bool = False


_DESCRIBED: WeakKeyDictionary[PointsTo, _Described] = WeakKeyDictionary()


def _described_classes(points_to: PointsTo) -> _Described:
    if points_to not in _DESCRIBED:
        _DESCRIBED[points_to] = _find_described(points_to)
    return _DESCRIBED[points_to]


def _may_be_described(points_to: PointsTo, described: _Described, cls: ClassRef) -> bool:
    if described.has_modules and points_to.is_module(cls):
        return True
    return not points_to.family(cls).isdisjoint(described.classes)


def _find_described(points_to: PointsTo) -> _Described:
    """The least fixed point: a text that ends in the text of a class is used only if that of the class is."""
    described = _Described()
    waiting = list(_describing(points_to))
    while waiting:
        is_used = [_is_used(points_to, conversion, file, described) for conversion, file, _ in waiting]
        shown = {
            reference.base for (_, _, found), used in zip(waiting, is_used, strict=True) if used for reference in found
        }
        if not shown:
            break
        waiting = [each for each, used in zip(waiting, is_used, strict=True) if not used]
        classes = {base.cls for base in shown if isinstance(base, Instance)}
        has_modules = described.has_modules or any(_may_hold_modules(points_to, base) for base in shown)
        described = _Described(described.classes | classes, has_modules)
    return described


def _may_hold_modules(points_to: PointsTo, base: Base) -> bool:
    """True if an object may be a module, or one that is below others."""
    match base:
        case Instance(cls=cls):
            return points_to.is_module(cls)
        case Below(owner=Held(owner=ClassRef() as cls, attribute=str(attribute)) as held):
            return any(each.base != held for each in points_to.of_attribute(cls, attribute))
    return True


def _describing(points_to: PointsTo) -> Iterator[tuple[_Conversion, FileScopes, References]]:
    """Every conversion that may give the text of an object of the project."""
    for file in filter(None, map(points_to.file, points_to.modules)):
        for conversion in _conversions(file, points_to):
            values = (_shown_objects(points_to, value, file) for value in conversion.values)
            if found := frozenset().union(*values):
                yield conversion, file, found


def _has_own_text(points_to: PointsTo, base: object) -> bool:
    if not isinstance(base, Instance):
        return False
    bases = (each for each in points_to.project.mro(base.cls) if isinstance(each, ClassRef))
    return any(not TEXT_METHODS.isdisjoint(points_to.project.methods(each) or ()) for each in bases)


# Conversions


def _conversions(file: FileScopes, points_to: PointsTo) -> Iterator[_Conversion]:
    """Every expression that may turn objects into text."""
    for formatted in file.index.of(ast.FormattedValue):
        yield _Conversion(formatted, (formatted.value,), _always)
    for operation in file.index.of(ast.BinOp):
        if isinstance(operation.op, ast.Mod) and _may_be_template(operation.left, file.scope_of(operation)):
            right = operation.right
            yield _Conversion(operation, tuple(right.elts) if isinstance(right, ast.Tuple) else (right,), _always)
    for call in file.index.of(ast.Call):
        yield from _of_call(call, file, points_to)


def _may_be_template(node: ast.expr, scope: LexicalScope, followed: frozenset[str] = frozenset()) -> bool:
    """True if the left side of `%` may be a text: other values are numbers, tensors, or results of methods of these."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, str)
        case ast.JoinedStr() | ast.Attribute() | ast.FormattedValue():
            return True
        case ast.Call(func=func):
            return isinstance(func, ast.Name) or last_name(func) in _OF_TEXTS
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod() | ast.Mult()):
            return _may_be_template(left, scope, followed)
        case ast.IfExp(body=body, orelse=orelse):
            return any(_may_be_template(each, scope, followed) for each in (body, orelse))
        case ast.Subscript(value=value) | ast.NamedExpr(value=value):
            return _may_be_template(value, scope, followed)
        case ast.Name(id=name) if (home := scope.binder(name)) is not None and name not in followed:
            bound = ((binding.kind, binding.value, binding.home(home)) for binding in home.bindings[name])
            return any(
                kind is not BindingKind.VALUE
                or (isinstance(value, ast.expr) and _may_be_template(value, where, followed | {name}))
                for kind, value, where in bound
            )
        case ast.Dict() | ast.List() | ast.Tuple():
            return True
    return False


def _of_call(call: ast.Call, file: FileScopes, points_to: PointsTo) -> Iterator[_Conversion]:
    scope = file.scope_of(call)
    for made, method in as_method_calls(call, file, lambda node: points_to.of(node, scope)):
        if method.attr in TEXT_METHODS:
            yield _Conversion(call, (method.value,), _always, of_base=_names_a_class(call, made))
    arguments = (*call.args, *(keyword.value for keyword in call.keywords))
    name = last_name(call.func)
    if name in TEXT_METHODS and isinstance(call.func, ast.Attribute):
        owner = call.func.value
        yield _Conversion(call, (owner, *call.args), _always, of_base=is_super(owner, scope))
    elif name in _FILLS and isinstance(call.func, ast.Attribute):
        yield _Conversion(call, arguments, partial(_is_of_no_function, points_to, call, scope))
    elif name in _TO_TEXT and isinstance(call.func, ast.Name) and scope.binder(name) is None:
        yield _Conversion(call, arguments[:1], _always)
    elif name in _TO_TEXT and isinstance(call.func, ast.Attribute):
        yield _Conversion(call, arguments[:1], partial(_is_of_no_function, points_to, call, scope))
    elif isinstance(call.func, ast.Attribute) and name in _names_of_text_functions(points_to):
        yield _Conversion(call, arguments, partial(_is_of_no_function, points_to, call, scope))
    elif _may_be_held(call.func, scope):
        yield _Conversion(call, arguments, partial(_makes_text, points_to, call.func, scope))
    if (bound := _bound_partial(call.func, scope)) is not None:
        yield from _of_partial(call, bound, file, points_to)
    elif writes_to_a_stream(call) and is_sink(call.func, file, points_to):
        yield _Conversion(call, tuple(call.args), _always, is_written=True)
    elif converters := [each for each in arguments if _is_text_function(each, scope)]:
        receivers = (call.func.value,) if isinstance(call.func, ast.Attribute) else ()
        others = tuple(each for each in (*arguments, *receivers) if each not in converters)
        is_for_its_effect = isinstance(file.parents.get(call), ast.Expr) and not is_sink(call.func, file, points_to)
        is_certain = partial(_calls_any_of, converters, points_to, call, scope)
        yield _Conversion(call, others, is_certain, is_written=is_for_its_effect)


def _names_a_class(call: ast.Call, made: ast.Call) -> bool:
    """True for `nn.Module.__repr__(net)`, which passes over the text that the class of `net` defines."""
    return isinstance(call.func, ast.Attribute) and call.func is not made.func


def _is_of_no_function(points_to: PointsTo, call: ast.Call, scope: LexicalScope) -> bool:
    """True unless a method of the project has this name, whose body says what it does."""
    return not any(isinstance(each.base, FunctionObject) for each in points_to.of(call.func, scope))


def _of_partial(call: ast.Call, bound: ast.Call, file: FileScopes, points_to: PointsTo) -> Iterator[_Conversion]:
    """A call of what `partial(repr)` or `partial(print, file=stream)` made."""
    function, arguments = bound.args[0], (*bound.args[1:], *call.args)
    if _is_text_function(function, file.scope_of(function)):
        yield _Conversion(call, arguments, _always)
    elif is_sink(function, file, points_to) and (writes_to_a_stream(bound) or writes_to_a_stream(call)):
        yield _Conversion(call, arguments, _always, is_written=True)


def _bound_partial(func: ast.expr, scope: LexicalScope) -> ast.Call | None:
    """The call of `functools.partial` that a variable is bound to, and to nothing else."""
    home = scope.binder(func.id) if isinstance(func, ast.Name) else None
    bindings = home.bindings[func.id] if home is not None and isinstance(func, ast.Name) else []
    value = bindings[0].value if len(bindings) == 1 else None
    is_partial = isinstance(value, ast.Call) and last_name(value.func) == "partial" and bool(value.args)
    return value if is_partial and isinstance(value, ast.Call) else None


_HOLDING: WeakKeyDictionary[PointsTo, frozenset[str]] = WeakKeyDictionary()


def _names_of_text_functions(points_to: PointsTo) -> frozenset[str]:
    """The names of the attributes and keywords that the project gives `repr` and its like."""
    if points_to not in _HOLDING:
        files = filter(None, map(points_to.file, points_to.modules))
        _HOLDING[points_to] = frozenset(name for file in files for name in _find_names_of_text_functions(file))
    return _HOLDING[points_to]


def _find_names_of_text_functions(file: FileScopes) -> Iterator[str]:
    for call in file.index.of(ast.Call):
        yield from (k.arg for k in call.keywords if k.arg is not None and _is_named_as_text_function(k.value))
    for assignment in file.index.of(ast.Assign):
        if _is_named_as_text_function(assignment.value):
            yield from (target.attr for target in assignment.targets if isinstance(target, ast.Attribute))


def _may_be_held(func: ast.expr, scope: LexicalScope) -> bool:
    """True if a callee is a variable or an item that may be `repr` and its like."""
    home = scope.binder(func.id) if isinstance(func, ast.Name) else None
    if home is None or not isinstance(func, ast.Name):
        return isinstance(func, ast.Subscript | ast.Call)
    bindings = home.bindings[func.id]
    return any(b.kind is not BindingKind.DEFINITION and _may_bind_text_function(b) for b in bindings)


def _may_bind_text_function(binding: Binding) -> bool:
    if binding.kind is BindingKind.IMPORT:
        return binding.target.startswith(_PACKAGES_OF_TEXT)
    return not isinstance(binding.value, ast.Constant | ast.Lambda)


def _is_named_as_text_function(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and last_name(node) in _TO_TEXT | TEXT_METHODS


def _makes_text(points_to: PointsTo, func: ast.expr, scope: LexicalScope) -> bool:
    """True if a callee may be a function of Python that makes texts."""
    return any(_is_of_text(each.base) for each in points_to.of(func, scope))


def _is_of_text(base: object) -> bool:
    name = base.name if isinstance(base, Named) else base.cls if isinstance(base, ClassObject) else ""
    return isinstance(name, str) and name.startswith(_PACKAGES_OF_TEXT) and name.rpartition(".")[2] in _TO_TEXT


def _is_text_function(node: ast.expr, scope: LexicalScope) -> bool:
    """True for `repr`, `nn.Module.__repr__` and their like as values."""
    if isinstance(node, ast.Name):
        return node.id in _TO_TEXT and scope.binder(node.id) is None
    if isinstance(node, ast.Call) and last_name(node.func) == "methodcaller":
        return any(isinstance(name, ast.Constant) and name.value in TEXT_METHODS for name in node.args[:1])
    return isinstance(node, ast.Attribute) and node.attr in TEXT_METHODS


def _calls_any_of(values: list[ast.expr], points_to: PointsTo, call: ast.Call, scope: LexicalScope) -> bool:
    """True if a function that is not of the project may call one of some arguments."""
    callees = [each.base for each in points_to.of(call.func, scope)]
    if any(isinstance(base, FunctionObject) for base in callees):
        return False
    names = [base.name for base in callees if isinstance(base, Named)]
    return not names or any(may_call(name, call, value) for name in names for value in values)


def _is_part_of_name(node: ast.expr, parents: dict[ast.AST, ast.AST]) -> bool:
    """True if a text is a part of the name of an attribute: `setattr(self, f"act_{i}", …)`. No module is put there."""
    text = parents.get(node)
    call = parents.get(text) if isinstance(node, ast.FormattedValue) and text is not None else None
    match call:
        case ast.Call(func=ast.Name(id="getattr" | "setattr" | "hasattr" | "delattr"), args=[_, name, *_]):
            return name is text
        case ast.Call(func=ast.Attribute(attr="add_module" | "register_module" | "register_buffer"), args=[name, *_]):
            return name is text
    return False


# Objects whose text is part of another one's


def _shown_objects(points_to: PointsTo, value: ast.expr, file: FileScopes) -> frozenset[Reference]:
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
        if isinstance(reference.base, Instance | Below) and not any(map(_admits_values_alone, reference.tests)):
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
    if _has_own_text(points_to, Instance(cls)):
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
    for base in points_to.project.mro(cls):
        entry = points_to.project.class_node(base) if isinstance(base, ClassRef) else None
        for node in ast.walk(entry.node) if entry is not None else ():
            match node:
                case ast.AnnAssign(target=ast.Name(id=name)):
                    found |= points_to.of_attribute(cls, name)
                case ast.Attribute(attr=name, ctx=ast.Store()):
                    found |= points_to.of_attribute(cls, name)
    return found


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


def _is_part_of_tuple(value: ast.expr, file: FileScopes) -> bool:
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
