"""From chosen rewrites to pieces: declarations, modules made of functions, loops over children, imports."""

from __future__ import annotations

import ast
import textwrap
from collections import defaultdict
from typing import TYPE_CHECKING

from qprep.analysis.symbols.ast_utils import positional_parameters
from qprep.analysis.symbols.definition_names import DefinitionName, plain_name
from qprep.analysis.values.abstract_values import ClassRef
from qprep.rewriting import imports, owners, plain_objects
from qprep.rewriting.composed_edits import CLOSING, STATEMENT, Piece
from qprep.rewriting.rewrite_result import OWNER, Declaration, Rewrite
from qprep.rewriting.safety import child_loops
from qprep.rewriting.transforms import moved_functions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qprep.analysis.places import Place, Unit
    from qprep.analysis.symbols.symbol_table import FileIndex
    from qprep.foundation.findings import Rejection
    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.function_calls import FunctionCalls
    from qprep.rewriting.module_owners import ModuleOwners
    from qprep.rewriting.rewrite_result import Import
    from qprep.rewriting.source_code import Code

STANDS_FOR = "stands_for"


class Assembler:
    """Turns chosen rewrites of one plan into pieces."""

    def __init__(self, context: RewriteContext, module_owners: ModuleOwners, functions: FunctionCalls) -> None:
        self.context = context
        self._owners = module_owners
        self._functions = functions

    def assemble(
        self, chosen: Iterable[Rewrite], outcomes: Mapping[Place, Rewrite | Rejection]
    ) -> dict[str, list[Piece]]:
        """The pieces of the chosen rewrites, by module, and of the lists of children that change with them.

        `outcomes` are those of all sites.
        """
        rewrites = _apart(chosen)
        active = self._active_functions(rewrites)
        rewrites += [
            call
            for call in dict.fromkeys(call for unit in sorted(active) for call in self._functions.calls(unit))
            if call.unit.is_class or call.unit in active
        ]
        listings = sorted({place for rewrite in rewrites for place in rewrite.listings})
        found = (outcomes.get(place) for place in listings)
        rewrites += [each for each in found if isinstance(each, Rewrite) and each not in rewrites]
        pieces: dict[str, list[Piece]] = defaultdict(list)
        for rewrite in rewrites:
            if rewrite.unit.is_class:
                pieces[rewrite.place.module] += rewrite.pieces
            for module, piece in rewrite.beside:
                pieces[module] += [piece] if piece not in pieces[module] else []
        self._add_declarations(rewrites, pieces)
        dispatched = frozenset(callee for r in rewrites if r.dispatched for callee in r.callees) & active
        for unit in sorted(active):
            self._add_function(unit, [r for r in rewrites if r.unit == unit], pieces, dispatched=unit in dispatched)
        self._add_imports(rewrites, active, dispatched, pieces)
        return dict(pieces)

    def _active_functions(self, rewrites: list[Rewrite]) -> set[Unit]:
        """Functions that hold a chosen rewrite, or call one that does, and that something rewritable calls."""
        wanted = {rewrite.unit for rewrite in rewrites if not rewrite.unit.is_class}
        waiting = list(wanted)
        while waiting:
            more = {call.unit for call in self._functions.calls(waiting.pop()) if not call.unit.is_class} - wanted
            wanted |= more
            waiting += more
        alive: set[Unit] = set()
        while True:
            more = {
                unit
                for unit in wanted - alive
                if any(call.unit.is_class or call.unit in alive for call in self._functions.calls(unit))
            }
            if not more:
                return alive
            alive |= more

    def _add_declarations(self, rewrites: list[Rewrite], pieces: dict[str, list[Piece]]) -> None:
        grouped: dict[tuple[Unit, Place | None], list[Declaration]] = defaultdict(list)
        methods: dict[Unit, set[str]] = defaultdict(set)
        bodies: dict[Unit, list[Declaration]] = defaultdict(list)
        for rewrite in sorted(rewrites, key=lambda r: r.place):
            for declaration in rewrite.declarations:
                if declaration.in_body:
                    bodies[declaration.unit].append(declaration)
                elif declaration.unit.is_class:
                    grouped[declaration.unit, declaration.after].append(declaration)
                    if not plain_objects.is_plain(self.context, rewrite.unit):
                        methods[declaration.unit].add(DefinitionName.parse(rewrite.function).key)
        for unit, named in bodies.items():
            pieces[unit.module].append(self._body_piece(unit, named))
        for (unit, after), declarations in grouped.items():
            module = after.module if after is not None else unit.module
            code = self.context.code(module)
            assert code is not None
            pieces[module].append(self._declaration_piece(code, unit, after, declarations, frozenset(methods[unit])))
        for unit in dict.fromkeys(unit for unit, _ in grouped):
            names = [d.name for (other, _), found in grouped.items() if other == unit for d in found if d.name]
            self._add_skips(unit, names, pieces)

    def _body_piece(self, unit: Unit, named: list[Declaration]) -> Piece:
        """Attributes of a class, in front of its first method."""
        code, entry = self.context.code(unit.module), self.context.project.class_node(ClassRef(unit.module, unit.name))
        point = plain_objects.body_point(code, entry) if entry is not None else None
        assert code is not None
        assert point is not None
        offset, indent = point
        lines = dict.fromkeys(declaration.line("") for declaration in named)
        return Piece(offset, offset, "".join(f"{indent}{line}{code.newline}" for line in lines) + code.newline)

    def _declaration_piece(
        self, code: Code, unit: Unit, after: Place | None, declarations: list[Declaration], methods: frozenset[str]
    ) -> Piece:
        owner = self._init_owner(unit)
        if after is None:
            lines = self._lines(code, unit, owner, declarations)
            point = owners.end_of_init(self.context, code, unit, methods)
        else:
            node = code.node(after)
            assert node is not None
            function = code.function(node)
            if function is not None and positional_parameters(function):
                owner = positional_parameters(function)[0].arg
            lines = self._lines(code, unit, owner, declarations)
            point = _behind(code, code.statement(node))
        if point.inline:
            text = "".join(f"; {line}" for line in lines)
            return Piece(point.offset, point.offset, text, CLOSING, STATEMENT + (0 if after is not None else 1))
        body = "".join(f"{point.indent}{line}{code.newline}" for line in lines)
        extent = 0 if after is not None else 1
        return Piece(point.offset, point.offset, point.before + body + point.after, CLOSING, extent)

    def _lines(self, code: Code, unit: Unit, owner: str, declarations: list[Declaration]) -> list[str]:
        """Assignments, and a note of their names for code that counts the children of the class."""
        lines = list(dict.fromkeys(d.line(owner) for d in declarations))
        added = [d.name for d in declarations if d.name]
        if added and child_loops.is_walked(self.context, unit):
            mark, _ = self._runtime(code.index, "mark_added")
            names = textwrap.wrap(" ".join(f'"{name}",' for name in added), 80)
            lines += [f"{mark}({owner}, {part.rstrip(',')})" for part in names]
        return lines

    def _is_marked(self, declaration: Declaration) -> bool:
        return (
            declaration.unit.is_class
            and not declaration.in_body
            and child_loops.is_walked(self.context, declaration.unit)
        )

    def _add_skips(self, unit: Unit, names: list[str], pieces: dict[str, list[Piece]]) -> None:
        """Loops over the children of self go past the new ones; what else gives the children leaves them out."""
        for found in child_loops.filters(self.context, unit):
            code = self.context.code(found.place.module)
            node = code.node(found.place) if code is not None else None
            assert code is not None
            assert isinstance(node, ast.expr)
            called, _ = self._runtime(code.index, found.function)
            piece = Piece(*code.span(node), f"{called}({found.owner}){found.after}")
            if piece not in pieces[found.place.module]:
                pieces[found.place.module].append(piece)
        for loop in child_loops.loops(self.context, unit):
            code = self.context.code(loop.module)
            assert code is not None
            node = next(n for n in ast.walk(code.tree) if isinstance(n, ast.For) and n.lineno == loop.line)
            function = code.function(node)
            owner = positional_parameters(function)[0].arg if function is not None else "self"
            indent, newline = code.indent_of(node.body[0]), code.newline
            offset = code.source.starts[node.body[0].lineno - 1]
            shown = " or ".join(f"{loop.variable} is {owner}.{name}" for name in names)
            text = f"{indent}if {shown}:{newline}{indent}{code.indent_unit}continue{newline}"
            pieces[loop.module].append(Piece(offset, offset, text))

    def _init_owner(self, unit: Unit) -> str:
        index = self.context.project.index(unit.module)
        entry = index.classes.get(unit.name) if index is not None else None
        init = entry.methods.get("__init__") if entry is not None else None
        return positional_parameters(init)[0].arg if init is not None and positional_parameters(init) else "self"

    def _add_function(
        self, unit: Unit, rewrites: list[Rewrite], pieces: dict[str, list[Piece]], *, dispatched: bool
    ) -> None:
        code, index = self.context.code(unit.module), self.context.project.index(unit.module)
        assert code is not None
        assert index is not None
        base, _ = self._module(index)
        node = moved_functions.definition(code.index, unit)
        assert node is not None
        declarations = [d for r in sorted(rewrites, key=lambda r: r.place) for d in r.declarations]
        declarations = [Declaration(d.unit, d.name, d.expression.replace(OWNER, "self")) for d in declarations]
        inner = [piece for rewrite in rewrites for piece in rewrite.pieces]
        decorator, _ = self._runtime(index, STANDS_FOR)
        above = f"@{decorator}({plain_name(unit.name)}){code.newline}" if dispatched else ""
        kept = moved_functions.kept_decorators(self.context, unit.module, node)
        text = moved_functions.as_class(
            code, node, self._owners.class_name(unit), base, declarations, inner, above, kept
        )
        offset = moved_functions.place_for_class(code, node)
        lead = "" if code.text[offset - 1] in "\r\n" else code.newline
        pieces[unit.module].append(Piece(offset, offset, lead + text))

    def _runtime(self, index: FileIndex, name: str) -> tuple[str, frozenset[Import]]:
        return imports.imported(index, imports.RUNTIME, name, self.context.starred(index.name))

    def _module(self, index: FileIndex) -> tuple[str, frozenset[Import]]:
        return imports.nn_name(index, "Module", self.context.starred(index.name))

    def _add_imports(
        self, rewrites: list[Rewrite], active: set[Unit], dispatched: frozenset[Unit], pieces: dict[str, list[Piece]]
    ) -> None:
        needed: dict[str, set[Import]] = defaultdict(set)
        for rewrite in rewrites:
            for module, entry in rewrite.imports:
                needed[module].add(entry)
            for declaration in rewrite.declarations:
                if declaration.name and self._is_marked(declaration):
                    module = declaration.after.module if declaration.after is not None else declaration.unit.module
                    index = self.context.project.index(module)
                    assert index is not None
                    needed[module] |= self._runtime(index, "mark_added")[1]
                    for found in child_loops.filters(self.context, declaration.unit):
                        other = self.context.project.index(found.place.module)
                        assert other is not None
                        needed[found.place.module] |= self._runtime(other, found.function)[1]
        for unit in active:
            index = self.context.project.index(unit.module)
            if index is not None:
                needed[unit.module] |= self._module(index)[1]
                if unit in dispatched:
                    needed[unit.module] |= self._runtime(index, STANDS_FOR)[1]
        for module, entries in needed.items():
            code = self.context.code(module)
            if code is not None:
                pieces[module] += imports.import_pieces(code, entries)


def _behind(code: Code, statement: ast.stmt) -> owners.InsertionPoint:
    """The insertion point of lines behind a statement; on its own line where that holds more."""
    if not code.is_alone_on_line(statement):
        return owners.InsertionPoint(code.span(statement)[1], "", inline=True)
    offset = code.next_line(statement.end_lineno or statement.lineno)
    before = "" if offset and code.text[offset - 1] in "\r\n" else code.newline
    return owners.InsertionPoint(offset, code.indent_of(statement), before)


def _apart(rewrites: Iterable[Rewrite]) -> list[Rewrite]:
    """The rewrites but those that write where one before writes another text: these wait for a pass."""
    found: list[Rewrite] = []
    taken: dict[str, dict[tuple[int, int], str]] = defaultdict(dict)  # by module: the spans that are replaced
    for rewrite in rewrites:
        spans = taken[rewrite.place.module]
        new = {(piece.start, piece.end): piece.text for piece in rewrite.pieces if piece.end > piece.start}
        if all(spans.get(span) == text or not _meets(span, spans) for span, text in new.items()):
            spans |= new
            found.append(rewrite)
    return found


def _meets(span: tuple[int, int], spans: Iterable[tuple[int, int]]) -> bool:
    """True if a span shares characters with one of others."""
    return any(span[0] < end and start < span[1] for start, end in spans)
