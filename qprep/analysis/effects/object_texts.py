"""Texts of objects that code uses: the text of a model names each module below it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from qprep.analysis.effects.abstract_objects import (
    NOTHING,
    Base,
    Below,
    FunctionObject,
    Held,
    Instance,
    Made,
    Named,
    References,
)
from qprep.analysis.effects.attribute_listings import names_listed
from qprep.analysis.effects.exposures import Exposure
from qprep.analysis.effects.lexical_scopes import BindingKind, is_super
from qprep.analysis.effects.method_calls import as_method_calls
from qprep.analysis.effects.shown_objects import has_own_text, is_part_of_tuple, shown_objects
from qprep.analysis.effects.silent_calls import may_call
from qprep.analysis.effects.text_functions import (
    TEXT_METHODS,
    TO_TEXT,
    bound_partial,
    is_of_no_function,
    is_text_function,
    makes_text,
    may_be_held,
    names_of_text_functions,
)
from qprep.analysis.effects.text_sinks import Way, is_message, is_shown, is_sink, writes_to_a_stream
from qprep.analysis.symbols.ast_utils import argument_values, last_name
from qprep.analysis.values.abstract_values import ClassRef

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
    from qprep.analysis.effects.points_to import PointsTo

# Methods of templates, which give a text that holds their arguments.
_FILLS = frozenset(("__mod__", "format", "format_map", "safe_substitute", "substitute", "vformat"))
_CONTAINERS = frozenset(("torch.nn.Sequential", "torch.nn.ModuleList", "torch.nn.ModuleDict"))
_OF_TEXTS = frozenset(name for name in dir(str) if not name.startswith("_"))


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
            if not is_part_of_tuple(value, file):
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
    found = shown_objects(points_to, value, file)
    plain = (each for each in found if conversion.of_base or not has_own_text(points_to, each.base))
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
        case Made(name=name):
            return name in _CONTAINERS
        case Below(owner=Held(owner=ClassRef() as cls, attribute=str(attribute)) as held):
            return any(each.base != held for each in points_to.of_attribute(cls, attribute))
    return True


def _describing(points_to: PointsTo) -> Iterator[tuple[_Conversion, FileScopes, References]]:
    """Every conversion that may give the text of an object of the project."""
    for file in filter(None, map(points_to.file, points_to.modules)):
        for conversion in _conversions(file, points_to):
            values = (shown_objects(points_to, value, file) for value in conversion.values)
            if found := frozenset().union(*values):
                yield conversion, file, found


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
    is_text = TEXT_METHODS.__contains__
    for made, method in as_method_calls(call, file, lambda node: points_to.of(node, scope), is_text):
        if method.attr in TEXT_METHODS:
            yield _Conversion(call, (method.value,), _always, of_base=_names_a_class(call, made))
    arguments = argument_values(call)
    name = last_name(call.func)
    if name in TEXT_METHODS and isinstance(call.func, ast.Attribute):
        owner = call.func.value
        yield _Conversion(call, (owner, *call.args), _always, of_base=is_super(owner, scope))
    elif name in _FILLS and isinstance(call.func, ast.Attribute):
        yield _Conversion(call, arguments, partial(is_of_no_function, points_to, call, scope))
    elif name in TO_TEXT and isinstance(call.func, ast.Name) and scope.binder(name) is None:
        yield _Conversion(call, arguments[:1], _always)
    elif name in TO_TEXT and isinstance(call.func, ast.Attribute):
        yield _Conversion(call, arguments[:1], partial(is_of_no_function, points_to, call, scope))
    elif isinstance(call.func, ast.Attribute) and name in names_of_text_functions(points_to):
        yield _Conversion(call, arguments, partial(is_of_no_function, points_to, call, scope))
    elif may_be_held(call.func, scope):
        yield _Conversion(call, arguments, partial(makes_text, points_to, call.func, scope))
    if (bound := bound_partial(call.func, scope)) is not None:
        yield from _of_partial(call, bound, file, points_to)
    elif writes_to_a_stream(call) and is_sink(call.func, file, points_to):
        yield _Conversion(call, tuple(call.args), _always, is_written=True)
    elif converters := [each for each in arguments if is_text_function(each, scope)]:
        receivers = (call.func.value,) if isinstance(call.func, ast.Attribute) else ()
        others = tuple(each for each in (*arguments, *receivers) if each not in converters)
        is_for_its_effect = isinstance(file.parents.get(call), ast.Expr) and not is_sink(call.func, file, points_to)
        is_certain = partial(_calls_any_of, converters, points_to, call, scope)
        yield _Conversion(call, others, is_certain, is_written=is_for_its_effect)


def _names_a_class(call: ast.Call, made: ast.Call) -> bool:
    """True for `nn.Module.__repr__(net)`, which passes over the text that the class of `net` defines."""
    return isinstance(call.func, ast.Attribute) and call.func is not made.func


def _of_partial(call: ast.Call, bound: ast.Call, file: FileScopes, points_to: PointsTo) -> Iterator[_Conversion]:
    """A call of what `partial(repr)` or `partial(print, file=stream)` made."""
    function, arguments = bound.args[0], (*bound.args[1:], *call.args)
    if is_text_function(function, file.scope_of(function)):
        yield _Conversion(call, arguments, _always)
    elif is_sink(function, file, points_to) and (writes_to_a_stream(bound) or writes_to_a_stream(call)):
        yield _Conversion(call, arguments, _always, is_written=True)


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
