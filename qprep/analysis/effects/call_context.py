"""References of a function's expressions during one of its calls."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects import call_arguments
from qprep.analysis.effects.abstract_objects import NOTHING, References, widened
from qprep.analysis.effects.lexical_scopes import Binding, BindingKind

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import LexicalScope
    from qprep.analysis.effects.points_to import PointsTo

_PASS_ON = frozenset(("dict", "enumerate", "iter", "list", "reversed", "sorted", "tuple", "zip"))


class CallContext:
    """Parameters are the arguments of one call; everything else is what it may be in any call."""

    def __init__(self, points_to: PointsTo, function: LexicalScope, call: ast.Call, where: LexicalScope) -> None:
        self._points_to = points_to
        self._function = function
        self._call = call
        self._where = where
        self._shifts = points_to.calls.shifts(call, where, function)
        self._open: set[str] = set()  # variables that are being looked at

    def of(self, node: ast.expr) -> References:
        """The objects that an expression of the function may refer to in this call; widened as those of any call."""
        return widened(self._find(node))

    def _find(self, node: ast.expr) -> References:
        match node:
            case ast.Name(id=name):
                return self._of_variable(node, name)
            case ast.Subscript(value=value):
                found = self.of(value)
                return found | self._points_to.below(found)
            case ast.IfExp(body=body, orelse=orelse):
                return self.of(body) | self.of(orelse)
            case ast.BoolOp(values=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts):
                return NOTHING.union(*map(self.of, parts))
            case ast.DictComp(key=key, value=value):
                return self.of(key) | self.of(value)
            case ast.ListComp(elt=part) | ast.SetComp(elt=part) | ast.GeneratorExp(elt=part):
                return self.of(part)
            case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if self._is_passing_on(name):
                return NOTHING.union(*map(self.of, parts))
            case ast.NamedExpr(value=value) | ast.Starred(value=value):
                return self.of(value)
        return self._points_to.of(node, self._function)

    def _is_passing_on(self, name: str) -> bool:
        return name in _PASS_ON and self._function.binder(name) is None

    def _of_variable(self, node: ast.Name, name: str) -> References:
        home = self._function.binder(name)
        if home is not self._function or name == self._function.receiver or name in self._open:
            return self._points_to.of(node, self._function)
        self._open.add(name)
        try:
            found = NOTHING.union(*(self._of_binding(name, each) for each in home.bindings[name]))
            found |= self._points_to.kept_in(home, name)
            own = (each for each in self._points_to.stores.of_variable(home, name) if each.scope is home)
            found |= NOTHING.union(*(self.of(value) for each in own if each.keeps_texts for value in each.values))
        finally:
            self._open.discard(name)
        return self._points_to.narrowed(node, found, home)

    def _of_binding(self, name: str, binding: Binding) -> References:
        points_to = self._points_to
        if binding.kind is BindingKind.PARAMETER:
            values = call_arguments.bound(self._call, self._function, name, self._shifts)
            given = NOTHING.union(*(points_to.of(value, self._where) for value in values))
            return given | points_to.default(self._function, name)
        if binding.kind in (BindingKind.VALUE, BindingKind.ITEM) and isinstance(binding.value, ast.expr):
            found = self.of(binding.value)
            return found | points_to.below(found) if binding.kind is BindingKind.ITEM else found
        return points_to.of_binding(self._function, name, binding)
