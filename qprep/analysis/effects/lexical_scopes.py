"""The lexical scopes of one file: what each name may be bound to, and where each node stands."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING
from zlib import crc32

from qprep.analysis.symbols.ast_utils import children
from qprep.analysis.symbols.symbol_table import Imported
from qprep.analysis.values.abstract_values import ClassRef

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qprep.analysis.places import Place
    from qprep.analysis.symbols.symbol_table import FileIndex

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
ScopeNode = FunctionNode | ast.ClassDef | ast.Module
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_REPEATING = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
ANY_ATTRIBUTE = "*"
"""The attribute of a pattern that names none: `case Point(x)` reads what the class lists in `__match_args__`."""


class BindingKind(Enum):
    """A binding of a name."""

    VALUE = auto()  # the expression's value, or part of it
    ITEM = auto()  # an item of the expression's value
    PATTERN = auto()  # a part of the expression's value that a pattern takes out; `target` is the attribute, if any
    ENTERED = auto()  # what the expression's value gives a `with` block
    RAISED = auto()  # an exception of the classes that the expression names
    IMPORT = auto()
    DEFINITION = auto()  # of a function or class
    PARAMETER = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """One place that binds a name."""

    kind: BindingKind
    value: ast.AST | None = None
    target: str = ""  # the dotted name of an import, the attribute of a pattern

    def home(self, scope: LexicalScope) -> LexicalScope:
        """The scope whose code the value is part of: not the one that binds the name, where that is declared global."""
        is_placed = self.value is not None and self.value in scope.file.parents
        return scope.file.scope_of(self.value) if is_placed and self.value is not None else scope


@dataclass(slots=True, eq=False)
class LexicalScope:
    """A module, class, function or lambda, with the names that it binds."""

    file: FileScopes
    node: ScopeNode
    parent: LexicalScope | None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    outer_names: set[str] = field(default_factory=set)  # declared `global` or `nonlocal`
    nonlocal_names: set[str] = field(default_factory=set)
    returned: list[ast.expr] = field(default_factory=list)
    name: str = ""  # of a definition; nothing for a lambda or a module
    is_function: bool = False  # calling its object runs its body
    positional: tuple[str, ...] = ()  # the names of the parameters that arguments may be bound to by their places
    owner: ClassRef | None = None  # the class that a method belongs to
    receiver: str | None = None  # the parameter that holds the instance in a method; not of static and class methods
    _decorators: frozenset[str] = frozenset()
    _hash: int = 0

    def __hash__(self) -> int:
        """The same in each process, as that of abstract objects."""
        return self._hash

    def __post_init__(self) -> None:
        where = (crc32(self.file.module.encode()), getattr(self.node, "lineno", 0), getattr(self.node, "col_offset", 0))
        self._hash = hash(where)
        self.name = getattr(self.node, "name", "")
        self.is_function = isinstance(self.node, _FUNCTIONS)
        arguments = self.arguments
        if arguments is not None:
            self.positional = tuple(arg.arg for arg in (*arguments.posonlyargs, *arguments.args))
        decorators = getattr(self.node, "decorator_list", ())
        self._decorators = frozenset(node.id for node in decorators if isinstance(node, ast.Name))
        self.owner = self._owner()
        self.receiver = self._receiver()

    @property
    def arguments(self) -> ast.arguments | None:
        """The parameters of a function."""
        return self.node.args if isinstance(self.node, _FUNCTIONS) else None

    def has_decorator(self, name: str) -> bool:
        """True if a function has a decorator of this name of Python's own."""
        return name in self._decorators

    def _owner(self) -> ClassRef | None:
        if not self.is_function or self.parent is None or not isinstance(self.parent.node, ast.ClassDef):
            return None
        return self.file.class_of(self.parent.node)

    def _receiver(self) -> str | None:
        if self.owner is None or isinstance(self.node, ast.Lambda):
            return None
        if self.has_decorator("staticmethod") or self.has_decorator("classmethod"):
            return None
        return self.positional[0] if self.positional else None

    def binder(self, name: str) -> LexicalScope | None:
        """The scope that binds a name read in this one, as Python looks it up; None for a builtin or star import."""
        scope: LexicalScope | None = self
        is_first = True
        while scope is not None:
            skipped = isinstance(scope.node, ast.ClassDef) and not is_first
            if name in scope.bindings and name not in scope.outer_names and not skipped:
                return scope
            scope, is_first = scope.parent, False
        return None


class FileScopes:
    """All scopes of a file. Comprehensions count as part of the scope around them: their variables rarely collide."""

    def __init__(self, index: FileIndex) -> None:
        self.index = index
        self.module = index.name
        self.parents: dict[ast.AST, ast.AST] = {}
        self._classes = {entry.node: ClassRef(index.name, name) for name, entry in index.classes.items()}
        self._scopes: dict[ast.AST, LexicalScope] = {}
        self._around: dict[ast.AST, LexicalScope] = {}
        self.top = LexicalScope(self, index.tree, None)
        self._scopes[index.tree] = self.top
        self._outer: list[tuple[LexicalScope, str, Binding]] = []  # bindings of nonlocal names
        self._fill(self.top)
        self._settle()

    def class_of(self, node: ast.ClassDef) -> ClassRef | None:
        """The class that a definition makes."""
        return self._classes.get(node)

    def scope_of(self, node: ast.AST) -> LexicalScope:
        """The scope whose code a node is part of; for a definition, the scope around it."""
        if (known := self._around.get(node)) is not None:
            return known
        path: list[ast.AST] = []
        current: ast.AST | None = node
        found = self.top
        while current is not None:
            if current in self._around:
                found = self._around[current]
                break
            path.append(current)
            parent = self.parents.get(current)
            if parent is not None and parent in self._scopes and not self._is_outside(parent, current):
                found = self._scopes[parent]
                break
            current = parent
        self._around.update(dict.fromkeys(path, found))  # of all of them, so that depth is paid for once
        return found

    @staticmethod
    def _is_outside(scope: ast.AST, part: ast.AST) -> bool:
        """True if a direct child of a definition is evaluated where the definition stands."""
        if isinstance(scope, ast.ClassDef):
            return part in scope.decorator_list or part in scope.bases or part in scope.keywords
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            return part in scope.decorator_list or part is scope.args or part is scope.returns
        return isinstance(scope, ast.Lambda) and part is scope.args

    def defined(self, node: ast.AST) -> LexicalScope | None:
        """The scope that a definition opens."""
        return self._scopes.get(node)

    def call_at(self, place: Place) -> ast.Call | None:
        """The call that stands at a place."""
        for call in self.index.of(ast.Call):
            if (call.lineno, call.col_offset, call.end_lineno, call.end_col_offset) == place[1:]:
                return call
        return None

    def expression_at(self, place: Place) -> ast.expr | None:
        """The call, attribute or item that stands at a place."""
        for node in self.index.of(ast.Call, ast.Attribute, ast.Subscript):
            if (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset) == place[1:]:
                return node
        return None

    def functions(self) -> Iterator[LexicalScope]:
        """Every function, method and lambda of the file."""
        return (scope for scope in self._scopes.values() if scope.is_function)

    def _settle(self) -> None:
        """Bind nonlocal names in the scopes around, once all of these are known."""
        for scope, name, binding in self._outer:
            home = scope.parent.binder(name) if scope.parent is not None else None
            (home or self.top).bindings.setdefault(name, []).append(binding)

    def _fill(self, scope: LexicalScope) -> None:
        """Bind the names of a scope, and open the scopes inside it."""
        node = scope.node
        if isinstance(node, _FUNCTIONS):
            self._bind_parameters(scope, node)
        body: list[ast.AST] = list(node.body) if isinstance(node.body, list) else [node.body]
        if isinstance(node, ast.Lambda):
            scope.returned.append(node.body)
        for part in body:
            self.parents[part] = node
        stack = body[::-1]
        while stack:
            part = stack.pop()
            self._bind(scope, part)
            if isinstance(part, (*_FUNCTIONS, ast.ClassDef)):
                stack += self._open(scope, part)
                continue
            for child in children(part):
                self.parents[child] = part
                stack.append(child)

    def _open(self, scope: LexicalScope, part: FunctionNode | ast.ClassDef) -> list[ast.AST]:
        """Open the scope of a definition; returns its parts that the scope around evaluates."""
        inner = LexicalScope(self, part, scope)
        self._scopes[part] = inner
        own = part.body if isinstance(part.body, list) else [part.body]
        outside = [child for child in children(part) if child not in own]
        for child in outside:
            self.parents[child] = part
        self._fill(inner)
        return outside

    @staticmethod
    def _bind_parameters(scope: LexicalScope, node: FunctionNode) -> None:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [arg for arg in (arguments.vararg, arguments.kwarg) if arg is not None]
        for arg in every:
            scope.bindings.setdefault(arg.arg, []).append(Binding(BindingKind.PARAMETER))

    def _bind(self, scope: LexicalScope, node: ast.AST) -> None:  # noqa: C901, PLR0912  (one case a node type)
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind_target(scope, target, BindingKind.VALUE, value)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._bind_target(scope, target, BindingKind.VALUE, value)
            case ast.AugAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
                self._bind_target(scope, target, BindingKind.VALUE, value)
            case (
                ast.For(target=target, iter=value)
                | ast.AsyncFor(target=target, iter=value)
                | ast.comprehension(target=target, iter=value)
            ):
                self._bind_loop(scope, target, value)
            case ast.withitem(context_expr=value, optional_vars=variable) if variable is not None:
                self._bind_target(scope, variable, BindingKind.ENTERED, value)
            case ast.ExceptHandler(type=value, name=name) if name is not None and value is not None:
                self._bind_target(scope, ast.Name(name, ast.Store()), BindingKind.RAISED, value)
            case ast.Import() | ast.ImportFrom():
                self._bind_imports(scope, node)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                scope.bindings.setdefault(node.name, []).append(Binding(BindingKind.DEFINITION, node))
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                scope.outer_names.update(names)
                scope.nonlocal_names.update(names if isinstance(node, ast.Nonlocal) else ())
            case ast.Match(subject=subject):
                self._bind_patterns(scope, node, subject)
            case ast.Return(value=value) | ast.Yield(value=value) if value is not None:
                scope.returned.append(value)
            case ast.YieldFrom(value=value):
                scope.returned.append(value)
            case _:
                pass

    def _bind_imports(self, scope: LexicalScope, node: ast.Import | ast.ImportFrom) -> None:
        found: dict[str, Imported] = {}
        stars = list(self.index.stars)
        self.index.bind_import(node, found)
        self.index.stars[:] = stars
        for name, entry in found.items():
            bindings = scope.bindings.setdefault(name, [])
            if not any(each.kind is BindingKind.IMPORT and each.target == entry.target for each in bindings):
                bindings.append(Binding(BindingKind.IMPORT, node, entry.target))

    @staticmethod
    def _bind_patterns(scope: LexicalScope, node: ast.Match, subject: ast.expr) -> None:
        waiting: list[tuple[ast.AST, str]] = [(case.pattern, "") for case in node.cases]
        while waiting:
            part, attribute = waiting.pop()
            name = getattr(part, "name", None) or getattr(part, "rest", None)
            if isinstance(name, str):
                binding = Binding(BindingKind.PATTERN, subject, attribute)
                scope.bindings.setdefault(name, []).append(binding)
            if isinstance(part, ast.MatchClass):
                waiting += [(inner, ANY_ATTRIBUTE) for inner in part.patterns]
                waiting += list(zip(part.kwd_patterns, part.kwd_attrs, strict=True))
            else:
                waiting += [(inner, attribute) for inner in ast.iter_child_nodes(part)]

    def _bind_loop(self, scope: LexicalScope, target: ast.expr, value: ast.expr) -> None:
        counter = self.counter_of(target, value)
        if counter is None or not isinstance(target, ast.Tuple):
            self._bind_target(scope, target, BindingKind.ITEM, value)
            return
        scope.bindings.setdefault(counter, []).append(Binding(BindingKind.ITEM))
        for part in target.elts[1:]:
            self._bind_target(scope, part, BindingKind.ITEM, value)

    def counter_of(self, target: ast.expr, value: ast.expr) -> str | None:
        """The variable that counts in `for i, x in enumerate(…)`: it holds numbers."""
        index = self.index
        match target, value:
            case ast.Tuple(elts=[ast.Name(id=name), _]), ast.Call(func=ast.Name(id="enumerate" as function)):
                known = (index.imports, index.functions, index.classes, index.values)
                return None if any(function in table for table in known) else name
        return None

    def _bind_target(self, scope: LexicalScope, target: ast.expr, kind: BindingKind, value: ast.expr) -> None:
        match target:
            case ast.Name(id=name):
                binding = Binding(kind, value)
                scope.bindings.setdefault(name, []).append(binding)
                if name in scope.nonlocal_names:
                    self._outer.append((scope, name, binding))
                elif name in scope.outer_names:
                    self.top.bindings.setdefault(name, []).append(binding)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                known = value.elts if isinstance(value, ast.Tuple | ast.List) and kind is BindingKind.VALUE else None
                is_paired = known is not None and len(known) == len(parts)
                is_paired = is_paired and not any(isinstance(part, ast.Starred) for part in (*parts, *(known or ())))
                for number, part in enumerate(parts):
                    self._bind_target(scope, part, kind, known[number] if known and is_paired else value)
            case ast.Starred(value=inner):
                self._bind_target(scope, inner, kind, value)
            case _:
                pass


def assigned_value(node: ast.expr, parents: Mapping[ast.AST, ast.AST]) -> ast.expr | None:
    """The value that a statement gives an attribute or an item."""
    statement = parents.get(node)
    while isinstance(statement, ast.Tuple | ast.List | ast.Starred):
        statement = parents.get(statement)
    match statement:
        case ast.Assign(value=value) | ast.AnnAssign(value=value) | ast.AugAssign(value=value):
            return value
        case ast.For(iter=value) | ast.comprehension(iter=value) | ast.withitem(context_expr=value):
            return value
    return None


def is_super(node: ast.expr, scope: LexicalScope) -> bool:
    """True for `super()`."""
    match node:
        case ast.Call(func=ast.Name(id="super")):
            return scope.binder("super") is None
    return False


def bound_at(node: ast.AST, scope: LexicalScope) -> Iterator[str]:
    """The names of a scope that may have a value while code at a place runs.

    Code that is not in a loop runs once for each run of its scope, so a name that only later lines bind has none.
    """
    is_once = scope.file.scope_of(node) is scope and not _is_repeated(node, scope)
    for name, bindings in scope.bindings.items():
        if not is_once or any(_is_before(binding, node, scope) for binding in bindings):
            yield name


def _is_before(binding: Binding, node: ast.AST, scope: LexicalScope) -> bool:
    """True if a binding may stand before a node in its file. The variable of a comprehension exists in it alone."""
    value = binding.value
    if value is None:
        return True
    if isinstance(scope.file.parents.get(value), ast.comprehension):
        return False
    start = getattr(value, "lineno", None)
    return start is None or start <= getattr(node, "lineno", start)


def _is_repeated(node: ast.AST, scope: LexicalScope) -> bool:
    """True if a node stands in a loop of its scope."""
    parents = scope.file.parents
    while node is not scope.node:
        node = parents[node]
        if isinstance(node, _REPEATING):
            return True
    return False
