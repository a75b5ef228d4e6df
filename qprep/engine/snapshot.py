"""One look at a set of files: what they are, what was found in them, and what could be rewritten."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from qprep.analysis.collectors.compound_modules import find_compounds
from qprep.analysis.collectors.tied_parameters import find_tied
from qprep.analysis.collectors.unregistered_layers import find_unregistered
from qprep.analysis.dependencies.topological_order import users_first
from qprep.analysis.eager.collect import find_eager, find_unprepared
from qprep.analysis.effects.child_iteration import add_visits, find_walks
from qprep.analysis.effects.effect_table import EffectTable
from qprep.analysis.inputs import Files, Setting
from qprep.analysis.interpreter.interpreter import ProjectAnalysis
from qprep.analysis.symbols.module_resolver import Project
from qprep.engine.results import is_applicable
from qprep.engine.runtime_evidence.reconcile import proven, weigh
from qprep.engine.runtime_evidence.run_rules import RUN_CODES
from qprep.engine.suppressions import judge
from qprep.foundation import gc_pause
from qprep.foundation.catalogue.op import Op
from qprep.foundation.catalogue.targets import OWN, Target
from qprep.foundation.findings import Finding, Fix, Position, Rejection, RejectionCode, Severity
from qprep.foundation.internal_rules import UNREADABLE_FILE, engine_finding
from qprep.foundation.source import SourceError, SourceFile, display_path, too_deep
from qprep.rewriting.composed_edits import to_edits
from qprep.rewriting.fix_session import RewriteContext
from qprep.rewriting.planner import Plan
from qprep.rewriting.rewrite_result import Rewrite
from qprep.rewriting.source_code import Code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from qprep.analysis.places import Place
    from qprep.analysis.sites import Site
    from qprep.analysis.symbols.module_summary import ModuleSummary
    from qprep.checks.base import Check, Hit
    from qprep.engine.config.settings import SettingsResolver
    from qprep.engine.runtime_evidence.observer import Observe
    from qprep.rewriting.composed_edits import Piece


MAX_DOUBTS = 3  # lines to blame that a note names; one is enough to look at first


@dataclass(frozen=True, slots=True)
class Reported:
    """A finding with the site behind it; `enabled` says whether its rule is on and no comment suppresses it."""

    finding: Finding
    place: Place | None


class Survey:
    """Findings and possible rewrites of one state of the files."""

    def __init__(
        self,
        paths: Sequence[Path],
        settings: SettingsResolver,
        overlay: Mapping[str, bytes],
        observe: Observe | None = None,
        setting: Setting | None = None,
    ) -> None:
        self.setting = setting or Setting()
        self.files = Files(overlay, self.setting.broken)
        self.settings = settings
        self.observe = observe
        self.witness = observe(overlay) if observe is not None else None
        self.sites: dict[Finding, Site] = {}
        self.faults: list[Finding] = []
        self.paths = tuple(paths)
        mine = frozenset(self.paths)
        every = [*self.paths, *(path for path in self.setting.context if path not in mine)]
        self.project = Project(self.files.text, every, self.setting.parsed, self._summary)
        # The modules that are reported and changed; the project's other given ones are looked at for their sake.
        self.own = {name: path for name, path in self.project.given.items() if path in mine}
        self.reported: list[Reported] = []
        self.unknown: list[Finding] = []
        self.statements: dict[Place, tuple[int, int]] = {}
        self._begun = ""
        with gc_pause.paused():
            self._run()

    def _run(self) -> None:
        names = users_first(self.project)
        self.analysis = ProjectAnalysis(self.project, self._rows())
        self.analysis.proven = proven(self.witness, self.project.given, self.files.source)
        self.analysis.with_losses = frozenset(
            name for name, path in self.project.given.items() if self.settings.for_file(path).include_losses
        )
        facts = self.analysis.run(self._telling(names))
        self._read_faults()
        self._read_depths()
        for name in names:  # one file after another, since not all of them are held parsed
            find_compounds(self.analysis, [name])
            find_walks(self.analysis, [name])
            find_tied(self.analysis, [name])
        find_unregistered(self.analysis)
        effects = EffectTable(self.analysis)
        add_visits(self.analysis, effects)
        find_eager(self.analysis, names)
        find_unprepared(self.analysis, [name for name in names if self._target(name).is_eager])
        load = partial(_code, self.project, self.own, self.files)
        fixed = self.project.given.keys() - self.own.keys()
        self.context = RewriteContext(self.analysis, load, effects, self.setting.around, self._target, fixed)
        self.plan = Plan(self.context)
        hits = [(check, hit) for check in self.settings.registry.checks for hit in check.check(facts)]
        self._report([(check, hit) for check, hit in hits if hit.place.module in self.own])

    def _summary(self, name: str, path: Path) -> ModuleSummary | None:
        """The names of a module, unless its text is another by now."""
        if self.files.overlay and display_path(path) in self.files.overlay:
            return None
        return self.setting.summary(name, path)

    def _telling(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            self._tell(name)
            yield name

    def _tell(self, module: str) -> None:
        """The analysis of a file begins: a failure from here on is attributed to it."""
        if module != self._begun:
            self._begun = module
            self.setting.tell(display_path(self.project.given[module]))

    def _rows(self) -> tuple[Op, ...]:
        """The rows of the users' catalogues, of all files together."""
        found = [row for path in self.project.given.values() for row in self.settings.for_file(path).catalogue]
        return tuple(dict.fromkeys((*self.settings.registry.rows, *found)))

    def _target(self, module: str) -> Target:
        """The library whose modules the rewritten code of a file uses; other files use qprep's."""
        path = self.project.given.get(module)
        return self.settings.registry.targets[self.settings.for_file(path).target if path is not None else OWN]

    def _read_faults(self) -> None:
        """Files that could not be read or parsed: one finding each."""
        for name, path in self.own.items():
            if self.project.is_missing(name):
                self.faults.append(self._fault(path))

    def _read_depths(self) -> None:
        """Files whose nesting ended their analysis."""
        for name in sorted(self.analysis.too_deep & set(self.own)):
            self.faults.append(too_deep(display_path(self.project.given[name])))

    def _fault(self, path: Path) -> Finding:
        try:
            self.files.source(path).parse()
        except SourceError as error:
            return error.finding
        return engine_finding(UNREADABLE_FILE, display_path(path), "the file changed while it was being read")

    def _report(self, hits: list[tuple[Check, Hit]]) -> None:
        codemods = self.settings.registry.codemods
        hits.sort(key=lambda pair: (pair[1].place, pair[0].rule.code))
        for check, hit in hits:
            self._tell(hit.place.module)
            codemod = codemods.get(check.stem)
            if codemod is None:
                self.plan.outcomes[hit.place] = Rejection(_no_rewrite(check), RejectionCode.NO_MODULE)
            else:
                self.plan.add(hit.site, codemod.rewrite, codemod.applicability)
            self.statements[hit.place] = _statement(self.context.code(hit.place.module), hit.place)
        self.plan.add_helpers()
        if self.witness is not None:
            self.witness.hear(hit.site for _, hit in hits)
        by_module: dict[str, list[tuple[Check, Hit]]] = defaultdict(list)
        for check, hit in hits:
            by_module[hit.place.module].append((check, hit))
        for module in self.own:
            self._tell(module)
            self._report_file(module, by_module.get(module, []))

    def _report_file(self, module: str, hits: list[tuple[Check, Hit]]) -> None:
        path = self.project.given[module]
        enabled = self.settings.for_file(path).enabled_for(path)
        source = self._source(module)
        if source is None:
            return
        made = {self._finding(source, check, hit): hit.site for check, hit in hits}
        weighed = self._weighed(module, made)
        found = {finding: site for finding, site in weighed.items() if finding.code in enabled}
        self.sites.update({finding: site for finding, site in found.items() if site is not None})
        kept: Iterable[Finding] = found
        if not self.settings.ignore_suppressions:
            judged = enabled if self.witness is not None else enabled - RUN_CODES
            kept = judge(source, list(found), self.settings.rules, judged).kept
        for finding in kept:
            site = found.get(finding)
            self.reported.append(Reported(self._permitted(finding), site.place if site is not None else None))
        self.unknown += self._unknown_in(module, source)

    def _finding(self, source: SourceFile, check: Check, hit: Hit) -> Finding:
        outcome = self.plan.outcomes[hit.place]
        start, end = _positions(source, hit.place)
        fix = outcome if isinstance(outcome, Rejection) else Fix(outcome.applicability, outcome.message, ())
        rule = check.rule
        notes = (hit.note,) if hit.note else ()
        return Finding(
            rule.code,
            rule.name,
            hit.message,
            hit.help,
            source.path,
            start,
            end,
            self.statements[hit.place],
            rule.severity,
            fix,
            (*notes, *_doubts(self.project, outcome)),
        )

    def _permitted(self, finding: Finding) -> Finding:
        """The finding without its fix where the settings forbid that, so that nobody is promised it."""
        if isinstance(finding.fix, Fix) and finding.code not in self.settings.for_file(finding.path).fixable:
            return replace(
                finding,
                fix=Rejection(f"the settings (`fixable`, `unfixable`) exclude {finding.code}", RejectionCode.SETTING),
            )
        return finding

    def _source(self, module: str) -> SourceFile | None:
        """A given file that could be parsed; nothing is parsed again for it."""
        if self.project.is_missing(module):
            return None
        try:
            return self.files.source(self.project.given[module])
        except SourceError:
            return None

    def _weighed(self, module: str, made: Mapping[Finding, Site]) -> Mapping[Finding, Site | None]:
        """The findings of a file as runs of the models leave them."""
        if self.witness is None:
            return made
        code = _code(self.project, self.own, self.files, module)
        return weigh(self.witness, code, made, self.analysis.facts) if code is not None else made

    def _unknown_in(self, module: str, source: SourceFile) -> Iterator[Finding]:
        for unknown in self.analysis.facts.unknown_in(module):
            place = unknown.place
            start, end = _positions(source, place)
            message = f"`{unknown.symbol}` on values of unknown kind"
            statement = (place.line, place.end_line)
            yield Finding("QP100", "unknown-kind", message, "", source.path, start, end, statement)

    def edits(self, place: Place) -> tuple[tuple[str, list[Piece]], ...]:
        """The pieces that resolve one finding by itself, by module; what the settings leave alone stays."""
        return tuple(self.plan.assemble(self.plan.group(place) & self._fixable | {place}).items())

    @cached_property
    def _fixable(self) -> frozenset[Place]:
        """The places of findings that are reported and may be fixed."""
        return frozenset(
            r.place for r in self.reported if r.place is not None and is_applicable(r.finding, self.settings)
        )

    def findings(self) -> list[Finding]:
        """All findings, with their edits."""
        found: list[Finding] = []
        for reported in self.reported:
            if reported.place is not None:
                self._tell(reported.place.module)
            found.append(self.with_fix(reported))
        return found

    def with_fix(self, reported: Reported) -> Finding:
        """The finding with its edits, where it can be fixed."""
        finding, place = reported.finding, reported.place
        if place is None or not isinstance(finding.fix, Fix):
            return finding
        edits = [
            edit
            for module, pieces in self.edits(place)
            for edit in to_edits(display_path(self.project.given[module]), pieces)
        ]
        fix = Fix(finding.fix.applicability, finding.fix.message, tuple(edits))
        return replace(finding, fix=fix)


def _code(project: Project, own: Mapping[str, Path], files: Files, module: str) -> Code | None:
    """A file that may be changed, with its tree.

    A function, since a method kept by the context would keep the whole survey alive.
    """
    index = project.index(module)
    path = own.get(module)
    if index is None or path is None:
        return None
    try:
        return Code(files.source(path), index)
    except SourceError:
        return None


def _doubts(project: Project, outcome: Rewrite | Rejection) -> Iterator[str]:
    """The doubts about an unsafe rewrite, with the place of the code that causes it."""
    for doubt in outcome.doubts[:MAX_DOUBTS] if isinstance(outcome, Rewrite) else ():
        yield f"not proven: {doubt.reason} ({_where(project, doubt.place)})"


def _where(project: Project, place: Place) -> str:
    """A place as a note names it: path and line; the module's name where its file is not one of those given."""
    path = project.given.get(place.module)
    return f"{display_path(path) if path is not None else place.module}:{place.line}"


def _no_rewrite(check: Check) -> str:
    if check.rule.severity is Severity.INFO:
        return "it is informational; no fix changes it"
    return "no rewrite exists for this rule yet" if check.rule.fixable else "only you can decide what to change"


def _statement(code: Code | None, place: Place) -> tuple[int, int]:
    """First and last line of the logical statement: of a compound one, only as far as the expression goes."""
    node = code.node(place) if code is not None else None
    if code is None or node is None:
        return place.line, place.end_line
    statement = code.statement(node)
    last = place.end_line if hasattr(statement, "body") else statement.end_lineno or place.end_line
    return statement.lineno, last


def _positions(source: SourceFile, place: Place) -> tuple[Position, Position]:
    start = source.offset(place.line, place.column)
    end = source.offset(place.end_line, place.end_column)
    return source.position(start), source.position(end)
