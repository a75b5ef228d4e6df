"""Classes that a call of `type(name, bases, members)` makes: whether instances run the constructor of the base."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from qprep.analysis.effects.lexical_scopes import BindingKind

if TYPE_CHECKING:
    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope

_HARMLESS = frozenset(("__doc__", "__init__", "__module__", "__qualname__"))


def runs_base_constructor(call: ast.Call, file: FileScopes) -> bool:
    """True if `type(name, bases, members)` has one base, and members that leave its constructor, or call it.

    The constructor among them must run that of the base in a statement of its own, which nothing decides over: then
    what a rewrite adds to the constructor of the base is there. Members with plain names could hide what it adds.
    """
    bases, members = call.args[1:3]
    if not (isinstance(bases, ast.Tuple) and len(bases.elts) == 1 and isinstance(members, ast.Dict)):
        return False
    known = [key.value for key in members.keys if isinstance(key, ast.Constant)]
    if len(known) != len(members.keys) or not _HARMLESS.issuperset(known):
        return False
    if "__init__" not in known:
        return True
    function = _function(members.values[known.index("__init__")], file)
    return function is not None and any(_constructs(statement, file) for statement in function.body)


def _function(node: ast.expr, file: FileScopes) -> ast.FunctionDef | None:
    """The only function that a name refers to."""
    home = file.scope_of(node).binder(node.id) if isinstance(node, ast.Name) else None
    if home is None or not isinstance(node, ast.Name) or len(home.bindings[node.id]) != 1:
        return None
    value = home.bindings[node.id][0].value
    return value if isinstance(value, ast.FunctionDef) else None


def _constructs(statement: ast.stmt, file: FileScopes) -> bool:
    """`super(cls, self).__init__(…)`, `Base.__init__(self, …)`, `original_init(self, …)`."""
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    return _is_constructor(statement.value.func, file.scope_of(statement.value))


def _is_constructor(node: ast.expr, scope: LexicalScope) -> bool:
    match node:
        case ast.Attribute(attr="__init__"):
            return True
        case ast.Name(id=name):
            home = scope.binder(name)
            bindings = home.bindings[name] if home is not None else []
            return len(bindings) == 1 and _is_bound_to_constructor(bindings[0].kind, bindings[0].value)
    return False


def _is_bound_to_constructor(kind: BindingKind, value: ast.AST | None) -> bool:
    return kind is BindingKind.VALUE and isinstance(value, ast.Attribute) and value.attr == "__init__"
