"""Calls of functions and their arguments: by name, through variables, parameters and attributes."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from qprep.analysis.effects import decorations, item_paths, silent_calls
from qprep.analysis.effects.abstract_objects import (
    Anything,
    Below,
    ClassObject,
    FunctionObject,
    Instance,
    Made,
    Many,
    Named,
    Reference,
    References,
)
from qprep.analysis.effects.item_paths import ANYWHERE, Path
from qprep.analysis.effects.lexical_scopes import is_super
from qprep.analysis.effects.stored_values import SCALARS
from qprep.analysis.symbols.ast_utils import is_text_method, last_name, walk
from qprep.analysis.values.abstract_values import ClassRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from qprep.analysis.effects.lexical_scopes import FileScopes, LexicalScope
    from qprep.analysis.effects.stored_values import StoreTable
    from qprep.analysis.symbols.module_resolver import Project

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

_OF_CLASSES = frozenset(("__call__", "__init__", "__new__"))

MAX_ENTRIES = 24
"""Calls of one function that are distinguished; what it returns of further ones goes back to all of its calls."""

Argument = tuple[ast.expr, "LexicalScope"]
_Decorated = tuple["LexicalScope", str, Reference]
T = TypeVar("T")


class ObjectQueries(Protocol):
    """The points-to analysis as call sites ask it; `PointsTo` is the implementation."""

    project: Project
    modules: tuple[str, ...]
    names: NameTable
    calls: CallGraph

    @property
    def stores(self) -> StoreTable:
        """Values that the project stores in objects without a plain assignment."""
        ...

    def family(self, cls: ClassRef) -> frozenset[ClassRef]:
        """A class, its bases and its subclasses, as far as the project defines them."""
        ...

    def file(self, module: str) -> FileScopes | None:
        """The scopes of a file of the project."""
        ...

    def of(self, node: ast.expr, scope: LexicalScope) -> References:
        """The objects that an expression may refer to."""
        ...

    def known(self, node: ast.expr, scope: LexicalScope) -> References | None:
        """The same; None while it may still become known."""
        ...

    def derived(self, key: Derived, compute: Callable[[], T], empty: T) -> T:
        """A result that is computed from what expressions may refer to; later ones are merged with it by `|`."""
        ...

    def attribute(self, owners: References, name: str) -> References:
        """The objects that an attribute of some objects may refer to."""
        ...

    def method(self, cls: ClassRef, name: str) -> list[LexicalScope]:
        """The definitions of a method that an instance of a class, or of a subclass, may run."""
        ...

    def first_method(self, cls: ClassRef, name: str) -> list[LexicalScope]:
        """The definitions of a method in the class nearest to `cls` that has any."""
        ...

    def is_metaclass(self, cls: ClassRef) -> bool:
        """True if the instances of a class are classes."""
        ...

    def may_keep_items(self, cls: ClassRef) -> bool:
        """True if instances of a class, or of a subclass, may be containers, which count as what is put into them."""
        ...

    def metaclasses(self, cls: ClassRef) -> set[ClassRef | str]:
        """The metaclasses that a class and its bases name: of the project, or of other packages by their names."""
        ...

    def has_virtual_subclasses(self, cls: ClassRef) -> bool:
        """True if the project may register other classes as subclasses of a class."""
        ...


@dataclass(slots=True)
class _Names:
    """The nodes of one file by the last part of their names."""

    loads: dict[str, list[ast.Name | ast.Attribute]] = field(default_factory=lambda: defaultdict(list))
    stores: dict[str, list[ast.Attribute]] = field(default_factory=lambda: defaultdict(list))


class NameTable:
    """The files and places that read a name or set an attribute."""

    def __init__(self, project: Project, modules: tuple[str, ...]) -> None:
        self._project = project
        self._modules = modules
        self._files: dict[str, _Names] = {}
        self._readers: dict[str, list[str]] | None = None
        self._writers: dict[str, list[str]] = defaultdict(list)
        self._methods: set[str] = set()
        self._holders: dict[str, list[ClassRef]] = defaultdict(list)
        self._decorated_in: list[str] = []  # files with decorated classes or functions
        self._decorating: list[str] = []  # files with decorated methods

    def loads(self, points_to: ObjectQueries, name: str) -> Iterator[tuple[ast.Name | ast.Attribute, FileScopes]]:
        """Every read of a name, as a variable or an attribute."""
        self._survey()
        for module in (self._readers or {}).get(name, ()):
            file = points_to.file(module)
            if file is not None:
                yield from ((node, file) for node in self._of(file).loads.get(name, ()))

    def reads(self, file: FileScopes, name: str) -> Iterator[ast.Name]:
        """Every read of a variable of this name in one file."""
        return (node for node in self._of(file).loads.get(name, ()) if isinstance(node, ast.Name))

    def stores(self, points_to: ObjectQueries, attribute: str) -> Iterator[tuple[ast.Attribute, LexicalScope]]:
        """Every assignment to an attribute of this name."""
        self._survey()
        for module in self._writers.get(attribute, ()):
            file = points_to.file(module)
            if file is not None:
                yield from ((node, file.scope_of(node)) for node in self._of(file).stores.get(attribute, ()))

    def is_method(self, name: str) -> bool:
        """True if a class of the files defines a method of this name."""
        self._survey()
        return name in self._methods

    def lookups(self, points_to: ObjectQueries) -> Iterator[tuple[ast.Call, FileScopes]]:
        """The calls of `getattr`."""
        self._survey()
        for module in (self._readers or {}).get("getattr", ()):
            file = points_to.file(module)
            for name in self.reads(file, "getattr") if file is not None else ():
                call = file.parents.get(name) if file is not None else None
                if file is not None and isinstance(call, ast.Call) and call.func is name and len(call.args) > 1:
                    yield call, file

    def decorating_files(self, points_to: ObjectQueries) -> Iterator[FileScopes]:
        """The files that have a decorated class or function."""
        self._survey()
        return (file for module in self._decorated_in if (file := points_to.file(module)) is not None)

    def method_decorators(self, points_to: ObjectQueries) -> Iterator[tuple[ClassRef, ast.expr, LexicalScope]]:
        """The decorators of the methods of every class, or what is called to make them, and where they stand."""
        self._survey()
        for module in self._decorating:
            index, file = self._project.index(module), points_to.file(module)
            for name, entry in index.classes.items() if index is not None and file is not None else ():
                scope = file.defined(entry.node) if file is not None else None
                for method in (*entry.methods.values(), *entry.setters.values()) if scope is not None else ():
                    for node in method.decorator_list:
                        decorator = node.func if isinstance(node, ast.Call) else node
                        if not (
                            isinstance(decorator, ast.Name) and scope is not None and scope.binder(decorator.id) is None
                        ):
                            assert scope is not None
                            yield ClassRef(module, name), decorator, scope

    def holders(self, attribute: str) -> Iterator[ClassRef]:
        """The classes whose bodies or methods name an attribute."""
        self._survey()
        return iter(self._holders.get(attribute, ()))

    def _survey(self) -> None:
        """Note once which names each file reads and sets; the trees are not held for that."""
        if self._readers is not None:
            return
        self._readers = defaultdict(list)
        for module in self._modules:
            index = self._project.index(module)
            if index is None:
                continue
            for name, entry in index.classes.items():
                self._methods.update(entry.methods)
                own = {
                    *entry.values,
                    *(n.attr for n in walk(entry.node) if isinstance(n, ast.Attribute) and _is_set(n)),
                }
                for attribute in own.union(entry.values):
                    self._holders[attribute].append(ClassRef(module, name))
            if any(True for _ in decorations.definitions(index)):
                self._decorated_in.append(module)
            methods = (method for entry in index.classes.values() for method in entry.methods.values())
            if any(method.decorator_list for method in methods):
                self._decorating.append(module)
            read = {node.id for node in index.of(ast.Name)}
            written: set[str] = set()
            for node in index.of(ast.Attribute):
                (read if isinstance(node.ctx, ast.Load) else written).add(node.attr)
            for name in read:
                self._readers[name].append(module)
            for name in written:
                self._writers[name].append(module)

    def _of(self, file: FileScopes) -> _Names:
        if file.module not in self._files:
            found = self._files[file.module] = _Names()
            for name in file.index.of(ast.Name):
                if isinstance(name.ctx, ast.Load):
                    found.loads[name.id].append(name)
            for node in file.index.of(ast.Attribute):
                (found.loads if isinstance(node.ctx, ast.Load) else found.stores)[node.attr].append(node)
        return self._files[file.module]


def _is_set(node: ast.Attribute) -> bool:
    return not isinstance(node.ctx, ast.Load)


_Read = tuple["ast.Name | ast.Attribute", "FileScopes"]
_ReadsBy = dict[T, dict[_Read, None]]


@dataclass(slots=True)
class _Meanings:
    """The reads of one name, by what they may be; `unknown`: attributes of objects of which nothing is known."""

    functions: _ReadsBy[LexicalScope] = field(default_factory=lambda: defaultdict(dict))
    classes: _ReadsBy[ClassRef] = field(default_factory=lambda: defaultdict(dict))
    unknown: dict[_Read, None] = field(default_factory=dict)

    def reads_of(self, scope: LexicalScope) -> list[_Read]:
        """The reads that may be a function; a method may be what any unknown object has by its name."""
        known = self.functions.get(scope, {})
        return [*known, *self.unknown] if scope.owner is not None else list(known)

    def __or__(self, other: _Meanings) -> _Meanings:
        return _Meanings(
            _merged(self.functions, other.functions), _merged(self.classes, other.classes), self.unknown | other.unknown
        )


def _merged(first: _ReadsBy[T], second: _ReadsBy[T]) -> _ReadsBy[T]:
    return {key: first.get(key, {}) | second.get(key, {}) for key in first | second}


@dataclass(slots=True)
class _Uses:
    """A call of a function.

    direct   calls whose callee is the function
    loose    calls of other functions that may call it with any of the objects that they are given
    unknown  it may be called with anything
    stored   the objects in whose attributes it is kept
    """

    direct: dict[tuple[ast.Call, LexicalScope], None] = field(default_factory=dict)
    loose: dict[tuple[ast.Call, LexicalScope], None] = field(default_factory=dict)
    unknown: bool = False
    stored: dict[Argument, None] = field(default_factory=dict)

    def __or__(self, other: _Uses) -> _Uses:
        return _Uses(
            self.direct | other.direct,
            self.loose | other.loose,
            self.unknown or other.unknown,
            self.stored | other.stored,
        )


@dataclass(frozen=True, slots=True)
class Derived:
    """The key of a result of the call graph, which follows from what expressions may refer to."""

    kind: str
    subject: object = None


class CallGraph:
    """The call sites of each function, found when they are needed."""

    def __init__(self, points_to: ObjectQueries) -> None:
        self._points_to = points_to
        # What each search that comes by a call or a variable asks again; it follows from the tree alone.
        self._bound: dict[tuple[ast.Call, LexicalScope, ast.expr], list[str]] = {}
        self._reads: dict[tuple[LexicalScope, str], list[ast.Name]] = {}

    def meanings(self, name: str) -> _Meanings:
        """The possible values of each read of a name."""
        return self._points_to.derived(Derived("meanings", name), lambda: self._find_meanings(name), _Meanings())

    def _find_meanings(self, name: str) -> _Meanings:
        found = _Meanings()
        for node, file in self._points_to.names.loads(self._points_to, name):
            self._read(node, file, found)
        return found

    def _read(self, node: ast.Name | ast.Attribute, file: FileScopes, found: _Meanings) -> None:
        scope = file.scope_of(node)
        receiver = self._points_to.known(node.value, scope) if isinstance(node, ast.Attribute) else frozenset()
        if receiver is None:
            return
        references = (
            self._points_to.attribute(receiver, node.attr)
            if isinstance(node, ast.Attribute) and not is_super(node.value, scope)
            else self._points_to.of(node, scope)
        )
        is_known = any(isinstance(each.base, Instance | ClassObject | Named) for each in receiver)
        for reference in references:
            if isinstance(reference.base, FunctionObject):
                found.functions[reference.base.scope][node, file] = None
                is_known = True
            elif isinstance(reference.base, ClassObject) and isinstance(reference.base.cls, ClassRef):
                found.classes[reference.base.cls][node, file] = None
                is_known = True
        if isinstance(node, ast.Attribute) and not is_known:
            found.unknown[node, file] = None

    def decorated(self, function: LexicalScope) -> dict[tuple[str, Reference], None]:
        """The classes and functions that a function decorates, each with the parameter that gets it."""
        empty: dict[tuple[str, Reference], None] = {}
        return self._points_to.derived(Derived("decorated", function), lambda: self._decorated(function), empty)

    def _decorated(self, function: LexicalScope) -> dict[tuple[str, Reference], None]:
        empty: dict[_Decorated, None] = {}
        every = self._points_to.derived(Derived("decorations"), self._find_decorations, empty)
        return {(name, definition): None for decorator, name, definition in every if decorator is function}

    def _find_decorations(self) -> dict[_Decorated, None]:
        """The functions that decorate anything, the parameters that get it, and the classes and functions."""
        found: dict[_Decorated, None] = {}
        for file in self._points_to.names.decorating_files(self._points_to):
            for node in decorations.definitions(file.index):
                made = decorations.defined(node, file)
                for decorator in node.decorator_list if made is not None else ():
                    for function, name in self.run_as_decorator(decorator, file.scope_of(node)):
                        assert made is not None
                        found[function, name, Reference(made)] = None
        return found

    def run_as_decorator(self, decorator: ast.expr, scope: LexicalScope) -> Iterator[tuple[LexicalScope, str]]:
        """The functions that run where a definition has a decorator, and their parameters that get the definition."""
        if isinstance(decorator, ast.Call):
            names = [each.base for each in self._points_to.of(decorator.func, scope)]
            if names and all(isinstance(n, Named) and n.name.startswith(silent_calls.COPIES_NAMES) for n in names):
                return
        for reference in self._points_to.of(decorator, scope):
            for function in decorations.run_by(reference, self._points_to.method):
                yield from ((function, name) for name in decorations.parameters(reference, function))

    def computed_reads(self, scope: LexicalScope) -> dict[tuple[ast.Call, FileScopes], None]:
        """The calls `getattr(x, name)` of a computed name that may fetch a method."""
        empty: dict[tuple[ast.Call, FileScopes], None] = {}
        return self._points_to.derived(Derived("computed reads", scope), lambda: self._computed_reads(scope), empty)

    def _computed_reads(self, scope: LexicalScope) -> dict[tuple[ast.Call, FileScopes], None]:
        empty: dict[tuple[LexicalScope, ast.Call, FileScopes], None] = {}
        every = self._points_to.derived(Derived("computed reads"), self._find_computed_reads, empty)
        return {(node, file): None for method, node, file in every if method is scope}

    def _find_computed_reads(self) -> dict[tuple[LexicalScope, ast.Call, FileScopes], None]:
        found: dict[tuple[LexicalScope, ast.Call, FileScopes], None] = {}
        for node, file in self._points_to.names.lookups(self._points_to):
            for reference in self._points_to.of(node, file.scope_of(node)):
                if isinstance(reference.base, FunctionObject):
                    found[reference.base.scope, node, file] = None
        return found

    def decorated_methods(self, function: LexicalScope) -> Iterator[ClassRef]:
        """The classes of the methods that a function around this one decorates: this one may stand in their place."""
        empty: dict[tuple[LexicalScope, ClassRef], None] = {}
        decorating = self._points_to.derived(Derived("method decorators"), self._find_method_decorators, empty)
        around = function.parent
        while around is not None:
            yield from (cls for decorator, cls in decorating if decorator is around)
            around = around.parent

    def _find_method_decorators(self) -> dict[tuple[LexicalScope, ClassRef], None]:
        """The functions that decorate methods, or make what does, with the classes of these."""
        found: dict[tuple[LexicalScope, ClassRef], None] = {}
        for cls, decorator, scope in self._points_to.names.method_decorators(self._points_to):
            for reference in self._points_to.of(decorator, scope):
                match reference.base:
                    case FunctionObject(scope=made):
                        found[made, cls] = None
                    case ClassObject(cls=ClassRef() as kind) | Instance(cls=kind):
                        for made in self._points_to.method(kind, "__call__"):
                            found[made, cls] = None
        return found

    def receivers(self, scope: LexicalScope) -> Iterator[Argument]:
        """The classes or objects in whose attributes a function is stored: `Net.forward = function`."""
        yield from self._of(scope).stored

    def is_unknown(self, scope: LexicalScope) -> bool:
        """True if a function may be called with anything: it is kept somewhere that is not followed."""
        return self._of(scope).unknown

    def arguments(self, scope: LexicalScope, name: str) -> Iterator[Argument]:
        """The expressions that calls give a parameter."""
        uses = self._of(scope)
        for call, where in uses.direct:
            for value in bound(call, scope, name, self.shifts(call, where, scope)):
                yield value, where
        for call, where in uses.loose:
            for value in (*call.args, *(keyword.value for keyword in call.keywords)):
                yield value, where

    def implicit_arguments(self, scope: LexicalScope) -> References:
        """Additional arguments of callbacks by functions of other packages: the modules of their receiver."""
        found: set[Reference] = set()
        for call, where in self._of(scope).loose:
            if isinstance(call.func, ast.Attribute):
                for reference in self._points_to.of(call.func.value, where):
                    if isinstance(reference.base, Instance | Made):
                        found |= {reference, Reference(Below(reference.base))}
                    elif not isinstance(reference.base, Named | ClassObject | FunctionObject):
                        found.add(reference)
        return frozenset(found)

    def bound_names(self, call: ast.Call, scope: LexicalScope, value: ast.expr) -> list[str]:
        """The parameters of a function that a call may bind one of its arguments to."""
        key = (call, scope, value)
        if key not in self._bound:
            shifts = (1, 0) if _is_bound_method(scope) else (0,)
            names = _parameters(scope)
            self._bound[key] = [n for n in names if any(found is value for found in bound(call, scope, n, shifts))]
        return self._bound[key]

    def reads(self, scope: LexicalScope, name: str) -> list[ast.Name]:
        """Every read of a variable of a scope, in it and in the functions inside it."""
        if (scope, name) not in self._reads:
            found = self._points_to.names.reads(scope.file, name)
            self._reads[scope, name] = [node for node in found if scope.file.scope_of(node).binder(name) is scope]
        return self._reads[scope, name]

    def parameters_of(self, call: ast.Call, where: LexicalScope, scope: LexicalScope, value: ast.expr) -> list[str]:
        """The same, for a call in a scope, by what is known of its callee."""
        shifts = self.shifts(call, where, scope)
        return [n for n in _parameters(scope) if any(found is value for found in bound(call, scope, n, shifts))]

    def shifts(self, call: ast.Call, where: LexicalScope, scope: LexicalScope) -> tuple[int, ...]:
        """The number of parameters in front of the first argument's: `self`, if the call is of a class
        or of a method of an object."""
        if not _is_bound_method(scope):
            return (0,)
        if not isinstance(call.func, ast.Attribute):
            bases = [reference.base for reference in self._points_to.of(call.func, where)]
            functions = [base for base in bases if isinstance(base, FunctionObject) and base.scope is scope]
            bound = {1 if each.is_bound else 0 for each in functions}
            return (1, 0) if len(bound) > 1 or any(each.is_loose for each in functions) else (*bound,) or (1,)
        if self._is_own_object(call.func.value, where):
            return (1,)  # before its value is known, which may be asked for on the way to this very call
        bases = [reference.base for reference in self._points_to.of(call.func.value, where)]
        may_be_class = any(isinstance(base, ClassObject | Anything | Many) for base in bases)
        return (1,) if any(isinstance(base, Instance) for base in bases) and not may_be_class else (1, 0)

    def _is_own_object(self, node: ast.expr, where: LexicalScope) -> bool:
        """True if an expression is `self` in a method of a class that makes no classes."""
        home = where.binder(node.id) if isinstance(node, ast.Name) else None
        if home is None or not isinstance(node, ast.Name) or home.receiver != node.id or home.owner is None:
            return False
        return len(home.bindings[node.id]) == 1 and not self._points_to.is_metaclass(home.owner)

    def uses(self, scope: LexicalScope) -> _Uses:
        """A call of a function."""
        return self._of(scope)

    def _of(self, scope: LexicalScope) -> _Uses:
        return self._points_to.derived(Derived("uses", scope), lambda: _UseSearch(self._points_to, scope).uses, _Uses())


def _is_bound_method(scope: LexicalScope) -> bool:
    return scope.owner is not None and not scope.has_decorator("staticmethod")


def bound(call: ast.Call, scope: LexicalScope, name: str, shifts: Sequence[int]) -> Iterator[ast.expr]:
    """The arguments of a call that may be bound to a parameter, with some parameters left out in front.

    The rules are Python's: what is bound by its place or by its own name is not bound by `**` as well.
    """
    arguments = scope.arguments
    if arguments is None:
        return
    if arguments.vararg is not None and name == arguments.vararg.arg:
        yield from _beyond(call.args, len(scope.positional) - max(shifts))
        return
    by_place_alone = {arg.arg for arg in arguments.posonlyargs}
    if arguments.kwarg is not None and name == arguments.kwarg.arg:
        known = {*scope.positional, *(arg.arg for arg in arguments.kwonlyargs)} - by_place_alone
        yield from (keyword.value for keyword in call.keywords if keyword.arg not in known)
        return
    if name not in by_place_alone and (named := [each.value for each in call.keywords if each.arg == name]):
        yield from named
        return
    is_bound = name in scope.positional
    for place in (scope.positional.index(name) - shift for shift in shifts if name in scope.positional):
        yield from _at(call.args, place)
        is_bound &= place < 0 or _is_sure(call.args, place)
    if not is_bound and name not in by_place_alone:
        yield from (keyword.value for keyword in call.keywords if keyword.arg is None)


def _is_sure(args: Sequence[ast.expr], place: int) -> bool:
    """True if one argument alone can have this place: no `*` stands in front of it."""
    return 0 <= place < len(args) and not any(isinstance(arg, ast.Starred) for arg in args[: place + 1])


def _at(args: Sequence[ast.expr], place: int) -> Iterator[ast.expr]:
    """The arguments that may have a place among all: behind a `*`, which may be empty, each may have any further."""
    if _is_sure(args, place):
        yield args[place]
        return
    stars = 0
    for index, arg in enumerate(args):
        if (stars or isinstance(arg, ast.Starred)) and index - stars <= place:
            yield arg.value if isinstance(arg, ast.Starred) else arg
        stars += isinstance(arg, ast.Starred)


def _beyond(args: Sequence[ast.expr], count: int) -> Iterator[ast.expr]:
    """The arguments that may come after the first `count`."""
    has_star = False
    for index, arg in enumerate(args):
        has_star |= isinstance(arg, ast.Starred)
        if has_star or index >= count:
            yield arg


@dataclass(frozen=True, slots=True)
class _Entry:
    """The call by which a function got the value that is followed in it."""

    function: LexicalScope
    call: ast.Call
    file: FileScopes


class _UseSearch:
    """Follows a function from where it is defined to where it is called."""

    def __init__(self, points_to: ObjectQueries, scope: LexicalScope) -> None:
        self.points_to = points_to
        self.scope = scope
        self.uses = _Uses()
        self._seen: set[tuple[ast.AST, Path, _Entry | None]] = set()
        self._wrapped: set[ast.AST] = set()  # values that call the function with other arguments in front
        self._is_wrapped = False
        # Where the function sits in the value that is followed. Classes, and what a decorator makes, may have items.
        is_itself = scope.name not in _OF_CLASSES and not getattr(scope.node, "decorator_list", ())
        self._path: Path = () if is_itself else ANYWHERE
        self._entry: _Entry | None = None  # of the function that the value is in; None: any call of it
        self._entries: dict[LexicalScope, set[_Entry]] = defaultdict(set)
        self._waiting: list[tuple[ast.expr, FileScopes, Path, _Entry | None]] = []
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
        for call, file in self.points_to.calls.computed_reads(scope) if owner is not None else ():
            self._add(call, file)
        if scope.name in ("__init__", "__new__") and owner is not None:
            made = (owner, *self.points_to.project.subclasses(owner))
            for cls in (each for each in made if scope in self.points_to.first_method(each, scope.name)):
                for node, file in meanings(_short(cls)).classes.get(cls, ()):
                    self._add(node, file)
                self._decorated_class(cls)
        if scope.name == "__call__" and owner is not None:
            self._add_instances(self.points_to.family(owner))
        for decorator in getattr(scope.node, "decorator_list", ()):
            self._decorated(decorator, scope)

    def _add_instances(self, classes: Iterable[ClassRef]) -> None:
        """Follow the objects of classes: where they are made, and as `self` in their methods."""
        meanings = self.points_to.calls.meanings
        for cls in classes:
            for node, file in meanings(_short(cls)).classes.get(cls, ()):
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

    def _add(self, node: ast.expr, file: FileScopes, path: Path | None = None) -> None:
        """Follow an expression that holds the function, in the same place as before unless a path is given."""
        path = self._path if path is None else path
        if (node, path, self._entry) in self._seen:
            return
        self._seen.add((node, path, self._entry))
        if len(self._seen) > MAX_USES:
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

    def _decorated_class(self, cls: ClassRef) -> None:
        """A decorator of the project is called with the class."""
        file = self.points_to.file(cls.module)
        entry = file.index.classes.get(cls.name) if file is not None else None
        if file is None or entry is None:
            return
        for decorator in entry.node.decorator_list:
            for function, name in self.points_to.calls.run_as_decorator(decorator, file.scope_of(entry.node)):
                self._follow_variable(function, name)

    def _decorated(self, decorator: ast.expr, scope: LexicalScope) -> None:
        """A decorator of the project is called with the function."""
        if scope.parent is None:
            return
        named = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(named, ast.Attribute) and isinstance(named.value, ast.Name):
            home = scope.parent.binder(named.value.id)  # `@function.register`: calls of that function may run this one
            if home is not None:
                self._follow_variable(home, named.value.id)
        for function, name in self.points_to.calls.run_as_decorator(decorator, scope.parent):
            self._follow_variable(function, name)

    def _follow_first_parameter(self, function: LexicalScope) -> None:
        if function.positional:
            self._follow_variable(function, function.positional[0])

    def _follow_variable(self, scope: LexicalScope, name: str, path: Path | None = None) -> None:
        for node in self.points_to.calls.reads(scope, name):
            self._add(node, scope.file, path)

    def _follow(  # noqa: C901, PLR0912, PLR0915  (one case a node type)
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
                call = file.parents.get(parent)
                if isinstance(call, ast.Call):
                    self._attribute_of_made(call, parent.arg, file)
                    self._given(call, node, file)
            case ast.Assign(targets=targets):
                path, entry = self._path, self._entry
                for target in targets:
                    self._path, self._entry = path, entry
                    self._stored(target, file)
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

    def _enter(self, function: LexicalScope, name: str, path: Path, call: ast.Call, file: FileScopes) -> None:
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
            found = self.points_to.of(node, other.scope_of(node))
            if any(isinstance(r.base, FunctionObject) and r.base.scope is self.scope for r in found):
                self._add(node, other)

    def _returned(self, function: LexicalScope | None) -> None:
        """The function is returned: calls of the function around it evaluate to it."""
        if function is None or not function.is_function:
            return
        if function is self.scope:
            return
        entry, self._entry = self._entry, None
        if entry is not None and entry.function is function:
            self._add(entry.call, entry.file)
            return
        for call, where in self.points_to.calls.uses(function).direct:
            self._add(call, where.file)
        definitions = (reference.base for _, reference in self.points_to.calls.decorated(function))
        for scope in (each.scope for each in definitions if isinstance(each, FunctionObject)):
            for node, file in self.points_to.calls.meanings(scope.name).reads_of(scope):
                self._add(node, file)

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


def _short(cls: ClassRef) -> str:
    return cls.name.rpartition(".")[2].partition(":")[0]


def _parameters(function: LexicalScope) -> list[str]:
    arguments = function.arguments
    if arguments is None:
        return []
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [arg for arg in (arguments.vararg, arguments.kwarg) if arg is not None]
    return [arg.arg for arg in every]
