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
    base = ast.unparse(bases.elts[0])
    return function is not None and any(_constructs(statement, base, file) for statement in function.body)


def is_run_by_subclass(node: ast.Attribute, file: FileScopes) -> bool:
    """True if `cls.__init__` is fetched to be run by the constructor of a subclass, on its own instance alone.

    That is `original = cls.__init__`, `def init(self, …): original(self, …)`, `type(name, (cls,), {"__init__": init})`.
    """
    statement = file.parents.get(node)
    match statement:
        case ast.Assign(targets=[ast.Name(id=held)], value=value) if value is node and isinstance(node.value, ast.Name):
            pass
        case _:
            return False
    scope = file.scope_of(node)
    if len(scope.bindings.get(held, ())) != 1 or held in scope.outer_names:
        return False
    reads = [name for name in _reads(held, scope, file) if file.parents.get(name) is not statement]
    functions = {_run_on_own(name, file) for name in reads}
    return None not in functions and all(
        isinstance(function, ast.FunctionDef) and _is_constructor_of(function, node.value, scope, file)
        for function in functions
    )


def _reads(name: str, scope: LexicalScope, file: FileScopes) -> list[ast.Name]:
    found = (node for node in file.index.of(ast.Name) if node.id == name and isinstance(node.ctx, ast.Load))
    return [node for node in found if file.scope_of(node).binder(name) is scope]


def _run_on_own(name: ast.Name, file: FileScopes) -> ast.FunctionDef | None:
    """The function around `original(self, …)`, where `self` is its first parameter and bound once."""
    call, inner = file.parents.get(name), file.scope_of(name)
    if not (isinstance(call, ast.Call) and call.func is name and call.args and isinstance(inner.node, ast.FunctionDef)):
        return None
    first = inner.positional[0] if inner.positional else None
    is_own = isinstance(call.args[0], ast.Name) and call.args[0].id == first
    return inner.node if is_own and first is not None and len(inner.bindings[first]) == 1 else None


def _is_constructor_of(function: ast.FunctionDef, base: ast.expr, scope: LexicalScope, file: FileScopes) -> bool:
    """True if a function is nothing but the constructor of classes that are made of a base."""
    if function.decorator_list or len(scope.bindings.get(function.name, ())) != 1 or not isinstance(base, ast.Name):
        return False
    reads = _reads(function.name, scope, file)
    return bool(reads) and all(_is_constructor_in(read, base, file) for read in reads)


def _is_constructor_in(read: ast.Name, base: ast.Name, file: FileScopes) -> bool:
    members = file.parents.get(read)
    call = file.parents.get(members) if isinstance(members, ast.Dict) else None
    match call:
        case ast.Call(func=ast.Name(id="type"), args=[_, ast.Tuple(elts=[ast.Name() as only]), ast.Dict() as last]):
            same = only.id == base.id and file.scope_of(only).binder(only.id) is file.scope_of(base).binder(base.id)
            keys = [key.value for key in last.keys if isinstance(key, ast.Constant)]
            at = last.values.index(read) if read in last.values else -1
            return same and last is members and len(keys) == len(last.keys) and at >= 0 and keys[at] == "__init__"
    return False


def _function(node: ast.expr, file: FileScopes) -> ast.FunctionDef | None:
    """The only function that a name refers to."""
    home = file.scope_of(node).binder(node.id) if isinstance(node, ast.Name) else None
    if home is None or not isinstance(node, ast.Name) or len(home.bindings[node.id]) != 1:
        return None
    value = home.bindings[node.id][0].value
    return value if isinstance(value, ast.FunctionDef) else None


def _constructs(statement: ast.stmt, base: str, file: FileScopes) -> bool:
    """`super(cls, self).__init__(…)`, `Base.__init__(self, …)`, `original_init(self, …)`."""
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    return _is_constructor(statement.value.func, base, file.scope_of(statement.value))


def _is_constructor(node: ast.expr, base: str, scope: LexicalScope) -> bool:
    """True if an expression is the constructor of a base, or of what stands above the class that inherits from it."""
    match node:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="super"), args=arguments), attr="__init__"):
            return not arguments or ast.unparse(arguments[0]) != base
        case ast.Attribute(value=value, attr="__init__"):
            return ast.unparse(value) == base
        case ast.Name(id=name):
            home = scope.binder(name)
            bindings = home.bindings[name] if home is not None else []
            is_bound = len(bindings) == 1 and bindings[0].kind is BindingKind.VALUE
            bound = bindings[0].value if is_bound else None
            return isinstance(bound, ast.Attribute) and _is_constructor(bound, base, scope)
    return False
