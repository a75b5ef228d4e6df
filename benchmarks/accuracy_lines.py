"""Source lines where something happens or is reported, with what, and why a line may be missed."""

from __future__ import annotations

import ast
import functools
import pathlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from accuracy_truth import Line, Model, Truth

from qprep.analysis.facts import HeldFunction
from qprep.engine.runtime_evidence.reconcile import held_calls
from qprep.engine.runtime_evidence.run_lookup import Range, Run, Runs, range_of, real_path
from qprep.engine.snapshot import Survey
from qprep.foundation.findings import Finding
from qprep.tracing.trace_values import OpEvent, ReusedModule

_OPERATORS = (ast.BinOp, ast.AugAssign, ast.UnaryOp)


@dataclass
class Lines:
    """Rules and what is to be said, by line; `ran` are those that some model evaluates."""

    rules: dict[Line, str] = field(default_factory=dict)
    notes: dict[Line, str] = field(default_factory=dict)
    ran: set[Line] = field(default_factory=set)
    ranges: dict[Line, Range] = field(default_factory=dict)
    reused: dict[Line, frozenset[Line]] = field(default_factory=dict)  # a line that stands for all lines of one reuse

    def about(self, line: Line) -> str:
        """The event at a line, and the line itself."""
        return f"{self.notes.get(line, '')} | `{_text(line[0])[line[1] - 1].strip()[:110]}`"

    def why(self, line: Line, survey: Survey) -> str:
        """The cause of a miss, as far as the facts of the analysis tell it."""
        if line in self.reused:
            return "reuse"
        facts, names = survey.analysis.facts, {real_path(str(p)): name for name, p in survey.project.given.items()}
        module = names.get(line[0])
        here = [place for place in facts.unknown if place.module == module and place.line == line[1]]
        if here:
            return "value of unknown kind"
        if any(place.module == module and place.line == line[1] for place in facts.ops):
            return "taken as owned, or reported elsewhere"
        function = _function(line)
        entered = {name for unit, name in facts.entered if unit.module == module}
        if function and not any(name == function or name.endswith(f".{function}") for name in entered):
            return "function never entered"
        return "no operation seen"


def true_lines(truth: Truth) -> Lines:
    """Every line of the package where a model runs an unowned operation or a leaf module again."""
    lines = Lines()
    files = frozenset(truth.files)
    for model in truth.models:
        for event in model.report.unowned:
            for line in _op_lines(event, model, files):
                lines.rules.setdefault(line, _rule(event))
                lines.notes.setdefault(line, f"{event.op} in {model.name}: {event.module_path} ({event.module_class})")
        for reused in model.report.reused:
            _add_reuse(lines, reused, model, files)
    return lines


def _op_lines(event: OpEvent, model: Model, files: frozenset[str]) -> Iterator[Line]:
    if event.op.startswith("nn."):  # counts where it is made, as that is what has to change
        yield from model.made.get(event.module_path, ())[:1]
    elif event.path is not None and real_path(event.path) in files:
        yield real_path(event.path), event.line


def _add_reuse(lines: Lines, reused: ReusedModule, model: Model, files: frozenset[str]) -> None:
    """One reuse is one line, found where a place is reported that runs, makes or stores the module or one around it."""
    sites = [(real_path(site.path), site.line) for site in reused.sites if real_path(site.path) in files]
    if not sites:
        return
    rule = "QP202" if reused.has_parameters else "QP201"
    line = sites[-1]
    lines.reused[line] = lines.reused.get(line, frozenset()) | {
        *sites,
        *model.made.get(reused.module_path, ()),
        *model.around.get(reused.module_path, ()),
    }
    lines.rules.setdefault(line, rule)
    what = f"{reused.module_class} {reused.module_path} ×{reused.calls}"
    also = f" = {', '.join(reused.aliases)}" if reused.aliases else ""
    lines.notes.setdefault(line, f"{what}{also} in {model.name}, at lines {sorted(number for _, number in set(sites))}")


def found_lines(survey: Survey, runs: Sequence[Run], truth: Lines) -> Lines:
    """Every line that is reported; a reuse reported at another of its places counts at the line that stands for it."""
    lines, seen = Lines(), Runs(runs)
    stands_for = defaultdict(list)
    for line, others in truth.reused.items():
        for other in others:
            stands_for[other].append(line)
    for reported in survey.reported:
        finding = reported.finding
        path, where = real_path(finding.path), range_of(finding)
        calls = _calls(survey, finding)
        own = [(path, where.line)]
        if finding.code in ("QP201", "QP202", "QP203", "QP210"):
            own = stands_for.get(own[0], own)
        elif finding.code == "QP303":
            own = [(path, call.line) for call in calls if (path, call.line) in truth.rules] or own
        for line in own:
            lines.rules.setdefault(line, finding.code)
            lines.notes.setdefault(line, finding.message)
            if any(seen.did_run(path, each) for each in (where, *calls)):
                lines.ran.add(line)
    return lines


def _calls(survey: Survey, finding: Finding) -> tuple[Range, ...]:
    """The call of the function whose storing the finding reports."""
    site = survey.sites.get(finding)
    if not isinstance(site, HeldFunction):
        return ()
    code = survey.context.code(site.place.module)
    return held_calls(code, site, survey.analysis.facts) if code is not None else ()


def _rule(event: OpEvent) -> str:
    """The rule that reports such an expression."""
    if event.op.startswith("nn."):
        return "QP401"
    node = _nodes(event.path or "").get((event.line, event.column, event.end_line, event.end_column))
    if isinstance(node, _OPERATORS):
        return "QP102" if any(isinstance(each, ast.Constant) for each in ast.iter_child_nodes(node)) else "QP101"
    if not isinstance(node, ast.Call):
        return "other"
    name = ast.unparse(node.func)
    if name.startswith(("F.", "nn.functional.", "torch.nn.functional.")):
        return "QP301"
    return "QP103" if name.startswith("torch.") else "QP104" if "." in name else "QP105"


@functools.cache
def _text(path: str) -> list[str]:
    return pathlib.Path(path).read_text(encoding="utf-8").splitlines()


@functools.cache
def _nodes(path: str) -> Mapping[tuple[int, int, int, int], ast.AST]:
    """Expressions by 1-based range; the sources of the packages are ASCII where operations stand."""
    found: dict[tuple[int, int, int, int], ast.AST] = {}
    for node in _walk(path):
        if isinstance(node, ast.expr | ast.AugAssign):
            key = (node.lineno, node.col_offset + 1, node.end_lineno or 0, (node.end_col_offset or 0) + 1)
            found.setdefault(key, node)
    return found


def _function(line: Line) -> str:
    """The innermost named function around a line."""
    around = [
        node
        for node in _walk(line[0])
        if isinstance(node, ast.FunctionDef) and node.lineno <= line[1] <= (node.end_lineno or 0)
    ]
    return max(around, key=lambda node: node.lineno).name if around else ""


@functools.cache
def _walk(path: str) -> Sequence[ast.AST]:
    return list(ast.walk(ast.parse("\n".join(_text(path)))))
