"""Follows a function from where it is defined to where it is called."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from qprep.analysis.effects import silent_calls
from qprep.analysis.effects.abstract_objects import ClassObject, FunctionObject, Named, Reference, References
from qprep.analysis.effects.call_arguments import parameters
from qprep.analysis.effects.call_uses import Uses
from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
from qprep.analysis.effects.object_queries import ObjectQueries
from qprep.analysis.effects.stored_values import SCALARS
from qprep.analysis.symbols.ast_utils import is_text_method, last_name
from qprep.analysis.values.abstract_values import ClassRef

# Packages of Python's own whose functions return what they are given, or something that calls it.
_WRAPPERS = ("builtins.", "functools.", "collections.", "contextlib.", "itertools.", "operator.", "types.", "copy.")
# Functions that call nothing which they are given, and those of them that return what an iterable gives.
_SCALARS = frozenset(f"builtins.{name}" for name in SCALARS)
_COPIES = frozenset(
    f"builtins.{name}" for name in ("dict", "enumerate", "frozenset", "iter", "list", "reversed", "set", "tuple")
)
MAX_USES = 4000
"""Uses of one function that are followed. A function used more often counts as called with anything."""


class UseSearch:
    """Follows a function from where it is defined to where it is called."""

    def __init__(self, points_to: ObjectQueries, scope: LexicalScope) -> None:
        self.points_to = points_to
        self.scope = scope
        self.uses = Uses()
        self._seen: set[ast.AST] = set()
        self._wrapped: set[ast.AST] = set()  # values that call the function with other arguments in front
        self._is_wrapped = False
        self._waiting: list[tuple[ast.expr, FileScopes]] = []
        self._start()
        self._run()

    def _start(self) -> None:
        scope = self.scope
        if isinstance(scope.node, ast.Lambda):
            self._add(scope.node, scope.file)
            return
        meanings = self.points_to.calls.meanings
        for node, file in meanings(scope.name).reads_of(scope):
            self._add(node, file)
        owner = scope.owner
        if scope.name in ("__init__", "__new__") and owner is not None:
            made = (owner, *self.points_to.project.subclasses(owner))
            for cls in (each for each in made if scope in self.points_to.first_method(each, scope.name)):
                for node, file in meanings(short_name(cls)).classes.get(cls, ()):
                    self._add(node, file)
        if scope.name == "__call__" and owner is not None:
            self._add_instances(self.points_to.family(owner))
        for decorator in getattr(scope.node, "decorator_list", ()):
            self._decorated(decorator, scope)

    def _add_instances(self, classes: Iterable[ClassRef]) -> None:
        """Follow the objects of classes: where they are made, and as `self` in their methods."""
        meanings = self.points_to.calls.meanings
        for cls in classes:
            for node, file in meanings(short_name(cls)).classes.get(cls, ()):
                parent = file.parents.get(node)
                if isinstance(parent, ast.Call) and parent.func is node:
                    self._add(parent, file)
            file_of_class = self.points_to.file(cls.module)
            for method in file_of_class.functions() if file_of_class is not None else ():
                if method.receiver is not None and method.owner == cls:
                    for read in self.points_to.calls.reads(method, method.receiver):
                        parent = method.file.parents.get(read)
                        if not isinstance(parent, ast.Attribute):
                            self._add(read, method.file)

    def _add(self, node: ast.expr, file: FileScopes) -> None:
        if node in self._seen:
            return
        self._seen.add(node)
        if len(self._seen) > MAX_USES:
            self.uses.unknown = True
            return
        if self._is_wrapped:
            self._wrapped.add(node)
        self._waiting.append((node, file))

    def _run(self) -> None:
        while self._waiting and not self.uses.unknown:
            node, file = self._waiting.pop()
            self._is_wrapped = node in self._wrapped
            self._follow(node, file)

    def _decorated(self, decorator: ast.expr, scope: LexicalScope) -> None:
        """A decorator of the project is called with the function."""
        if scope.parent is None:
            return
        named = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(named, ast.Attribute) and isinstance(named.value, ast.Name):
            home = scope.parent.binder(named.value.id)  # `@function.register`: calls of that function may run this one
            if home is not None:
                self._follow_variable(home, named.value.id)
        for reference in self.points_to.of(decorator, scope.parent):
            if isinstance(reference.base, FunctionObject):
                self._follow_first_parameter(reference.base.scope)

    def _follow_first_parameter(self, function: LexicalScope) -> None:
        arguments = function.arguments
        positional = [*arguments.posonlyargs, *arguments.args] if arguments is not None else []
        if positional:
            self._follow_variable(function, positional[0].arg)

    def _follow_variable(self, scope: LexicalScope, name: str) -> None:
        for node in self.points_to.calls.reads(scope, name):
            self._add(node, scope.file)

    def _follow(self, node: ast.expr, file: FileScopes) -> None:  # noqa: C901, PLR0912  (one case a node type)
        """The destinations of an expression's value."""
        parent = file.parents.get(node)
        match parent:
            case ast.Call(func=func) if func is node:
                uses = self.uses.loose if self._is_wrapped else self.uses.direct
                uses[parent, file.scope_of(parent)] = None
            case ast.Call():
                self._given(parent, node, file)
            case ast.keyword():
                call = file.parents.get(parent)
                if isinstance(call, ast.Call):
                    self._given(call, node, file)
            case ast.Assign(targets=targets):
                for target in targets:
                    self._stored(target, file)
            case ast.AnnAssign(target=target) | ast.NamedExpr(target=target):
                self._stored(target, file)
                if isinstance(parent, ast.NamedExpr):
                    self._add(parent, file)
            case ast.For(target=target) | ast.comprehension(target=target):
                self._stored(target, file)
            case ast.Return() | ast.Yield():
                self._returned(file.scope_of(parent))
            case ast.Lambda(body=body) if body is node:
                self._returned(file.defined(parent))
            case ast.Attribute():
                self._from_container(parent, file)
            case ast.Subscript(slice=index) if index is node:
                pass  # a key: what is looked up by it is another object
            case ast.Compare() | ast.FormattedValue() | ast.UnaryOp():
                pass
            case ast.BinOp(op=op) if not isinstance(op, ast.Add | ast.Mult | ast.BitOr | ast.Mod):
                pass  # no operation on functions or containers
            case ast.expr():
                self._add(parent, file)  # containers, conditions, comprehensions
            case ast.withitem(optional_vars=ast.expr() as target):
                self._stored(target, file)
            case ast.arguments():
                self._default_of(parent, node, file)
            case _:
                pass  # statements that keep nothing; decorators and bases, which are followed from the definition

    def _from_container(self, attribute: ast.Attribute, file: FileScopes) -> None:
        """`callbacks.values()`, `fn.__name__`: what a container holds comes out of its methods."""
        parent = file.parents.get(attribute)
        if isinstance(parent, ast.Call) and parent.func is attribute:
            self._add(parent, file)

    def _given(self, call: ast.Call, node: ast.expr, file: FileScopes) -> None:
        """The function is an argument."""
        scope = file.scope_of(call)
        callees = self.points_to.known(call.func, scope)
        if callees is None or is_text_method(call.func) or _is_of(callees, _SCALARS):
            return
        if _is_of(callees, _COPIES) and len(call.args) == 1:
            self._add(call, file)
            return
        functions = [function for each in callees for function in self._run_by(each)]
        for function in functions:
            for name in self.points_to.calls.bound_names(call, function, node):
                self._follow_variable(function, name)
        if not functions:
            names = [reference.base.name for reference in callees if isinstance(reference.base, Named)]
            if len(names) < len(callees) or not names or any(silent_calls.may_call(name, call, node) for name in names):
                self.uses.loose[call, scope] = None
            if any(name.startswith(_WRAPPERS) and not name.startswith(silent_calls.COPIES_NAMES) for name in names):
                self._is_wrapped = True
                self._add(call, file)  # functools.partial, lru_cache … return what calls it
            if isinstance(call.func, ast.Attribute) and last_name(call.func) in (
                "append",
                "add",
                "setdefault",
                "insert",
            ):
                self._stored_in(call.func.value, file)

    def _run_by(self, callee: Reference) -> list[LexicalScope]:
        """The functions of the project that a call of an object runs."""
        match callee.base:
            case FunctionObject(scope=function):
                return [function]
            case ClassObject(cls=ClassRef() as cls):
                return self.points_to.method(cls, "__init__")
        return []

    def _stored_in(self, container: ast.expr, file: FileScopes) -> None:
        match container:
            case ast.Name() | ast.Attribute():
                self._stored(container, file)
            case _:
                self.uses.unknown = True

    def _stored(self, target: ast.expr, file: FileScopes) -> None:
        """The function is assigned."""
        match target:
            case ast.Name(id=name):
                home = file.scope_of(target).binder(name)
                if home is not None:
                    self._follow_variable(home, name)
                    if home.node is file.index.tree:
                        self._follow_global(file, name)
            case ast.Attribute(value=value, attr=attribute):
                self.uses.stored[value, file.scope_of(target)] = None
                for node, other in self.points_to.names.loads(self.points_to, attribute):
                    if isinstance(node, ast.Attribute):
                        self._add(node, other)
            case ast.Subscript(value=value):
                self._stored_in(value, file)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self._stored(part, file)
            case ast.Starred(value=value):
                self._stored(value, file)
            case _:
                self.uses.unknown = True

    def _follow_global(self, file: FileScopes, name: str) -> None:
        """Reads of a module's variable in other files."""
        for node, other in self.points_to.names.loads(self.points_to, name):
            if other is file:
                continue
            found = self.points_to.of(node, other.scope_of(node))
            if any(isinstance(r.base, FunctionObject) and r.base.scope is self.scope for r in found):
                self._add(node, other)

    def _returned(self, function: LexicalScope | None) -> None:
        """The function is returned: calls of the function around it evaluate to it."""
        if function is None or not function.is_function:
            return
        if function is self.scope:
            return
        for call, where in self.points_to.calls.uses(function).direct:
            self._add(call, where.file)
        for scope in self.points_to.calls.decorated_by(function):
            for node, file in self.points_to.calls.meanings(scope.name).reads_of(scope):
                self._add(node, file)

    def _default_of(self, arguments: ast.arguments, node: ast.expr, file: FileScopes) -> None:
        """The function is the default of a parameter."""
        function = file.defined(file.parents[arguments]) if arguments in file.parents else None
        if function is None:
            self.uses.unknown = True
            return
        for name in parameters(function):
            self._follow_variable(function, name)


def _is_of(callees: References, names: frozenset[str]) -> bool:
    """True if all functions that a call may run are among those of some names."""
    return bool(callees) and all(isinstance(each.base, Named) and each.base.name in names for each in callees)


def short_name(cls: ClassRef) -> str:
    """The name that code around a class reads it by."""
    return cls.name.rpartition(".")[2].partition(":")[0]
