"""Findings of all kinds in files that hold what reports stumble over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qprep.cli.reporters import Report, Sources
from qprep.foundation.findings import Applicability, Edit, Finding, Fix, Rejection
from qprep.foundation.internal_rules import SYNTAX_ERROR, UNREADABLE_FILE, engine_finding
from qprep.foundation.source import SourceFile
from tests.fake_engine import ADD, MUL, RULES, SUB

PLAIN = "import m\n\n\ndef f(a, b):\n    return a + b\n\n\ny = 1\n"
ODD = "é = '漢字' + (a *\r\n\tb)  # ü\r\nz = a - b"


def place(path: str, text: str, part: str, rule: str = ADD.code) -> Finding:
    """A finding on the first place of `part` in a text."""
    source = SourceFile.from_bytes(path, text.encode())
    start, end = text.index(part), text.index(part) + len(part)
    known = next(item for item in RULES if item.code == rule)
    first, last = source.position(start), source.position(end)
    return Finding(
        known.code, known.name, f"`{part.split(maxsplit=1)[0]}` is bare", "wrap it", path, first, last,
        (first.line, last.line), known.severity,
    )  # fmt: skip


@pytest.fixture
def report() -> Report:
    add = place("pkg/plain.py", PLAIN, "a + b")
    at = PLAIN.index("a + b")
    edits = (
        Edit("pkg/plain.py", at, at + 5, "add(a, b)"),
        Edit("pkg/plain.py", 0, 0, "import new\n"),
        Edit("odd, 100%.py", 0, 1, "e"),
    )
    add = replace(add, fix=Fix(Applicability.SAFE, "Call a module", edits), notes=("mind the step",))
    odd = place("odd, 100%.py", ODD, "a *\r\n\tb", MUL.code)
    odd = replace(odd, fix=Rejection("a product has none"), message="`a *\n b` is 100% <bare>, \x1b[1m&\x00")
    sub = place("odd, 100%.py", ODD, "a - b", SUB.code)
    start = ODD.index("a - b")
    sub = replace(sub, fix=Fix(Applicability.UNSAFE, "Risk it", (Edit(sub.path, start, start + 5, "s()"),)))
    findings = (
        odd,
        sub,
        engine_finding(SYNTAX_ERROR, "pkg/broken.py", "invalid syntax"),
        add,
        engine_finding(UNREADABLE_FILE, "pkg/secret.py", "the file cannot be read: Permission denied"),
    )
    overlay = {"pkg/plain.py": PLAIN.encode(), "odd, 100%.py": ODD.encode(), "pkg/broken.py": b"x = (\n"}
    return Report(findings, {rule.code: rule for rule in RULES}, Sources(overlay))


@pytest.fixture
def clean() -> Report:
    return Report((), {rule.code: rule for rule in RULES}, Sources())
