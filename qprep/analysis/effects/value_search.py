"""Follows the value of an expression, which can be called, to where it is called."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass

from qprep.analysis.effects import item_paths, silent_calls
from qprep.analysis.effects.abstract_objects import ClassObject, FunctionObject, Named, Reference, References
from qprep.analysis.effects.call_uses import Uses
from qprep.analysis.effects.item_paths import ANYWHERE, Path
from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
from qprep.analysis.effects.object_queries import ObjectQueries
from qprep.analysis.effects.stored_values import SCALARS
from qprep.analysis.symbols.ast_utils import is_text_method, last_name
from qprep.analysis.values.abstract_values import ClassRef

# Packages of Python's own whose functions return what they are given, or something that calls it.
_WRAPPERS = ("builtins.", "functools.", "collections.", "contextlib.", "itertools.", "operator.", "types.", "copy.")

# Functions that call nothing which they are given, and those of them that return what an iterable gives.
_SCALARS = frozenset(f"builtins.{name}" for name in SCALARS)
_DICTIONARIES = frozenset(("builtins.dict", "collections.OrderedDict"))
_COPIES = frozenset(
    f"builtins.{name}" for name in ("dict", "enumerate", "frozenset", "iter", "list", "reversed", "set", "tuple")
)

MAX_USES = 4000
"""Uses of one function that are followed. A function used more often counts as called with anything."""

MAX_ENTRIES = 24
"""Calls of one function that are distinguished; what it returns of further ones goes back to all of its calls."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """The call by which a function got the value that is followed in it; None: it decorates the value's definition."""

    function: LexicalScope
    call: ast.Call | None
    file: FileScopes


class ValueSearch:
    """Follows the value of an expression, which can be called, to where it is called."""

    def __init__(self, points_to: ObjectQueries, node: ast.expr, file: FileScopes) -> None:
        self._begin(points_to, ())
        self._add(node, file)
        self._run()

    def _begin(self, points_to: ObjectQueries, path: Path) -> None:
        self.points_to = points_to
        self.uses = Uses()
        self._seen: set[tuple[ast.AST, Path, _Entry | None]] = set()
        self._wrapped: set[ast.AST] = set()  # values that call the function with other arguments in front
        self._is_wrapped = False
        self._path = path  # where the function sits in the value that is followed
        self._entry: _Entry | None = None  # of the function that the value is in; None: any call of it
        self._entries: dict[LexicalScope, set[_Entry]] = defaultdict(set)
        self._waiting: list[tuple[ast.expr, FileScopes, Path, _Entry | None]] = []

    def _add(self, node: ast.expr, file: FileScopes, path: Path | None = None) -> None:
        """Follow an expression that holds the function, in the same place as before unless a path is given."""
        path = self._path if path is None else path
        number = len(self._seen)
        self._seen.add((node, path, self._entry))
        if len(self._seen) == number:
            return
        if number >= MAX_USES:
            self.uses.unknown = True
            return
        if self._is_wrapped:
            self._wrapped.add(node)
        self._waiting.append((node, file, path, self._entry))

    def _run(self) -> None:
        while self._waiting and not self.uses.unknown:
            node, file, self._path, self._entry = self._waiting.pop()
            self._is_wrapped = node in self._wrapped
            self._follow(node, file)

    def _follow_first_parameter(self, function: LexicalScope) -> None:
        if function.positional:
            self._follow_variable(function, function.positional[0])

    def _follow_variable(self, scope: LexicalScope, name: str, path: Path | None = None) -> None:
        for node in self.points_to.calls.reads(scope, name):
            self._add(node, scope.file, path)

    def _follow(  # noqa: C901, PLR0912  (one case a node type)
        self, node: ast.expr, file: FileScopes
    ) -> None:
        """The destinations of an expression's value."""
        parent = file.parents.get(node)
        match parent:
            case ast.Call(func=func) if func is node and not item_paths.may_be_called(self._path):
                pass  # a dictionary is not called
            case ast.Call(func=func) if func is node:
                uses = self.uses.loose if self._is_wrapped else self.uses.direct
                uses[parent, file.scope_of(parent)] = None
            case ast.Call():
                self._given(parent, node, file)
            case ast.keyword():
                self._follow_keyword(parent, node, file)
            case ast.Assign(targets=targets):
                self._follow_targets(targets, file)
            case ast.AnnAssign(target=target) | ast.NamedExpr(target=target):
                self._stored(target, file)
                if isinstance(parent, ast.NamedExpr):
                    self._add(parent, file)
            case ast.For(target=target) | ast.comprehension(target=target):
                each = item_paths.iterated(self._path)
                if each is not None:
                    self._path = each
                    self._stored(target, file)
            case ast.Return() | ast.Yield():
                self._path = ANYWHERE if isinstance(parent, ast.Yield) else self._path
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
            case ast.expr():  # containers, conditions, comprehensions
                inner = item_paths.through(self._path, parent, node)
                if inner is not None:
                    self._add(parent, file, inner)
            case ast.withitem(optional_vars=ast.expr() as target):
                self._stored(target, file)
            case ast.arguments():
                self._default_of(parent, node, file)
            case _:
                pass  # statements that keep nothing; decorators and bases, which are followed from the definition

    def _follow_keyword(self, keyword: ast.keyword, node: ast.expr, file: FileScopes) -> None:
        call = file.parents.get(keyword)
        if isinstance(call, ast.Call):
            self._attribute_of_made(call, keyword.arg, file)
            self._given(call, node, file)

    def _follow_targets(self, targets: list[ast.expr], file: FileScopes) -> None:
        """`first = second = value`: each target gets the value as it is."""
        path, entry = self._path, self._entry
        for target in targets:
            self._path, self._entry = path, entry
            self._stored(target, file)

    def _from_container(self, attribute: ast.Attribute, file: FileScopes) -> None:
        """`callbacks.values()`: what a container holds comes out of its methods; the project's own are read."""
        parent = file.parents.get(attribute)
        if not (isinstance(parent, ast.Call) and parent.func is attribute):
            return
        callees = self.points_to.known(attribute, file.scope_of(attribute))
        if callees is None:
            return
        methods = [each.base for each in callees if isinstance(each.base, FunctionObject)]
        path = item_paths.through_method(self._path, parent)
        if path is not None and (not methods or len(methods) < len(callees)):
            self._add(parent, file, path)
        for method in methods:
            owner = method.scope.owner
            is_of_class = method.scope.has_decorator("classmethod")
            self._leave(None)
            if method.is_bound and owner is not None and (is_of_class or self.points_to.may_keep_items(owner)):
                self._follow_first_parameter(method.scope)

    def _given(self, call: ast.Call, node: ast.expr, file: FileScopes) -> None:
        """The function is an argument."""
        scope = file.scope_of(call)
        callees = self.points_to.known(call.func, scope)
        if callees is None or is_text_method(call.func) or _is_of(callees, _SCALARS):
            return
        named = next((each for each in call.keywords if each.value is node), None)
        if _is_of(callees, _DICTIONARIES):
            is_item = named is not None and named.arg is not None
            whole = item_paths.of_copy(self._path)
            self._add(call, file, item_paths.put_under(named.arg, self._path) if is_item and named else whole)
            return
        if _is_of(callees, _COPIES) and len(call.args) == 1:
            self._add(call, file, ANYWHERE)
            return
        functions = [function for each in callees for function in self._run_by(each)]
        for function in functions:
            for name in self.points_to.calls.bound_names(call, function, node):
                path = self._path_of_parameter(name, function, named)
                if path is not None:
                    self._enter(function, name, path, call, file)
        if not functions:
            names = [reference.base.name for reference in callees if isinstance(reference.base, Named)]
            if len(names) < len(callees) or not names or any(silent_calls.may_call(name, call, node) for name in names):
                self.uses.loose[call, scope] = None
            if any(name.startswith(_WRAPPERS) and not name.startswith(silent_calls.COPIES_NAMES) for name in names):
                self._is_wrapped = True
                self._add(call, file, ANYWHERE)  # functools.partial, lru_cache … return what calls it
            if isinstance(call.func, ast.Attribute) and last_name(call.func) in (
                "append",
                "add",
                "setdefault",
                "insert",
            ):
                key = call.args[0] if call.func.attr == "setdefault" and node in call.args[1:] else None
                self._path = item_paths.put_under(item_paths.key_of(key), self._path)
                self._stored_in(call.func.value, file)

    def _enter(
        self, function: LexicalScope, name: str, path: Path | None, call: ast.Call | None, file: FileScopes
    ) -> None:
        """Follow a parameter during one call: what the function returns of it goes back to that call alone."""
        before = self._entry
        known = self._entries[function]
        entry = _Entry(function, call, file)
        if len(known) < MAX_ENTRIES:
            known.add(entry)
        self._entry = entry if entry in known else None
        self._follow_variable(function, name, path)
        self._entry = before

    def _path_of_parameter(self, name: str, function: LexicalScope, given: ast.keyword | None) -> Path | None:
        """The path of the function in a parameter that an argument is bound to; None if it is not in it."""
        arguments = function.arguments
        if arguments is None or (arguments.vararg is not None and arguments.vararg.arg == name):
            return ANYWHERE
        is_rest = arguments.kwarg is not None and arguments.kwarg.arg == name
        if given is None or (given.arg is not None and not is_rest):
            return self._path
        if given.arg is not None:  # `f(fn=value)`, which `**rest` takes
            return item_paths.put_under(given.arg, self._path)
        return self._path if is_rest else item_paths.taken(self._path, name)  # `f(**values)`

    def _attribute_of_made(self, call: ast.Call, keyword: str | None, file: FileScopes) -> None:
        """A class of another package may make an attribute of a keyword: `SimpleNamespace(info=function)`."""
        if keyword is None or not any(map(_is_other_class, self.points_to.of(call.func, file.scope_of(call)))):
            return
        entry = self._entry
        self._leave(None)
        self._follow_attribute(keyword)
        self._entry = entry

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
            case ast.Subscript(value=value, slice=index):
                self._path = item_paths.put_under(item_paths.stored_key(index), self._path)
                self._stored_in(value, file)
            case ast.Starred(value=value):
                self._stored_in(value, file)
            case ast.Call(func=ast.Attribute(value=value), args=arguments):  # `table.setdefault(key, [])`
                self._path = ANYWHERE
                for part in (value, *(each for each in arguments if isinstance(each, ast.Name | ast.Attribute))):
                    self._stored_in(part, file)
            case _:
                self.uses.unknown = True

    def _stored(self, target: ast.expr, file: FileScopes) -> None:
        """The function is assigned."""
        match target:
            case ast.Name(id=name):
                home = file.scope_of(target).binder(name)
                if home is not None:
                    self._leave(home)
                    self._follow_variable(home, name)
                    if home.node is file.index.tree:
                        self._follow_global(file, name)
                    if isinstance(home.node, ast.ClassDef):
                        self._follow_attribute(name)
            case ast.Attribute(value=value, attr=attribute):
                self.uses.stored[value, file.scope_of(target)] = None
                self._leave(None)
                self._follow_attribute(attribute)
            case ast.Subscript(value=value, slice=index):
                self._path = item_paths.put_under(item_paths.stored_key(index), self._path)
                self._stored_in(value, file)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                path, entry = self._path, self._entry
                for number, part in enumerate(parts):
                    if (inner := item_paths.unpacked(path, number, parts)) is not None:
                        self._path, self._entry = inner, entry
                        self._stored(part, file)
            case ast.Starred(value=value):
                self._stored(value, file)
            case _:
                self.uses.unknown = True

    def _follow_attribute(self, name: str) -> None:
        for node, other in self.points_to.names.loads(self.points_to, name):
            if isinstance(node, ast.Attribute):
                self._add(node, other)

    def _leave(self, home: LexicalScope | None) -> None:
        """Forget the call by which the value came where it is stored in another place than a variable of the function.

        Any call of any function may then meet it.
        """
        if self._entry is not None and self._entry.function is not home:
            self._entry = None

    def _follow_global(self, file: FileScopes, name: str) -> None:
        """Reads of a module's variable in other files."""
        for node, other in self.points_to.names.loads(self.points_to, name):
            if other is file:
                continue
            if self._is_read_of(node, other, f"{file.module}.{name}"):
                self._add(node, other)

    def _is_read_of(self, node: ast.Name | ast.Attribute, file: FileScopes, variable: str) -> bool:
        """True if a read in another file may be of a module's variable, of a dotted name, that holds the value."""
        if isinstance(node, ast.Attribute):
            return True
        home = file.scope_of(node).binder(node.id)
        bindings = home.bindings[node.id] if home is not None else ()
        return home is None or any(binding.target == variable for binding in bindings)

    def _returned(self, function: LexicalScope | None) -> None:
        """The function is returned: calls of the function around it evaluate to it."""
        if function is None or not function.is_function:
            return
        if self._is_itself(function):
            return
        entry, self._entry = self._entry, None
        if entry is not None and entry.function is function:
            if entry.call is not None:
                self._add(entry.call, entry.file)
            else:
                self._follow_definition()
            return
        for call, where in self.points_to.calls.uses(function).direct:
            self._add(call, where.file)
        definitions = (reference.base for _, reference in self.points_to.calls.decorated(function))
        for scope in (each.scope for each in definitions if isinstance(each, FunctionObject)):
            for node, file in self.points_to.calls.meanings(scope.name).reads_of(scope):
                self._add(node, file)

    def _follow_definition(self) -> None:
        """Follow the reads of the definition that is followed, which a decorator gave another value."""

    def _is_itself(self, _function: LexicalScope) -> bool:
        """True if a function is the one that is followed."""
        return False

    def _default_of(self, arguments: ast.arguments, node: ast.expr, file: FileScopes) -> None:
        """The function is the default of a parameter."""
        function = file.defined(file.parents[arguments]) if arguments in file.parents else None
        if function is None:
            self.uses.unknown = True
            return
        self._leave(None)
        for name in _parameters_with_default(arguments, node):
            self._follow_variable(function, name)


def _parameters_with_default(arguments: ast.arguments, default: ast.expr) -> list[str]:
    """The parameters that an expression is the default of: one, in any function that compiles."""
    positional = [*arguments.posonlyargs, *arguments.args]
    behind = positional[len(positional) - len(arguments.defaults) :]
    pairs = [*zip(behind, arguments.defaults, strict=True)]
    pairs += [(arg, value) for arg, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value]
    return [arg.arg for arg, value in pairs if value is default]


def _is_of(callees: References, names: frozenset[str]) -> bool:
    """True if all functions that a call may run are among those of some names."""
    return bool(callees) and all(isinstance(each.base, Named) and each.base.name in names for each in callees)


def _is_other_class(callee: Reference) -> bool:
    """True for a class of another package than torch, by the way its name is written."""
    name = callee.base.name if isinstance(callee.base, Named) else ""
    return name.rpartition(".")[2][:1].isupper() and not name.startswith("torch.")
