"""Imports that a rewrite needs: reuse what the file binds, add what it lacks."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from functools import cache
from importlib.util import find_spec
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.import_order import ImportNode, group_around, in_order, insertion_index
from qprep.rewriting.rewrite_result import Import

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.rewriting.source_code import Code

RUNTIME = "qprep.runtime_modules"
_WIDTH = 88  # of a line by default in ruff and Black


def bound_as(index: FileIndex, dotted: str) -> str | None:
    """The name of a module or class in a file: "nn" for torch.nn."""
    for name, entry in index.imports.items():
        if entry.target == dotted and name not in index.rebound and name not in index.alternatives:
            return name
    head, _, last = dotted.rpartition(".")
    outer = bound_as(index, head) if head else None
    return f"{outer}.{last}" if outer is not None else None


def nn_name(index: FileIndex, cls: str, reserved: frozenset[str] = frozenset()) -> tuple[str, frozenset[Import]]:
    """The spelling of a class of torch.nn in a file, and its imports; `reserved` names stay free."""
    if (direct := bound_as(index, f"torch.nn.{cls}")) is not None:
        return direct, frozenset()
    alias = "nn" if _is_free(index, "nn") and "nn" not in reserved else "torch_nn"
    return f"{alias}.{cls}", frozenset((Import("torch", "nn", alias if alias != "nn" else None),))


def imported(
    index: FileIndex, module: str, name: str, planned: frozenset[str] = frozenset()
) -> tuple[str, frozenset[Import]]:
    """The spelling of `module.name` in a file, and its imports; `planned` names are about to be bound there."""
    existing = index.imports.get(name)
    if existing is not None and existing.target == f"{module}.{name}":
        return name, frozenset()
    for bound, entry in index.imports.items():
        if entry.target == f"{module}.{name}":
            return bound, frozenset()
    numbered = (f"Qprep{name}{number}" for number in count(2))
    candidates = chain((name, f"Qprep{name}"), numbered)
    alias = next(option for option in candidates if _is_free(index, option) and option not in planned)
    return alias, frozenset((Import(module, name, alias if alias != name else None),))


@cache
def runtime_names() -> frozenset[str]:
    """The exports of qprep.runtime_modules, read from its source: importing it requires torch."""
    spec = find_spec(RUNTIME)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    return frozenset(alias.asname or alias.name for node in imports for alias in node.names)


def _is_free(index: FileIndex, name: str) -> bool:
    tables = (index.imports, index.classes, index.functions, index.values)
    return name not in index.names and not any(name in table for table in tables)


def import_pieces(code: Code, needed: Iterable[Import]) -> list[Piece]:
    """The import statements that are missing; a name next to another import is added to that one."""
    entries = set(needed)
    beside = {entry: place for entry in entries if (place := _beside(code, entry)) is not None}
    pieces = [Piece(place, place, f", {_bound(entry)}") for entry, place in sorted(beside.items(), key=_written)]
    by_module: dict[str, list[str]] = defaultdict(list)
    for entry in entries - beside.keys():
        by_module[entry.module].append(_bound(entry))
    lines: dict[tuple[int, str, str], list[str]] = defaultdict(list)  # by place: statements with their newlines
    for module, names in sorted(by_module.items(), key=lambda item: (item[0] != "torch", item[0])):
        extended = _extended(code, module, names)
        if extended is not None:
            pieces.append(extended)
        else:
            lines[_import_place(code, module)].append(_import_statement(code, module, in_order(names)) + code.newline)
    return [*pieces, *(Piece(at, at, before + "".join(each) + after) for (at, before, after), each in lines.items())]


def _written(item: tuple[Import, int]) -> str:
    return _bound(item[0])


def _bound(entry: Import) -> str:
    return entry.name + (f" as {entry.alias}" if entry.alias else "")


def _beside(code: Code, entry: Import) -> int | None:
    """The position of an import that belongs to another one: behind the name of that one."""
    if entry.beside is None:
        return None
    for node in code.tree.body:
        if isinstance(node, ast.ImportFrom) and code.index.absolute(node) == entry.home:
            for alias in node.names:
                if (alias.asname or alias.name) == entry.beside:
                    return code.span(alias)[1]
    return None


def _extended(code: Code, module: str, names: list[str]) -> Piece | None:
    """The names added to the file's `from module import …`; None without one that can be written again."""
    for node in _leading_imports(code):
        if not isinstance(node, ast.ImportFrom) or node.level or node.module != module:
            continue
        start, end = code.span(node)
        old = [alias.name + (f" as {alias.asname}" if alias.asname else "") for alias in node.names]
        if "*" in old or "#" in code.text[start:end] or code.text[start - 1 : start].strip():
            continue
        merged = in_order([*old, *names]) if old == in_order(old) else [*old, *in_order(names)]
        return Piece(start, end, _import_statement(code, module, merged))
    return None


def _import_statement(code: Code, module: str, names: list[str]) -> str:
    """`from module import …`, one name a line if the names do not fit in one: formatters keep that in every width."""
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= _WIDTH:
        return line
    inner = (f"{code.indent_unit}{name},{code.newline}" for name in names)
    return f"from {module} import ({code.newline}{''.join(inner)})"


def _leading_imports(code: Code) -> list[ImportNode]:
    """The imports in front of the first class or function."""
    found: list[ImportNode] = []
    for node in code.tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.append(node)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            break
    return found


def _import_place(code: Code, module: str) -> tuple[int, str, str]:
    """The offset of a new import, and the text before and behind it.

    In the group of torch's last import, in isort's order if the group has it. Without an import of torch, between the
    imports of the standard library and relative ones; without any import, behind the docstring.
    """
    leading = _leading_imports(code)
    torch = next((node for node in reversed(leading) if _imports_torch(node)), None)
    if torch is None:
        return _place_of_group(code, leading)
    group = group_around(code, torch)
    position = insertion_index(group, module)
    if position is None:
        return _behind(code, torch)
    if position == len(group):
        return _behind(code, group[-1])
    follower = group[position]
    return (_line_start(code, follower), "", "") if code.is_alone_on_line(follower) else _behind(code, torch)


def _line_start(code: Code, node: ast.stmt) -> int:
    return code.source.starts[node.lineno - 1]


def _place_of_group(code: Code, leading: list[ImportNode]) -> tuple[int, str, str]:
    """The place of a group of its own."""
    first_relative = next((number for number, node in enumerate(leading) if _is_relative(node)), None)
    if first_relative is not None and all(map(_is_relative, leading[first_relative:])):
        node = leading[first_relative]
        if code.is_alone_on_line(node):
            return _line_start(code, node), "", code.newline
    anchor = leading[-1] if leading else _docstring(code.tree)
    if anchor is None:
        return _top(code), "", code.newline
    offset, before, after = _behind(code, anchor)
    is_standard = isinstance(anchor, ImportNode) and _is_standard(anchor)
    return offset, before + (code.newline if is_standard else ""), after


def _behind(code: Code, anchor: ast.stmt) -> tuple[int, str, str]:
    """The line behind a statement and those that share its line."""
    end_line = anchor.end_lineno or anchor.lineno
    if not code.is_alone_on_line(anchor):
        end_line = max(n.end_lineno or n.lineno for n in code.tree.body if n.lineno <= end_line)
    offset = code.next_line(end_line)
    missing = "" if offset and code.text[offset - 1] in "\r\n" else code.newline
    return offset, missing, ""


def _is_relative(node: ImportNode) -> bool:
    return isinstance(node, ast.ImportFrom) and node.level > 0


def _is_standard(node: ImportNode) -> bool:
    """True for imports of the standard library alone."""
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    return not _is_relative(node) and all(name.partition(".")[0] in sys.stdlib_module_names for name in names)


def _imports_torch(node: ast.Import | ast.ImportFrom) -> bool:
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    return any(name == "torch" or name.startswith("torch.") for name in names) and not getattr(node, "level", 0)


def _docstring(tree: ast.Module) -> ast.stmt | None:
    first = tree.body[0] if tree.body else None
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return first if is_text else None


def _top(code: Code) -> int:
    """In front of the first statement, behind the comments at the top."""
    if not code.tree.body:
        return len(code.text)
    return _line_start(code, code.tree.body[0])
