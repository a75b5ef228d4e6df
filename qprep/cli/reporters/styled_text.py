"""Pieces that the human formats share: styled text, the mark of fixable findings, the summary."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from qprep.cli.reporters.report_data import Report
from qprep.foundation.findings import Applicability, Finding, Fix, Rejection

Piece = tuple[str, str]  # (text, style as rich names it; "" for none)
Line = Sequence[Piece]

CODE, PATH, FRAME, FIXABLE, BOLD = "bold red", "bold", "blue", "cyan", "bold"
HELP, NOTE, ADDED, REMOVED = "bold cyan", "bold", "green", "red"
_TAB = "    "
_BREAK = re.compile(r"\s*[\r\n]\s*")


def paint(lines: Iterable[Line], *, color: bool) -> str:
    """Join lines, each ended by a newline; rich is loaded only for colours."""
    if not color:
        return "".join("".join(text for text, _ in line) + "\n" for line in lines)
    import io

    from rich.console import Console
    from rich.text import Text

    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system="standard", soft_wrap=True, highlight=False)
    for line in lines:
        console.print(Text.assemble(*line), soft_wrap=True)
    return stream.getvalue()


def visible(text: str) -> str:
    """Source text as it can be shown on one line: tabs widened, control characters as their pictures."""
    return "".join(_picture(char) for char in text)


def one_line(text: str) -> str:
    """A message or a path on one line: it may quote source with newlines and control characters in it."""
    return visible(_BREAK.sub(" ", text))


def place(finding: Finding) -> str:
    """`path:line:column`, which terminals make clickable."""
    return f"{one_line(finding.path)}:{finding.start.line}:{finding.start.column}"


def width(text: str) -> int:
    """The number of columns of a terminal that visible text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def headline(finding: Finding, report: Report) -> list[Piece]:
    """`CODE [*] message`."""
    mark: list[Piece] = [("[*] ", FIXABLE)] if applies(finding, report) else []
    return [(finding.code, CODE), (" ", ""), *mark, (one_line(finding.message), "")]


def applies(finding: Finding, report: Report) -> bool:
    """True if `qprep fix`, with the flags of this run, fixes it."""
    safe = isinstance(finding.fix, Fix) and finding.fix.applicability is Applicability.SAFE
    return finding.is_fixable and (safe or report.unsafe)


def why_left(finding: Finding, report: Report) -> str | None:
    """The reason why a finding stays; None if a flag of the command fixes it."""
    if isinstance(finding.fix, Rejection):
        return one_line(finding.fix.reason)
    if finding.is_fixable and not applies(finding, report):
        return "its fix is unsafe; --verify TARGET proves, --unsafe-fixes applies it"
    return None


def summary(report: Report) -> list[Line]:
    """The lines below the findings."""
    if not report.footer:
        return []
    is_clean = not report.findings and not report.unknown
    lines: list[Line] = [[(outcome(report), "bold green" if is_clean else BOLD)]]
    lines += [[(line, "")] for line in _remedies(report)]
    if report.known:
        lines.append([(f"{plural(report.known, 'finding')} of the baseline left out.", "")])
    return lines


def plural(count: int, noun: str) -> str:
    """ "1 finding", "2 findings"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def outcome(report: Report) -> str:
    """The summary of a run in one line; it never leaves out places of unknown kind."""
    left = len(report.findings)
    unknown = ""
    if report.unknown:
        places = plural(report.unknown, "operation")
        unknown = f"{places} on values of unknown kind (--trace settles them, --show-unknown lists them)"
    if report.fixed:
        counted = f"Found {plural(left + report.fixed, 'finding')} ({report.fixed} fixed, {left} remaining)"
    elif left:
        counted = f"Found {plural(left, 'finding')}"
    elif unknown:
        return f"No findings, but {unknown}."
    else:
        return "All checks passed!"
    return f"{counted}, and {unknown}." if unknown else f"{counted}."


def _remedies(report: Report) -> list[str]:
    fixes = [finding.fix for finding in report.findings if isinstance(finding.fix, Fix)]
    unsafe = sum(fix.applicability is Applicability.UNSAFE for fix in fixes)
    safe = len(fixes) - unsafe
    if report.unsafe:
        safe, unsafe = len(fixes), 0
    if not safe and not unsafe:
        return []
    if not unsafe:
        return [f"[*] {safe} fixable with `qprep fix`."]
    those = "finding has an unsafe fix" if unsafe == 1 else "findings have unsafe fixes"
    them = "it" if unsafe == 1 else "them"
    more = f"{unsafe} {those}: --verify TARGET proves, --unsafe-fixes applies {them}."
    return [more] if report.fixed is not None and not safe else [f"[*] {safe} fixable with `qprep fix`; {more}"]


def _picture(char: str) -> str:
    if char == "\t":
        return _TAB
    if char < " ":
        return chr(0x2400 + ord(char))
    return "\u2421" if char == "\x7f" or unicodedata.category(char) in ("Cc", "Zl", "Zp") else char


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Cf", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
