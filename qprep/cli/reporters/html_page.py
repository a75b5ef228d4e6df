"""`--report`: one self-contained page of a check, to look at together: counts, files, classes, diffs, reasons."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from qprep.cli.reporters.enclosing_names import Enclosing, enclosing, scopes_of
from qprep.cli.reporters.fix_diff import fix_diff
from qprep.cli.reporters.html_style import STYLE
from qprep.cli.reporters.report_data import Report
from qprep.cli.reporters.styled_text import ADDED, REMOVED, plural, visible
from qprep.foundation.findings import Applicability, Finding, Fix, Rejection
from qprep.foundation.version import __version__

_CLASSES = {ADDED: "added", REMOVED: "removed"}


def render(report: Report, settings: str = "") -> str:
    """Return the page; it loads nothing and runs no script. `settings` names the file that they are from."""
    made = ", ".join(filter(None, (f"qprep {__version__}", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", settings)))
    body = (
        f"<h1>qprep check</h1><p class=dim>{escape(made)}</p>{_cards(report)}{_rules(report)}"
        f"{_reasons(report.findings)}<h2>Files</h2>{''.join(_files(report)) or '<p>No findings.</p>'}"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>qprep check</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><main>{body}</main></body></html>\n"
    )


def _cards(report: Report) -> str:
    states = Counter(map(_state, report.findings))
    files = len({finding.path for finding in report.findings})
    cards = [
        (len(report.findings), "findings"),
        (files, "files with findings"),
        (states["safe"], "with a safe fix"),
        (states["unsafe"], "with an unsafe fix"),
        (states["declined"], "without a fix"),
    ]
    if report.known:
        cards.append((report.known, "in the baseline"))
    items = "".join(f"<div><b>{count:,}</b> {label}</div>" for count, label in cards)
    return f"<div class=cards>{items}</div>"


def _state(finding: Finding) -> str:
    if isinstance(finding.fix, Fix):
        return "safe" if finding.fix.applicability is Applicability.SAFE else "unsafe"
    return "declined"


def _rules(report: Report) -> str:
    """Counts by rule; `left` is what `qprep fix` would leave."""
    counts = Counter(finding.code for finding in report.findings)
    left = Counter(finding.code for finding in report.findings if _state(finding) != "safe")
    if not counts:
        return ""
    most = max(counts.values())
    rows = "".join(
        f"<tr><td><code>{code}</code><td>{_code(report.rules[code].summary)}"
        f"<td class=number>{count:,}<td class=number>{left[code]:,}"
        f'<td class=wide><i style="width:{100 * count / most:.0f}%"></i>'
        for code, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    )
    return (
        "<h2>Rules</h2><table><tr><th>rule<th>meaning<th class=number>findings<th class=number>left after a safe fix"
        f"<th class=wide>{rows}</table>"
    )


def _reasons(findings: Sequence[Finding]) -> str:
    counts = Counter(
        (finding.fix.code.value, finding.fix.reason) for finding in findings if isinstance(finding.fix, Rejection)
    )
    if not counts:
        return ""
    rows = "".join(
        f"<tr><td>{_code(reason)}<td>{escape(code)}<td class=number>{count:,}"
        for (code, reason), count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    )
    head = "<tr><th>reason<th>kind<th class=number>findings"
    return f"<h2>Reasons for findings without a fix</h2><table>{head}{rows}</table>"


def _files(report: Report) -> Iterator[str]:
    for path, group in itertools.groupby(report.findings, key=lambda finding: finding.path):
        findings = list(group)
        source = report.sources.get(path)
        scopes = scopes_of(source.text) if source is not None else ()
        placed = [(enclosing(scopes, finding.start.line), finding) for finding in findings]
        classes = "".join(_classes(placed, report))
        yield (
            f"<details open><summary><b>{escape(visible(path))}</b> "
            f"<span class=dim>{plural(len(findings), 'finding')}</span></summary>{classes}</details>"
        )


def _classes(placed: Iterable[tuple[Enclosing, Finding]], report: Report) -> Iterator[str]:
    by_class: dict[str, list[tuple[Enclosing, Finding]]] = {}
    for names, finding in placed:
        by_class.setdefault(names.cls, []).append((names, finding))
    for name, items in by_class.items():
        title = f"class <code>{escape(name)}</code>" if name else "outside of classes"
        findings = "".join(_finding(names, finding, report) for names, finding in items)
        yield (
            f"<details open class=inner><summary>{title} <span class=dim>{plural(len(items), 'finding')}</span>"
            f"</summary>{findings}</details>"
        )


def _finding(names: Enclosing, finding: Finding, report: Report) -> str:
    where = f"line {finding.start.line}" + (f", in <code>{escape(names.function)}</code>" if names.function else "")
    notes = "".join(f"<p class=note>{_code(note)}</p>" for note in finding.notes)
    return (
        f"<article class={_state(finding)}><p><code class=rule>{finding.code}</code> {_code(finding.message)} "
        f"<span class=dim>{where}</span></p>{_source(finding, report)}{notes}{_fix(finding, report)}</article>"
    )


def _source(finding: Finding, report: Report) -> str:
    source = report.sources.get(finding.path)
    lines = source.text.splitlines() if source is not None else []
    if not 0 < finding.start.line <= len(lines):
        return ""
    return f"<pre>{escape(visible(lines[finding.start.line - 1].strip()))}</pre>"


def _fix(finding: Finding, report: Report) -> str:
    if not isinstance(finding.fix, Fix):
        return f"<p>Not fixed: {_code(finding.fix.reason)}</p>" if isinstance(finding.fix, Rejection) else ""
    lines = "\n".join(
        "".join(
            f"<span class={_CLASSES[style]}>{escape(text)}</span>" if style in _CLASSES else escape(text)
            for text, style in line
        )
        for line in fix_diff(finding.fix, finding.path, report.sources)
    )
    kind = "Safe" if finding.fix.applicability is Applicability.SAFE else "Unsafe"
    return f"<details><summary>{kind} fix: {_code(finding.help)}</summary><pre>{lines}</pre></details>"


def _code(text: str) -> str:
    """Escaped text with `code` in backquotes as code."""
    parts = visible(" ".join(text.split())).split("`")
    if len(parts) % 2 == 0:
        return escape("`".join(parts))
    return "".join(f"<code>{escape(part)}</code>" if index % 2 else escape(part) for index, part in enumerate(parts))
