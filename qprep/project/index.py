"""Names of one file: imports, classes, functions and other module-level bindings."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Imported:
    """A name that an import binds: the dotted name it stands for."""

    target: str


@dataclass(slots=True)
class ClassNode:
    """A class with its body sorted: methods, other bindings, base expressions."""

    node: ast.ClassDef
    name: str
    methods: dict[str, ast.FunctionDef] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)
    annotations: dict[str, ast.expr] = field(default_factory=dict)


@dataclass(slots=True)
class FileIndex:
    """What the names at the top level of one file mean."""

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
    _names: frozenset[str] | None = None

    @property
    def names(self) -> frozenset[str]:
        """Every name that is read or bound anywhere in the file."""
        if self._names is None:
            self._names = frozenset(node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name))
        return self._names

    def absolute(self, node: ast.ImportFrom) -> str:
        """The dotted name of the module that a `from` import names."""
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        parts = parts[: len(parts) - node.level + (1 if self.is_package else 0)]
        return ".".join([*parts, *([node.module] if node.module else [])])

    def bind_import(self, node: ast.Import | ast.ImportFrom, into: dict[str, Imported]) -> None:
        """Add the names that an import statement binds."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                into.setdefault(bound, Imported(alias.name if alias.asname else bound))
            return
        base = self.absolute(node)
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(base)
            else:
                into.setdefault(alias.asname or alias.name, Imported(f"{base}.{alias.name}"))


def build_index(name: str, path: str, is_package: bool, tree: ast.Module) -> FileIndex:
    """Index the module-level bindings of a parsed file, those behind `if`, `try` and `with` included."""
    index = FileIndex(name, path, is_package, tree)
    _bind_body(index, tree.body)
    return index


def _bind_body(index: FileIndex, body: list[ast.stmt]) -> None:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            index.bind_import(node, index.imports)
        elif isinstance(node, ast.ClassDef):
            _bind_class(index, node, "")
        elif isinstance(node, ast.FunctionDef):
            index.functions[node.name] = node
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    _bind_value(index, target.id, node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            _bind_value(index, node.target.id, node.value)
        elif isinstance(node, ast.If | ast.Try | ast.TryStar | ast.With):
            for part in nested_bodies(node):
                _bind_body(index, part)


def _bind_value(index: FileIndex, name: str, value: ast.expr) -> None:
    """An import that may fail wins over the None that stands for it then."""
    if name in index.imports:
        index.rebound.add(name)
        if isinstance(value, ast.Constant) and value.value is None:
            return
    index.values[name] = value


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


def _bind_class(index: FileIndex, node: ast.ClassDef, prefix: str) -> None:
    entry = ClassNode(node, prefix + node.name)
    index.classes[entry.name] = entry
    _bind_class_body(index, entry, node.body)


def _bind_class_body(index: FileIndex, entry: ClassNode, body: list[ast.stmt]) -> None:
    for item in body:
        if isinstance(item, ast.FunctionDef):
            if item.name not in entry.methods or not _is_variant(item):
                entry.methods[item.name] = item
        elif isinstance(item, ast.Assign):
            for target in item.targets:
                if isinstance(target, ast.Name):
                    entry.values[target.id] = item.value
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            entry.annotations[item.target.id] = item.annotation
            if item.value is not None:
                entry.values[item.target.id] = item.value
        elif isinstance(item, ast.ClassDef):
            _bind_class(index, item, entry.name + ".")
        elif isinstance(item, ast.If | ast.Try):
            for part in nested_bodies(item):
                _bind_class_body(index, entry, part)


def _is_variant(node: ast.FunctionDef) -> bool:
    """Setters and overloads do not replace the method that a call runs."""
    names = [
        d.attr if isinstance(d, ast.Attribute) else d.id if isinstance(d, ast.Name) else "" for d in node.decorator_list
    ]
    return any(name in ("setter", "deleter", "overload", "_overload_method") for name in names)
