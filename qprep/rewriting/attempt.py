"""One attempt to rewrite a site: the codemod runs between the checks before it and the proof after it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from qprep.analysis.facts import HelperCall, OpSite
from qprep.analysis.symbols.ast_utils import positional_parameters
from qprep.analysis.symbols.definition_names import DefinitionName
from qprep.foundation.findings import Applicability, Rejection, RejectionCode
from qprep.rewriting import fstrings, owners, plain_objects
from qprep.rewriting.composed_edits import Piece, closing, opening, overlaps
from qprep.rewriting.fix_scope import RejectedError, Scope
from qprep.rewriting.rewrite_result import OWNER, Declaration, Rewrite
from qprep.rewriting.safety import name_capture, proof
from qprep.rewriting.safety.class_enumeration import listed_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from qprep.analysis.places import Unit
    from qprep.analysis.sites import PlannedSite
    from qprep.rewriting.fix_session import RewriteContext
    from qprep.rewriting.module_owners import ModuleOwners
    from qprep.rewriting.source_code import Code


MAX_NESTING = 80  # CPython takes 200 nested parentheses, and each rewrite adds a pair


class Attempts:
    """Runs codemods and judges what they propose."""

    def __init__(self, context: RewriteContext, module_owners: ModuleOwners) -> None:
        self.context = context
        self._owners = module_owners
        self._lent: dict[tuple[Unit, str], str] = {}  # attributes with operations of objects that are no modules

    def attempt(
        self, site: PlannedSite, codemod: Callable[..., object], applicability: Applicability = Applicability.SAFE
    ) -> Rewrite | Rejection:
        """The rewrite of a site, with the doubts of its proof, or the reason why there is none."""
        scope = self._scope_of(site)
        if isinstance(scope, Rejection):
            return scope
        scope.applicability = applicability
        try:
            pieces = codemod(scope, _for_target(scope, site))
        except RejectedError as error:
            return error.rejection
        if isinstance(pieces, Rejection):
            return pieces
        assert isinstance(pieces, tuple)
        if (rejection := self._rejection_of(scope, pieces)) is not None:
            return rejection
        made = f"use `{scope.declarations[0].name}`" if scope.declarations else "use a module"
        message = scope.message or made
        lending, beside = self._lending(scope)
        scope.declarations += lending
        declarations, needed = tuple(scope.declarations), scope.needed(pieces)
        doubts = (*proof.doubts(scope, site, pieces), *plain_objects.doubts(self.context, site.unit))
        return Rewrite(
            site.place,
            site.unit,
            site.function,
            pieces,
            declarations,
            needed,
            message,
            Applicability.UNSAFE if doubts else scope.applicability,
            doubts=doubts,
            beside=beside,
            listings=frozenset(scope.listings),
        )

    def _scope_of(self, site: PlannedSite) -> Scope | Rejection:
        """The place of a rewrite, with its owner; or the reason why nothing can be written there."""
        if (rejection := self._owners.rejection_of(site.unit)) is not None:
            return replace(rejection, code=RejectionCode.CLASS_SHAPE)
        code, index = self.context.code(site.place.module), self.context.project.index(site.place.module)
        node = code.node(site.place) if code is not None else None
        if code is None or index is None or node is None:
            return Rejection(f"it is in {site.place.module}, outside the paths given", RejectionCode.OUTSIDE)
        if plain_objects.is_plain(self.context, site.unit) and not isinstance(site, OpSite | HelperCall):
            return Rejection(
                f"`{site.unit.name}` is not an nn.Module, so it cannot hold a module", RejectionCode.CLASS_SHAPE
            )
        method = DefinitionName.parse(site.function).key
        if (rejection := owners.method_rejection(self.context, site.unit, method)) is not None:
            return rejection
        owner = self._owners.owner_name(code, node, site.unit)
        if isinstance(owner, Rejection):
            return owner
        if (rejection := _unwritable(code, node)) is not None:
            return rejection
        return Scope(self.context, code, index, site.unit, self._owners.names(site.unit), owner, node)

    def _lending(self, scope: Scope) -> tuple[list[Declaration], tuple[tuple[str, Piece], ...]]:
        """Declarations in modules that hold objects of a plain class, and the edits that pass new modules to them."""
        declarations: list[Declaration] = []
        beside: list[tuple[str, Piece]] = []
        if not plain_objects.is_plain(self.context, scope.unit):
            return declarations, ()
        for each in plain_objects.held(self.context, scope.unit):
            code = self.context.code(each.unit.module)
            if code is not None and not plain_objects.is_lent(code, each.unit, each.attribute):
                made = f'{scope.runtime(plain_objects.OPERATIONS, code.index)}("{each.attribute}", owner={OWNER})'
                declarations.append(Declaration(each.unit, self._operations_name(each.unit, each.attribute), made))
        for maker in plain_objects.made(self.context, scope.unit):
            code = self.context.code(maker.unit.module)
            node = code.node(maker.place) if code is not None else None
            function = code.function(node) if code is not None and node is not None else None
            if code is None or not isinstance(node, ast.expr) or function is None or maker.is_lent:
                continue
            cls, (start, end) = ast.unparse(node), code.span(node)
            name = self._operations_name(maker.unit, cls.rpartition(".")[2])
            made = f"{scope.runtime(plain_objects.OPERATIONS, code.index)}.of({cls}, owner={OWNER})"
            declarations.append(Declaration(maker.unit, name, made))
            head = opening(start, f"{positional_parameters(function)[0].arg}.{name}.given(", end - start)
            beside += [(maker.unit.module, piece) for piece in (head, closing(end, ")", end - start))]
        return declarations, tuple(beside)

    def _operations_name(self, unit: Unit, of: str) -> str:
        if (unit, of) not in self._lent:
            base = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", of.lstrip("_")).lower()
            self._lent[unit, of] = self._owners.names(unit).fresh(f"{base}_operations")
        return self._lent[unit, of]

    def _rejection_of(self, scope: Scope, pieces: tuple[Piece, ...]) -> Rejection | None:
        """The reason why a codemod's rewrite is rejected; None if it is not."""
        if overlaps(pieces):
            return Rejection("its edits would overlap", RejectionCode.LAYOUT)
        if any(_loses_comment(scope.code, piece) for piece in pieces):
            return Rejection("a comment is inside the text that it would replace", RejectionCode.LAYOUT)
        if not listed_files(self.context).isdisjoint(module for module, _ in scope.imports):
            reason = "code lists the classes of its file at run time, and a new class would appear there"
            return Rejection(reason, RejectionCode.CLASS_SHAPE)
        return name_capture.hidden(self.context, scope.declarations)


def _for_target(scope: Scope, site: PlannedSite) -> PlannedSite:
    """The operation with the module that the file's target has for it."""
    return replace(site, op=scope.target.row(site.op, site.scalar)) if isinstance(site, OpSite) else site


def _unwritable(code: Code, node: ast.AST) -> Rejection | None:
    """The reason why an expression cannot be replaced; None if it can."""
    if _nesting(code, node) > MAX_NESTING:
        return Rejection("the expression is nested so deeply that its rewrite would not compile", RejectionCode.LAYOUT)
    return fstrings.rejection_of(code, node)


def _loses_comment(code: Code, piece: Piece) -> bool:
    """True if a comment is in the text that an edit replaces, and not in the new one."""
    if "#" not in code.text[piece.start : piece.end]:
        return False
    inside = Counter(text for start, text in code.comments if piece.start <= start < piece.end)
    return any(piece.text.count(text) < number for text, number in inside.items())


def _nesting(code: Code, node: ast.AST) -> int:
    """The number of expressions around a node; does not count beyond the limit."""
    depth = 0
    while isinstance(node, ast.expr) and depth <= MAX_NESTING:
        node = code.parents[node]
        depth += 1
    return depth
