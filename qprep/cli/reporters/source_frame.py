"""The frame of source around a finding, with carets under it."""

from __future__ import annotations

from qprep.cli.reporters.styled_text import CODE, FRAME, Line, place, visible, width
from qprep.foundation.findings import Finding
from qprep.foundation.source import SourceFile

_CONTEXT = 2
_MOST_LINES = 8  # of a finding over more lines, its first and last ones are shown


def code_frame(finding: Finding, source: SourceFile | None) -> list[Line]:
    """` --> path:line:column` and, where the source is at hand, the lines around with the finding underlined."""
    first, last = finding.start.line, finding.end.line
    if source is None or last > len(source.starts):
        return [[(" --> ", FRAME), (place(finding), "")]]
    numbers = _line_numbers(first, last, len(source.starts))
    gutter = len(str(numbers[-1]))
    lines: list[Line] = [[(f"{' ' * gutter}--> ", FRAME), (place(finding), "")], [(f"{' ' * gutter} |", FRAME)]]
    before = numbers[0] - 1
    for number in numbers:
        if number != before + 1:
            lines.append([("...", FRAME)])
        before = number
        text = source.line(number)
        lines.append([(f"{number:>{gutter}} |", FRAME), (f" {visible(text)}" if text else "", "")])
        if first <= number <= last:
            lines.append([(f"{' ' * gutter} |", FRAME), (f" {_carets(text, number, finding)}", CODE)])
    lines.append([(f"{' ' * gutter} |", FRAME)])
    return lines


def _line_numbers(first: int, last: int, count: int) -> list[int]:
    numbers = list(range(max(first - _CONTEXT, 1), min(last + _CONTEXT, count) + 1))
    if last - first < _MOST_LINES:
        return numbers
    half = _CONTEXT + _MOST_LINES // 2
    return numbers[:half] + numbers[-half:]


def _carets(text: str, number: int, finding: Finding) -> str:
    """Carets under the finding's part of a line, at least one."""
    indent = len(text) - len(text.lstrip())
    start = finding.start.column - 1 if number == finding.start.line else indent
    end = finding.end.column - 1 if number == finding.end.line else len(text)
    left = width(visible(text[:start]))
    return " " * left + "^" * max(width(visible(text[start:end])), 1)
