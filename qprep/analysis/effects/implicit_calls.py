"""Calls of methods that Python makes by itself: for operators, items, `in`, `with`, and attributes that are set."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from qprep.analysis.effects.abstract_objects import Instance, may_be_of
from qprep.analysis.effects.base_class_calls import BaseClassCalls
from qprep.analysis.effects.lexical_scopes import assigned_value
from qprep.analysis.symbols.ast_utils import dotted_text

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
    from qprep.analysis.effects.object_queries import ObjectQueries
    from qprep.analysis.values.abstract_values import ClassRef

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor", ast.Div: "truediv",
    ast.FloorDiv: "floordiv", ast.Invert: "invert", ast.LShift: "lshift", ast.MatMult: "matmul", ast.Mod: "mod",
    ast.Mult: "mul", ast.Not: "bool", ast.Pow: "pow", ast.RShift: "rshift", ast.Sub: "sub", ast.UAdd: "pos",
    ast.USub: "neg",
}  # fmt: skip
# A comparison, and the one that the other operand is asked for.
_COMPARISONS: dict[type[ast.AST], tuple[str, str]] = {
    ast.Eq: ("__eq__", "__eq__"), ast.NotEq: ("__ne__", "__ne__"), ast.Lt: ("__lt__", "__gt__"),
    ast.Gt: ("__gt__", "__lt__"), ast.LtE: ("__le__", "__ge__"), ast.GtE: ("__ge__", "__le__"),
}  # fmt: skip

BINARY_METHODS = frozenset(
    (*(f"__{side}{name}__" for name in _OPERATORS.values() for side in ("", "r", "i")), *sum(_COMPARISONS.values(), ()))
)
"""Methods that code of other packages may call with two of a kind, as `sum`, `sorted` and `in` do."""

_Form = tuple[str, ast.expr, tuple[ast.expr | None, ...]]
"""A method, the object that it is called on, and its arguments; None for one without an expression."""


@dataclass(frozen=True, slots=True)
class ImplicitCall:
    """A call of a method that stands nowhere; `owner` is None where it is a method of any object."""

    owner: ast.expr | None
    arguments: tuple[ast.expr | None, ...]
    scope: LexicalScope


class ImplicitCalls:
    """All such calls of the methods that a project defines."""

    def __init__(self, points_to: ObjectQueries) -> None:
        self._points_to = points_to
        self._delivered = BaseClassCalls(points_to)

    def arguments(self, method: LexicalScope, name: str) -> Iterator[tuple[ast.expr, LexicalScope]]:
        """The expressions that Python gives a parameter of a method, except for the first."""
        cls, arguments = method.owner, method.arguments
        if cls is None or arguments is None or method.receiver in (None, name):
            return
        yield from self._delivered.arguments(method, cls)
        is_packed = arguments.vararg is not None and arguments.vararg.arg == name
        place = method.positional.index(name) - 1 if name in method.positional else None
        for call in self._calls_of(method, cls):
            values = call.arguments if is_packed else call.arguments[place : place + 1] if place is not None else ()
            if any(values) and self._may_run(call, cls):
                yield from ((value, call.scope) for value in values if value is not None)

    def _may_run(self, call: ImplicitCall, cls: ClassRef) -> bool:
        if call.owner is None:
            return True
        return may_be_of(self._points_to.of(call.owner, call.scope), self._points_to.family(cls))

    def _calls_of(self, method: LexicalScope, cls: ClassRef) -> Iterable[ImplicitCall]:
        match method.name:
            case "__exit__" | "__aexit__":
                return (
                    ImplicitCall(None, (None, value, None), where) for value, where in self._points_to.stores.raised
                )
            case "__set__":
                return self._sets(self._attributes_of_descriptor(cls), is_descriptor=True)
            case "__get__":
                return self._reads(self._attributes_of_descriptor(cls))
            case "__setattr__":
                return (*self._by_method["__setattr__"], *self._stored_by_name(None))
        return self._sets((method.name,)) if is_setter(method) else self._by_method.get(method.name, ())

    def _sets(self, attributes: Iterable[str], *, is_descriptor: bool = False) -> Iterator[ImplicitCall]:
        """Assignments to attributes: a property setter gets the value, `__set__` the object and the value."""
        for attribute in attributes:
            found: list[tuple[ast.expr | None, ast.expr | None, LexicalScope]] = [
                (node.value, assigned_value(node, where.file.parents), where)
                for node, where in self._points_to.names.stores(self._points_to, attribute)
            ]
            found += [(call.owner, call.arguments[1], call.scope) for call in self._stored_by_name(attribute)]
            for owner, value, scope in found:
                if is_descriptor:
                    yield ImplicitCall(None, (owner, value), scope)
                else:
                    yield ImplicitCall(owner, (value,), scope)

    def _reads(self, attributes: Iterable[str]) -> Iterator[ImplicitCall]:
        """Reads of attributes, which `__get__` gets the object of."""
        for attribute in attributes:
            for node, file in self._points_to.names.loads(self._points_to, attribute):
                if isinstance(node, ast.Attribute):
                    yield ImplicitCall(None, (node.value, None), file.scope_of(node))

    def _stored_by_name(self, attribute: str | None) -> Iterator[ImplicitCall]:
        """`setattr(x, name, value)` and its kind, for one attribute or (None) for any."""
        stores = self._points_to.stores
        for store in stores.every_attribute_store() if attribute is None else stores.attribute_stores(attribute):
            if store.owner is not None:
                yield from (ImplicitCall(store.owner, (None, value), store.scope) for value in store.values)

    def _attributes_of_descriptor(self, cls: ClassRef) -> frozenset[str]:
        """The attributes of classes that hold an instance of a class."""
        family = self._points_to.family(cls)
        return frozenset(
            name
            for name, value, scope in self._class_values
            if any(
                isinstance(each.base, Instance) and each.base.cls in family for each in self._points_to.of(value, scope)
            )
        )

    @cached_property
    def _class_values(self) -> list[tuple[str, ast.expr, LexicalScope]]:
        """The values of attributes in the bodies of all classes."""
        found = []
        for file in self._files():
            for entry in file.index.classes.values():
                scope = file.defined(entry.node)
                if scope is not None:
                    found += [(name, value, scope) for name, value in entry.values.items() if value is not None]
        return found

    @cached_property
    def _by_method(self) -> dict[str, list[ImplicitCall]]:
        """Operators, items and assignments, by the methods of the project that they may call."""
        found: dict[str, list[ImplicitCall]] = defaultdict(list)
        is_method = self._points_to.names.is_method
        for file in self._files():
            for kind, forms in _FORMS.items():
                for node in file.index.of(kind):
                    for method, owner, arguments in forms(node, file):
                        if is_method(method) and any(arguments):
                            found[method].append(ImplicitCall(owner, arguments, file.scope_of(node)))
        return found

    def _files(self) -> Iterator[FileScopes]:
        return (f for module in self._points_to.modules if (f := self._points_to.file(module)) is not None)


def operator_methods(operator: ast.operator | ast.unaryop) -> tuple[str, ...]:
    """The methods that Python looks for in the operands of an operator."""
    name = _OPERATORS[type(operator)]
    return (f"__{name}__", f"__r{name}__", f"__i{name}__") if isinstance(operator, ast.operator) else (f"__{name}__",)


def is_setter(method: LexicalScope) -> bool:
    """True for the method that sets a property."""
    return any(dotted_text(node).endswith(".setter") for node in getattr(method.node, "decorator_list", ()))


def is_property(method: LexicalScope) -> bool:
    """True for the methods of a property."""
    names = [dotted_text(node).rpartition(".")[2] for node in getattr(method.node, "decorator_list", ())]
    return any(name in ("property", "cached_property", "setter", "getter") for name in names)


def _binary(node: ast.BinOp, _file: FileScopes) -> Iterator[_Form]:
    plain, reflected, _ = operator_methods(node.op)
    yield plain, node.left, (node.right,)
    yield reflected, node.right, (node.left,)


def _augmented(node: ast.AugAssign, _file: FileScopes) -> Iterator[_Form]:
    plain, reflected, in_place = operator_methods(node.op)
    yield in_place, node.target, (node.value,)
    yield plain, node.target, (node.value,)
    yield reflected, node.value, (node.target,)


def _compared(node: ast.Compare, _file: FileScopes) -> Iterator[_Form]:
    for left, operator, right in zip((node.left, *node.comparators), node.ops, node.comparators, strict=False):
        if isinstance(operator, ast.In | ast.NotIn):
            yield "__contains__", right, (left,)
        elif type(operator) in _COMPARISONS:
            plain, reflected = _COMPARISONS[type(operator)]
            yield plain, left, (right,)
            yield reflected, right, (left,)


def _item(node: ast.Subscript, file: FileScopes) -> Iterator[_Form]:
    match node.ctx:
        case ast.Store():
            yield "__setitem__", node.value, (node.slice, assigned_value(node, file.parents))
        case ast.Del():
            yield "__delitem__", node.value, (node.slice,)
        case _ if not isinstance(node.slice, ast.Constant | ast.Slice):
            yield "__getitem__", node.value, (node.slice,)
            yield "__missing__", node.value, (node.slice,)


def _attribute(node: ast.Attribute, file: FileScopes) -> Iterator[_Form]:
    if isinstance(node.ctx, ast.Store):
        yield "__setattr__", node.value, (None, assigned_value(node, file.parents))


_FORMS: dict[type[Any], Callable[[Any, FileScopes], Iterator[_Form]]] = {
    ast.BinOp: _binary,
    ast.AugAssign: _augmented,
    ast.Compare: _compared,
    ast.Subscript: _item,
    ast.Attribute: _attribute,
}
