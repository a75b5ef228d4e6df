"""Names of one file: imports, classes, functions and other module-level bindings."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

from qprep.analysis.symbols import made_classes
from qprep.analysis.symbols.ast_utils import by_type, last_name
from qprep.analysis.symbols.definition_names import variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Node = TypeVar("_Node", ast.FunctionDef, ast.expr)
_Any = TypeVar("_Any", bound=ast.AST)


@dataclass(frozen=True, slots=True)
class Imported:
    """A name that an import binds: the dotted name it refers to."""

    target: str


@dataclass(slots=True)
class ClassNode:
    """A class with its body sorted: methods, other bindings, base expressions; and the functions around it."""

    node: ast.ClassDef
    name: str
    methods: dict[str, ast.FunctionDef] = field(default_factory=dict)
    setters: dict[str, ast.FunctionDef] = field(default_factory=dict)  # of properties, by "act.setter"
    values: dict[str, ast.expr] = field(default_factory=dict)
    annotations: dict[str, ast.expr] = field(default_factory=dict)
    around: tuple[ast.FunctionDef, ...] = ()  # the outermost first

    def function(self, name: str) -> ast.FunctionDef:
        """A method, or what sets or deletes a property ("act.setter")."""
        return self.setters[name] if name in self.setters else self.methods[name]


@dataclass(slots=True, weakref_slot=True, eq=False)
class FileIndex:
    """The symbol table of one file: the names at its top level."""

    name: str
    path: str
    is_package: bool
    tree: ast.Module
    imports: dict[str, Imported] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    classes: dict[str, ClassNode] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)
    rebound: set[str] = field(default_factory=set)  # names of imports that are also bound otherwise
    alternatives: dict[str, list[str]] = field(default_factory=dict)
    # ^ names with several definitions of which a run takes one, and the targets of their imports but the first
    inner: dict[ast.ClassDef, str] = field(default_factory=dict)  # classes of functions: their names in `classes`
    link: Callable[[str], str] = str  # the name under which the project knows what the file calls so
    _names: frozenset[str] | None = None
    _nodes: dict[type[ast.AST], list[ast.AST]] | None = None
    _spans: dict[tuple[int, int, int | None, int | None], ast.expr] | None = None

    def of(self, *types: type[_Any]) -> Iterator[_Any]:
        """The nodes of these types anywhere in the file, one type after another, outer ones first."""
        if self._nodes is None:
            self._nodes = by_type(self.tree)
        for kind in types:
            yield from cast("list[_Any]", self._nodes.get(kind, []))

    def expression_at(self, line: int, column: int, end_line: int, end_column: int) -> ast.expr | None:
        """The outermost expression with exactly this span."""
        if self._spans is None:
            self._spans = {}
            for node in ast.walk(self.tree):
                if isinstance(node, ast.expr):
                    span = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
                    self._spans.setdefault(span, node)
        return self._spans.get((line, column, end_line, end_column))

    @property
    def all_imports(self) -> list[ast.Import | ast.ImportFrom]:
        """The imports anywhere in the file."""
        return [*self.of(ast.Import), *self.of(ast.ImportFrom)]

    @property
    def names(self) -> frozenset[str]:
        """Every name that is read or bound anywhere in the file."""
        if self._names is None:
            read = {node.id for node in self.of(ast.Name)}
            self._names = frozenset(read.union(node.arg for node in self.of(ast.arg)))
        return self._names

    def absolute(self, node: ast.ImportFrom) -> str:
        """The dotted name of the module that a `from` import names."""
        return self.link(self._written(node))

    def _written(self, node: ast.ImportFrom) -> str:
        """The module's name as the file has it: it begins with a dot for each folder above the regular packages."""
        if not node.level:
            return node.module or ""
        parts = self.name.partition("@")[0].split(".")  # a file called as another one has its path behind it
        length = len(parts) - node.level + (1 if self.is_package else 0)
        rest = [node.module] if node.module else []
        if length > 0:
            return ".".join([*parts[:length], *rest])
        return "." * (1 - length) + ".".join(rest)

    def bind_import(self, node: ast.Import | ast.ImportFrom, into: dict[str, Imported]) -> None:
        """Add the names that an import statement binds."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                into.setdefault(bound, Imported(self.link(alias.name if alias.asname else bound)))
            return
        base = self._written(node)
        dot = "" if base.endswith(".") else "."
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(self.link(base))
            else:
                into.setdefault(alias.asname or alias.name, Imported(self.link(f"{base}{dot}{alias.name}")))


def build_index(
    name: str, path: str, is_package: bool, tree: ast.Module, link: Callable[[str], str] = str
) -> FileIndex:
    """Index the module-level bindings of a parsed file, those behind `if`, `try` and `with` included.

    `link` gives the name under which the project knows what the file imports; without it, names stay as written.
    """
    index = FileIndex(name, path, is_package, tree, link=link)
    _bind_body(index, tree.body)
    return index


def _bind_body(index: FileIndex, body: list[ast.stmt], *, branch: bool = False) -> None:
    """Bind what statements define; in a branch it is an alternative to what has the name already."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            _bind_imports(index, node, branch=branch)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            if branch:
                _keep_other(index, node.name)
            if isinstance(node, ast.ClassDef):
                _bind_class(index, node, "")
            else:
                index.functions[node.name] = node
                _bind_inner(index, node.body, node.name, (node,))
        elif isinstance(node, ast.Assign):
            for name, value in _named_values(node):
                if not _bind_made_class(index, name, value, branch=branch):
                    _bind_value(index, name, value, branch=branch)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            _bind_value(index, node.target.id, node.value, branch=branch)
        elif isinstance(node, ast.If | ast.Try | ast.TryStar | ast.With):
            for part in nested_bodies(node):
                _bind_body(index, part, branch=branch or not isinstance(node, ast.With))


def _named_values(node: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    """The names that an assignment binds, with their values: also those of `relu, tanh = F.relu, torch.tanh`."""
    for target in node.targets:
        match target, node.value:
            case ast.Name(id=name), value:
                yield name, value
            case ast.Tuple(elts=names), ast.Tuple(elts=values) if len(names) == len(values):
                if not any(isinstance(part, ast.Starred) for part in (*names, *values)):
                    yield from (
                        (part.id, value)
                        for part, value in zip(names, values, strict=True)
                        if isinstance(part, ast.Name)
                    )


def _bind_made_class(index: FileIndex, name: str, value: ast.expr, *, branch: bool) -> bool:
    """Bind what a call of `type` makes as the class that it is."""
    made = made_classes.written_out(name, value)
    if made is None:
        return False
    if branch:
        _keep_other(index, name)
    _bind_class(index, made, "")
    return True


def _bind_imports(index: FileIndex, node: ast.Import | ast.ImportFrom, *, branch: bool) -> None:
    found: dict[str, Imported] = {}
    index.bind_import(node, found)
    for name, entry in found.items():
        known = index.imports.setdefault(name, entry)
        others = (index.functions, index.classes, index.values)
        if branch and (known.target != entry.target or any(name in table for table in others)):
            index.alternatives.setdefault(name, []).append(entry.target)


def _bind_value(index: FileIndex, name: str, value: ast.expr, *, branch: bool) -> None:
    """An import that may fail, or a definition, wins over the None that replaces it then."""
    is_none = isinstance(value, ast.Constant) and value.value is None
    if name in index.imports:
        index.rebound.add(name)
        if is_none:
            return
    if branch:
        if is_none and any(name in table for table in (index.functions, index.classes, index.values)):
            return
        _keep_other(index, name)
    index.values[name] = value


def _keep_other(index: FileIndex, name: str) -> None:
    """Make room for another definition of a name that a run may take in place of the one before."""
    if any(name in table for table in (index.imports, index.functions, index.values, index.classes)):
        index.alternatives.setdefault(name, [])
    _set_aside(index.functions, name)
    _set_aside(index.values, name)
    if name in index.classes:
        line = index.classes[name].node.lineno
        for inner in [other for other in index.classes if other == name or other.startswith(f"{name}.")]:
            entry = index.classes.pop(inner)
            entry.name = variant(name, line) + inner.removeprefix(name)
            index.classes[entry.name] = entry


def _set_aside(table: dict[str, _Node], name: str) -> None:
    if name in table:
        node = table.pop(name)
        table[variant(name, node.lineno)] = node


def nested_bodies(node: ast.stmt) -> list[list[ast.stmt]]:
    """The statement lists inside a compound statement, in order."""
    bodies = [getattr(node, name, []) for name in ("body", "handlers", "orelse", "finalbody")]
    flat: list[list[ast.stmt]] = []
    for body in bodies:
        if body and isinstance(body[0], ast.ExceptHandler):
            flat.extend(handler.body for handler in body)
        elif body:
            flat.append(body)
    if isinstance(node, ast.Match):
        flat.extend(case.body for case in node.cases)
    return flat


def _bind_inner(index: FileIndex, body: list[ast.stmt], prefix: str, around: tuple[ast.FunctionDef, ...]) -> None:
    """Bind the classes that a function defines, under its name: "make.Net"."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            name = f"{prefix}.{node.name}"
            index.inner[node] = variant(name, node.lineno) if name in index.classes else name
            _bind_class(index, node, f"{prefix}.", around)
        elif isinstance(node, ast.FunctionDef):
            _bind_inner(index, node.body, f"{prefix}.{node.name}", (*around, node))
        elif not isinstance(node, ast.Expr | ast.Assign | ast.Return | ast.AugAssign):
            for part in nested_bodies(node):
                _bind_inner(index, part, prefix, around)


def _bind_class(index: FileIndex, node: ast.ClassDef, prefix: str, around: tuple[ast.FunctionDef, ...] = ()) -> None:
    entry = ClassNode(node, index.inner.get(node, prefix + node.name), around=around)
    index.classes[entry.name] = entry
    _bind_class_body(index, entry, node.body)


def _bind_class_body(index: FileIndex, entry: ClassNode, body: list[ast.stmt], *, branch: bool = False) -> None:
    for item in body:
        if isinstance(item, ast.FunctionDef):
            _bind_inner(index, item.body, f"{entry.name}.{item.name}", (*entry.around, item))
            _bind_method(entry, item, branch=branch)
        elif isinstance(item, ast.Assign):
            for name, value in _named_values(item):
                _bind_in_class(entry.values, name, value, branch=branch)
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            entry.annotations[item.target.id] = item.annotation
            if item.value is not None:
                _bind_in_class(entry.values, item.target.id, item.value, branch=branch)
        elif isinstance(item, ast.ClassDef):
            _bind_class(index, item, entry.name + ".", entry.around)
        elif isinstance(item, ast.If | ast.Try):
            for part in nested_bodies(item):
                _bind_class_body(index, entry, part, branch=True)


def _bind_method(entry: ClassNode, item: ast.FunctionDef, *, branch: bool) -> None:
    addition = _addition(item)
    if item.name not in entry.methods or not addition:
        _bind_in_class(entry.methods, item.name, item, branch=branch)
    elif addition in ("setter", "deleter"):
        entry.setters[f"{item.name}.{addition}"] = item


def _bind_in_class(table: dict[str, _Node], name: str, node: _Node, *, branch: bool) -> None:
    if branch:
        _set_aside(table, name)
    table[name] = node


def _addition(node: ast.FunctionDef) -> str:
    """The decorator of a setter or an overload, which does not replace the method that a call runs; or nothing."""
    names = (last_name(decorator) for decorator in node.decorator_list)
    return next((name for name in names if name in ("setter", "deleter", "overload", "_overload_method")), "")
