"""Imports that a rewrite leaves without a use: removed where no file shows another use."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import dotted_text, last_name
from qprep.rewriting.composed_edits import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.analysis.symbols.module_resolver import Project
    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.rewriting.source_code import Code

_EVALUATING = frozenset(("eval", "exec", "globals", "vars", "locals", "import_module", "__import__"))
_NAME = re.compile(r"[^\W\d]\w*")
_TYPE_COMMENT = re.compile(r"#\s*type:(.*)")
_EXAMPLE = re.compile(r"^\s*(?:>>>|```|\.\. )", re.MULTILINE)


class ImportUsers:
    """Names that some file of a project may take from a module other than by its own code; each file is read once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._imported: dict[str, set[str]] | None = None  # by the module that they are taken from
        self._asked: frozenset[str] | None = None

    def names(self, module: str) -> frozenset[str]:
        """Names that a file imports from a module, or takes from an object that may be this module.

        `from base import *` takes all names. A name in a text counts: `getattr(base, "F")`, `patch("base.F.relu")`.
        Over-approximates: the object of `x.F` may be any module, unless an import shows another one.
        """
        if self._imported is None or self._asked is None:
            self._imported = self._imports()
            self._asked = frozenset(name for each in self._project.given for name in self._taken_in(each))
        return self._asked.union(self._imported.get(module, ()))

    def _imports(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for name in self._project.given:
            surface = self._project.surface(name)
            for target in (*surface.imports.values(), *surface.inner) if surface is not None else ():
                head, _, last = target.rpartition(".")
                found[self._project.canonical(head)].add(last)
            for star in surface.stars if surface is not None else ():
                own = self._project.surface(star)
                found[self._project.canonical(star)].update(own.imports if own is not None else ())
        return found

    def _taken_in(self, module: str) -> Iterator[str]:
        index = self._project.index(module)
        if index is None:
            return
        for node in index.of(ast.Attribute):
            if not self._is_elsewhere(index, node.value):
                yield node.attr
        yield from text_names(index.tree)

    def _is_elsewhere(self, index: FileIndex, value: ast.expr) -> bool:
        """True for an import of another package, or a name in one: `torch.nn`."""
        first, dot, rest = dotted_text(value).partition(".")
        entry = index.imports.get(first) if first not in index.rebound else None
        if entry is None:
            return False
        parts = (entry.target + dot + rest).split(".")
        return not any(self._project.surface(".".join(parts[:length])) for length in range(1, len(parts) + 1))


def unused_import_pieces(code: Code, before: ast.Module, after: ast.Module, users: ImportUsers) -> list[Piece]:
    """Removals of import names that `before` used, and neither `after` (the same file, rewritten: `code`) nor users."""
    if any(_evaluates(node) for node in ast.walk(after)):
        return []
    gone = _used_names(before, "") - _used_names(after, code.text)
    gone &= {alias.asname or alias.name.partition(".")[0] for node in _imports(after) for alias in node.names}
    if gone:
        gone -= users.names(code.index.name)
    pieces: list[Piece] = []
    for node in _imports(after):
        if code.is_alone_on_line(node):
            bound = {(alias.asname or alias.name.partition(".")[0]): alias for alias in node.names}
            dropped = [name for name in bound if name in gone]
            if dropped:
                pieces.append(_without(code, node, [alias for name, alias in bound.items() if name not in gone]))
    return pieces


def _imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    return (node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))


def _evaluates(node: ast.AST) -> bool:
    """`eval(text)`, `globals()[name]`, `sys.modules[__name__]`: any name may be meant."""
    if isinstance(node, ast.Attribute):
        return node.attr == "modules" and isinstance(node.value, ast.Name) and node.value.id == "sys"
    return isinstance(node, ast.Call) and last_name(node.func) in _EVALUATING


def _without(code: Code, node: ast.Import | ast.ImportFrom, kept: list[ast.alias]) -> Piece:
    start, end = code.span(node)
    if not kept:
        tail = code.text[end : code.next_line(node.end_lineno or node.lineno)]
        if not tail.strip():
            return Piece(code.line_start(start), code.next_line(node.end_lineno or node.lineno), "")
        return Piece(start, start, "")
    if "#" in code.text[start:end]:  # comments inside the parentheses stay where they are
        return Piece(start, start, "")
    names = ", ".join(alias.name + (f" as {alias.asname}" if alias.asname else "") for alias in kept)
    if isinstance(node, ast.Import):
        return Piece(start, end, f"import {names}")
    return Piece(start, end, f"from {'.' * node.level}{node.module or ''} import {names}")


def _used_names(tree: ast.Module, text: str) -> set[str]:
    """Names that are read anywhere, also in texts that may be evaluated: annotations, examples, `"F.relu"`."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names.update(text_names(tree))
    for comment in _TYPE_COMMENT.findall(text):
        names.update(_NAME.findall(comment))
    return names


def text_names(tree: ast.Module) -> Iterator[str]:
    """The words of the texts in a file; of a text that no code uses only if it holds an example, as doctest runs it."""
    nodes = list(ast.walk(tree))
    unused = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and (id(node) not in unused or _EXAMPLE.search(value)):
            yield from _NAME.findall(value)
