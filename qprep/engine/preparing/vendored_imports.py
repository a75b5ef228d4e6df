"""The imports of files that are taken out of their package: what they need, and how they are written in a new one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from qprep.engine.preparing.package_files import is_package

if TYPE_CHECKING:
    from qprep.foundation.source import SourceFile


class VendoredName(Protocol):
    """The definition of a dotted name: `kind` is module, class, function or value, `name` that in `module`."""

    @property
    def kind(self) -> str:
        """The kind of definition."""

    @property
    def module(self) -> str:
        """The dotted name of its module."""


Find = Callable[[str], VendoredName | None]


@dataclass(frozen=True, slots=True)
class PackageModule:
    """A file of a package: its module, and whether it is a package's own file."""

    module: str
    is_package: bool

    @classmethod
    def of(cls, module: str, path: Path) -> PackageModule:
        """The place of a module in a file."""
        return cls(module, is_package(path))

    @property
    def package(self) -> str:
        """The dotted name that relative imports start from."""
        return self.module if self.is_package else self.module.rpartition(".")[0]


@dataclass(frozen=True, slots=True)
class Taken:
    """One name of an import statement of the package itself, with its definition where that is known."""

    alias: ast.alias
    base: str
    found: VendoredName | None

    @property
    def dotted(self) -> str:
        """The name as it is imported."""
        return f"{self.base}.{self.alias.name}" if self.base else self.alias.name


def needed(tree: ast.Module, place: PackageModule, find: Find) -> set[str]:
    """The modules of its own package that a file takes something from when it runs."""
    found: set[str] = set()
    for statement in _running_imports(tree):
        for taken in taken_by(statement, place, find):
            if taken.alias.name == "*":
                found.add(taken.base)
            elif taken.found is not None:
                found.add(taken.found.module)
    return found


def taken_by(statement: ast.Import | ast.ImportFrom, place: PackageModule, find: Find) -> list[Taken]:
    """The names that an import statement takes from the file's own package; none where it takes nothing of it."""
    top = place.module.partition(".")[0]
    if isinstance(statement, ast.Import):
        own = [alias for alias in statement.names if alias.asname and alias.name.partition(".")[0] == top]
        return [Taken(alias, "", find(alias.name)) for alias in own]
    base = absolute(statement, place)
    if base.partition(".")[0] != top:
        return []
    return [Taken(alias, base, find(f"{base}.{alias.name}")) for alias in statement.names]


def absolute(statement: ast.ImportFrom, place: PackageModule) -> str:
    """The dotted name of the module that a `from` statement takes names of."""
    if not statement.level:
        return statement.module or ""
    parts = place.package.split(".")
    kept = parts[: len(parts) - statement.level + 1]
    return ".".join([*kept, *([statement.module] if statement.module else [])])


def adjusted(source: SourceFile, place: PackageModule, find: Find, vendored: Collection[str]) -> str:
    """The text of a file whose imports are right in the new package.

    What `vendored` modules define is imported from them, relative to the file; all else from the installed package.
    Statements that are right already stay as they are.
    """
    edits: list[tuple[int, int, str]] = []
    tree = source.parse()
    for statement in _imports(tree):
        taken = taken_by(statement, place, find)
        if not taken or _is_right(statement, taken, vendored):
            continue
        start, end = source.span(statement)
        edits.append((start, end, _joined(source, start, end, list(_written(statement, taken, place, vendored)))))
    text = source.text
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def _running_imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that may run: not those for type checking."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            for statement in node.orelse:
                yield from _running_imports(ast.Module([statement], []))
        else:
            yield from _running_imports(node)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"


def _is_right(statement: ast.Import | ast.ImportFrom, taken: Sequence[Taken], vendored: Collection[str]) -> bool:
    """True if a relative import means the same in the new package: all of its names are those of vendored modules."""
    if isinstance(statement, ast.Import) or not statement.level:
        return all(_home(each, vendored) is None for each in taken)
    return all(_home(each, vendored) == each.base and _is_name(each) for each in taken)


def _is_name(taken: Taken) -> bool:
    return taken.alias.name == "*" or (taken.found is not None and taken.found.kind != "module")


def _home(taken: Taken, vendored: Collection[str]) -> str | None:
    """The vendored module that a name comes from; None if it comes from the installed package."""
    if taken.alias.name == "*":
        return taken.base if taken.base in vendored else None
    if taken.found is None or taken.found.module not in vendored:
        return None
    return taken.found.module


def _written(
    statement: ast.Import | ast.ImportFrom, taken: Sequence[Taken], place: PackageModule, vendored: Collection[str]
) -> Iterator[str]:
    if isinstance(statement, ast.Import):
        own = {id(each.alias) for each in taken}
        rest = [_alias(alias) for alias in statement.names if id(alias) not in own]
        if rest:
            yield f"import {', '.join(rest)}"
    groups: dict[str, list[str]] = {}
    for each in taken:
        base, name = _source(each, place, vendored)
        groups.setdefault(base, []).append(name)
    for base, names in groups.items():
        yield f"from {base} import {', '.join(names)}"


def _source(taken: Taken, place: PackageModule, vendored: Collection[str]) -> tuple[str, str]:
    """The module to import one name from, as it is written, and the name with its alias."""
    alias, home = taken.alias, _home(taken, vendored)
    if home is None:
        base, _, name = taken.dotted.rpartition(".")
        return (base, "*") if alias.name == "*" else (base, _named(name, alias.asname or alias.name))
    if alias.name == "*":
        return relative(home, place), "*"
    bound = alias.asname or alias.name
    if taken.found is not None and taken.found.kind == "module":
        package, _, name = home.rpartition(".")
        return relative(package, place), _named(name, bound)
    defined = getattr(taken.found, "name", alias.name)
    return relative(home, place), _named(defined, bound)


def _named(name: str, bound: str) -> str:
    return name if name == bound else f"{name} as {bound}"


def _alias(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def relative(module: str, place: PackageModule) -> str:
    """A module of the same package as a file imports it: `..layers.drop`."""
    here, there = place.package.split("."), module.split(".")
    shared = 0
    while shared < min(len(here), len(there)) and here[shared] == there[shared]:
        shared += 1
    return "." * (1 + len(here) - shared) + ".".join(there[shared:])


def _joined(source: SourceFile, start: int, end: int, statements: Sequence[str]) -> str:
    """Statements in the place of one: on lines of their own where that one had its lines to itself."""
    text = source.text
    line = source.starts[source.position(start).line - 1]
    indent, rest = text[line:start], source.line(source.position(end).line)[source.position(end).column - 1 :]
    alone = not indent.strip() and (not rest.strip() or rest.lstrip().startswith("#"))
    return (source.newline + indent if alone else "; ").join(statements)


def stays(tree: ast.Module) -> bool:
    """True if a file must be run where it is: it reads its own path, or registers operators with torch."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in ("__file__", "__path__"):
            return True
        if isinstance(node, ast.Attribute) and node.attr == "library" and _is_torch(node.value):
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("torch.library"):
            return True
    return False


def _is_torch(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "torch"


def closure(
    roots: Collection[str], files: Mapping[str, Path], parse: Callable[[str], ast.Module | None], find: Find
) -> tuple[str, ...]:
    """The modules that `roots` need, themselves included, sorted: those that can be taken out of their package."""
    top = next(iter(roots)).partition(".")[0]
    taken: set[str] = set()
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        if module in taken or module not in files or (module == top and is_package(files[module])):
            continue
        tree = parse(module)
        if tree is None or stays(tree):
            continue
        taken.add(module)
        waiting += needed(tree, PackageModule.of(module, files[module]), find)
    return tuple(sorted(taken))
