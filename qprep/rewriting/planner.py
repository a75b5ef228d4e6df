"""The plan: a rewrite or a reason for each finding, and the pieces of the chosen ones, file by file."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from qprep.foundation.findings import Applicability, Rejection, RejectionCode
from qprep.rewriting import imports
from qprep.rewriting.assembler import Assembler
from qprep.rewriting.attempt import Attempts
from qprep.rewriting.function_calls import FunctionCalls
from qprep.rewriting.module_owners import ModuleOwners
from qprep.rewriting.rewrite_result import OWNER, Doubt, Rewrite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from qprep.analysis.places import Place, Unit
    from qprep.analysis.sites import Site
    from qprep.rewriting.composed_edits import Piece
    from qprep.rewriting.fix_session import RewriteContext


class Plan:
    """The outcome for every site, and how to turn chosen ones into pieces."""

    def __init__(self, context: RewriteContext) -> None:
        self.context = context
        self.outcomes: dict[Place, Rewrite | Rejection] = {}
        module_owners = ModuleOwners(context)
        self._attempts = Attempts(context, module_owners)
        self._functions = FunctionCalls(context, module_owners, self._attempts)
        self._assembler = Assembler(context, module_owners, self._functions)
        self._sites_in: dict[Unit, list[Place]] = defaultdict(list)

    def add(self, site: Site, codemod: Callable[..., object], applicability: Applicability) -> None:
        """Try to rewrite a site."""
        self.outcomes[site.place] = self._attempts.attempt(site, codemod, applicability)
        self._sites_in[site.unit].append(site.place)

    def add_helpers(self) -> None:
        """Plan every call of a function that runs operations, and settle which functions become modules."""
        self._functions.plan()
        for table in (self.outcomes, self._functions.outcomes):
            for place, outcome in table.items():
                if isinstance(outcome, Rewrite) and (doubts := tuple(self._doubts_of_listings(outcome))):
                    unsafe, every = Applicability.UNSAFE, (*outcome.doubts, *doubts)
                    table[place] = replace(outcome, doubts=every, applicability=unsafe)
        self._functions.settle(self.outcomes)

    def _doubts_of_listings(self, rewrite: Rewrite) -> Iterator[Doubt]:
        """Doubts about the lists of children that must leave out what a rewrite adds."""
        for place in sorted(rewrite.listings):
            listing = self.outcomes.get(place)
            if isinstance(listing, Rewrite):
                yield from listing.doubts
            else:
                yield Doubt("children are listed here, and the list cannot be rewritten", place)

    def group(self, place: Place) -> frozenset[Place]:
        """The sites that change together: in a class, lists of its children; in a function, all that it touches."""
        outcome = self.outcomes[place]
        if isinstance(outcome, Rejection):
            return frozenset((place,))
        if outcome.unit.is_class:
            return frozenset((place, *outcome.listings))
        units, waiting = {outcome.unit}, [outcome.unit]
        while waiting:
            callers = {
                self.context.facts.helpers[call].unit for call in self._functions.calls_of.get(waiting.pop(), ())
            }
            more = {unit for unit in callers if not unit.is_class} - units
            units |= more
            waiting += more
        sites = (site for unit in units for site in self._sites_in.get(unit, ()))
        return frozenset(site for site in sites if isinstance(self.outcomes[site], Rewrite))

    def assemble(self, chosen: Iterable[Place]) -> dict[str, list[Piece]]:
        """The pieces that rewrite the chosen sites, by module."""
        outcomes = map(self.outcomes.get, chosen)
        rewrites = (outcome for outcome in outcomes if isinstance(outcome, Rewrite))
        return self._assembler.assemble(rewrites, self.outcomes)

    def repeat(self, module: str, attribute: str) -> bool:
        """Give an attribute that this plan makes an instance per call: it runs more often than the source shows."""
        for table, place in self._declaring.get((module, attribute), ()):
            outcome = table[place]
            if isinstance(outcome, Rewrite) and self._wrap(table, outcome, attribute):
                return True
        return False

    @cached_property
    def _declaring(self) -> Mapping[tuple[str, str], Sequence[tuple[dict[Place, Rewrite | Rejection], Place]]]:
        """The rewrites of this plan by the file that they stand in and the attributes that they make."""
        found: dict[tuple[str, str], list[tuple[dict[Place, Rewrite | Rejection], Place]]] = defaultdict(list)
        for table in (self.outcomes, self._functions.outcomes):
            for place, outcome in table.items():
                for declaration in outcome.declarations if isinstance(outcome, Rewrite) else ():
                    found[place.module, declaration.name].append((table, place))
        return found

    def _wrap(self, table: dict[Place, Rewrite | Rejection], rewrite: Rewrite, attribute: str) -> bool:
        wrapped = [
            d for d in rewrite.declarations if d.name == attribute and d.after is None and OWNER not in d.expression
        ]
        index = self.context.project.index(rewrite.place.module) if wrapped else None
        if index is None:
            return False
        target = self.context.target_of(index.name)
        if not target.is_own:
            table[rewrite.place] = Rejection(
                f"it runs more than once: {target.name} has no module for that", RejectionCode.NO_MODULE
            )
            return True
        text, needed = imports.imported(index, imports.RUNTIME, "PerCall", self.context.starred(index.name))
        declarations = tuple(
            replace(d, expression=f"{text}({d.expression}, owner={OWNER})") if d in wrapped else d
            for d in rewrite.declarations
        )
        added = frozenset((index.name, entry) for entry in needed)
        table[rewrite.place] = replace(rewrite, declarations=declarations, imports=rewrite.imports | added)
        return True
