"""A small engine that answers as the real one: every `a + b` of names is a finding whose fix calls `add(a, b)`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from qprep.engine.baseline import Baseline
from qprep.engine.config.settings import Settings, SettingsResolver
from qprep.engine.results import ChangedFile, CheckResult, FixResult
from qprep.engine.suppressions import judge
from qprep.foundation.file_transaction.replace_files import Replacement, replace_files
from qprep.foundation.findings import Applicability, Edit, Finding, Fix, Rejection, Rule, Severity
from qprep.foundation.internal_rules import ENGINE_RULES
from qprep.foundation.source import SourceError, SourceFile, display_path
from qprep.foundation.text_edits import apply_fixes

ADD = Rule("QP101", "tensor-add", "An addition without a module", "Additions need a module of their own.")
SUB = Rule("QP102", "tensor-sub", "A subtraction without a module", "Its fix is unsafe here.", Severity.ERROR)
MUL = Rule("QP201", "tensor-mul", "A product without a module", "It has no fix here.", fixable=False)
RULES = (*ENGINE_RULES, ADD, SUB, MUL)
_BY_OPERATOR: dict[type[ast.operator], Rule] = {ast.Add: ADD, ast.Sub: SUB, ast.Mult: MUL}


def check(
    paths: Sequence[Path],
    settings: SettingsResolver,
    *,
    overlay: Mapping[str, bytes] | None = None,
    observe: object = None,
    effort: object = None,
    beside: Sequence[Path] = (),
) -> CheckResult:
    assert observe is None
    findings = [finding for path in paths for finding in _check_file(_read(path, overlay), settings)]
    return CheckResult(tuple(sorted(findings, key=lambda item: item.sort_key)), len(paths))


def fix(
    paths: Sequence[Path],
    settings: SettingsResolver,
    *,
    write: bool,
    overlay: Mapping[str, bytes] | None = None,
    observe: object = None,
    prove: object = None,
    effort: object = None,
    baseline: Baseline | None = None,
    beside: Sequence[Path] = (),
) -> FixResult:
    assert observe is None
    assert prove is None
    before: list[Finding] = []
    fixed: list[Finding] = []
    remaining: list[Finding] = []
    changed: list[ChangedFile] = []
    for path in paths:
        source = _read(path, overlay)
        found = list(_check_file(source, settings))
        before += found
        if isinstance(source, Finding):
            remaining += found
            continue
        known = baseline.known(found, overlay or {}) if baseline is not None else ()
        ready = [f for f in found if f not in known and _wanted(f, settings.for_file(path))]
        text = apply_fixes({source.path: source.text}, _fixes(ready)).texts.get(source.path, source.text)
        fixed += ready
        data = source.encode(text)
        remaining += _check_file(SourceFile.from_bytes(path, data), settings)
        if text != source.text:
            changed.append(ChangedFile(source.path, source, text))
            if write:
                replace_files([Replacement(path, data, source.data)])
    return FixResult(tuple(before), tuple(fixed), tuple(remaining), tuple(changed), (), len(paths))


def _fixes(findings: list[Finding]) -> list[Fix]:
    return [finding.fix for finding in findings if isinstance(finding.fix, Fix)]


def _wanted(finding: Finding, settings: Settings) -> bool:
    if not isinstance(finding.fix, Fix) or finding.code not in settings.fixable:
        return False
    return settings.unsafe_fixes or finding.fix.applicability is Applicability.SAFE


def _read(path: Path, overlay: Mapping[str, bytes] | None) -> SourceFile | Finding:
    data = (overlay or {}).get(display_path(path))
    try:
        return SourceFile.read(path) if data is None else SourceFile.from_bytes(path, data)
    except SourceError as error:
        return error.finding


def _check_file(source: SourceFile | Finding, settings: SettingsResolver) -> Iterator[Finding]:
    if isinstance(source, Finding):
        yield source
        return
    try:
        tree = source.parse()
    except SourceError as error:
        yield error.finding
        return
    enabled = settings.for_file(source.path).enabled_for(source.path)
    found = [item for item in _operations(source, tree) if item.code in enabled]
    yield from found if settings.ignore_suppressions else judge(source, found, RULES, enabled).kept


def _operations(source: SourceFile, tree: ast.Module) -> Iterator[Finding]:
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not hasattr(node, "body")]
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.BinOp) and type(node.op) in _BY_OPERATOR:
                yield _finding(source, node, (statement.lineno, statement.end_lineno or statement.lineno))


def _finding(source: SourceFile, node: ast.BinOp, statement: tuple[int, int]) -> Finding:
    rule = _BY_OPERATOR[type(node.op)]
    start, end = source.span(node)
    left, right = (source.text[slice(*source.span(part))] for part in (node.left, node.right))
    safe = Applicability.SAFE if rule is ADD else Applicability.UNSAFE
    edits = (Edit(source.path, start, end, f"{rule.name.split('-')[1]}({left}, {right})"),)
    return Finding(
        code=rule.code,
        name=rule.name,
        message=f"`{source.text[start:end]}` has no module of its own",
        help="give it one",
        path=source.path,
        start=source.position(start),
        end=source.position(end),
        statement=statement,
        severity=rule.severity,
        fix=Rejection("a product is beyond this engine") if rule is MUL else Fix(safe, "Call a module", edits),
    )
