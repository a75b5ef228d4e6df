"""Constructors that hand `self` to code which may run, copy or list the module before the constructor ends."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.abstract_objects import ClassObject, FunctionObject
from qprep.analysis.symbols.ast_utils import last_name
from qprep.analysis.values.abstract_values import ClassRef
from qprep.rewriting.fix_session import remembered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.effects.lexical_scopes import LexicalScope
    from qprep.analysis.places import Unit
    from qprep.rewriting.fix_session import RewriteContext

MAX_CALLS = 12  # functions that hand self on to one another
# Builtins that neither run nor copy what they are given.
_LOOKING = frozenset(
    ["isinstance", "hasattr", "getattr", "setattr", "delattr", "print", "id", "type", "super", "repr", "str", "len",
     "vars", "issubclass", "callable", "hash", "register_buffer", "register_parameter", "ref", "proxy"]
)  # fmt: skip


@remembered
def escapes_early(context: RewriteContext, unit: Unit) -> bool:
    """True if the constructor of a class hands self to code that may use the whole module."""
    return escapes(context, ClassRef(unit.module, unit.name)) is not None


def escapes(context: RewriteContext, cls: ClassRef) -> ast.expr | None:
    """The place at which the constructor of a class passes `self` to code that may use the whole module, or None."""
    entry = context.project.class_node(cls)
    init = entry.methods.get("__init__") if entry is not None else None
    scope = context.effects.points_to.function(cls.module, init) if init is not None else None
    return _Escape(context).use(scope, scope.receiver or "") if scope is not None else None


class _Escape:
    """Follows a variable through the functions that it is given to."""

    def __init__(self, context: RewriteContext) -> None:
        self.points_to = context.effects.points_to
        self._seen: set[tuple[LexicalScope, str]] = set()

    def use(self, scope: LexicalScope, name: str) -> ast.expr | None:
        """The first use of a parameter that may run, copy or list the object."""
        if (scope, name) in self._seen:
            return None
        if len(self._seen) > MAX_CALLS:
            return next(iter(self._reads(scope, name)), None)  # not followed further: it counts as a use
        self._seen.add((scope, name))
        for node in self._reads(scope, name):
            if self._is_use(node, scope, is_start=len(self._seen) == 1):
                return node
        return None

    @staticmethod
    def _reads(scope: LexicalScope, name: str) -> Iterator[ast.Name]:
        for node in scope.file.index.of(ast.Name):
            if node.id == name and isinstance(node.ctx, ast.Load) and scope.file.scope_of(node) is scope:
                yield node

    def _is_use(self, node: ast.Name, scope: LexicalScope, *, is_start: bool) -> bool:
        parent = scope.file.parents.get(node)
        if isinstance(parent, ast.Starred | ast.keyword):
            parent = scope.file.parents.get(parent)
        match parent:
            case ast.Attribute(attr=attribute):
                return not is_start and attribute in ("forward", "__call__", "modules", "named_modules", "children")
            case ast.Call(func=func) if func is node:
                return not is_start  # a call of self in its own constructor is known already
            case ast.Call():
                return self._is_used_by(parent, node, scope)
            case ast.Compare() | ast.Subscript() | ast.If() | ast.IfExp() | ast.FormattedValue():
                return False
            case ast.Assign(targets=targets):
                return any(not isinstance(target, ast.Attribute | ast.Name | ast.Subscript) for target in targets)
        return isinstance(parent, ast.Return | ast.Yield) and not is_start

    def _is_used_by(self, call: ast.Call, node: ast.Name, scope: LexicalScope) -> bool:
        if last_name(call.func) in _LOOKING or last_name(call.func) == "__init__":
            return False
        followed = False
        for reference in self.points_to.of(call.func, scope):
            base = reference.base
            functions: list[LexicalScope] = []
            if isinstance(base, FunctionObject):
                functions = [base.scope]
            elif isinstance(base, ClassObject) and isinstance(base.cls, ClassRef):
                functions = self.points_to.method(base.cls, "__init__")
                followed = True
            for function in functions:
                followed = True
                for name in self.points_to.calls.bound_names(call, function, node):
                    if self.use(function, name) is not None:
                        return True
        return not followed
