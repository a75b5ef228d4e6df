from __future__ import annotations

from dataclasses import replace

import pytest

from qprep.cli.reporters import Report, Sources, render
from qprep.foundation.findings import Finding, Position
from tests.report.conftest import place

FULL = """\
QP201 `a * b` is 100% <bare>, ␛[1m&␀
 --> odd, 100%.py:1:13
  |
1 | é = '漢字' + (a *
  |               ^^^
2 |     b)  # ü
  |     ^
3 | z = a - b
  |
help: wrap it
note: not fixed: a product has none

QP102 `a` is bare
 --> odd, 100%.py:3:5
  |
1 | é = '漢字' + (a *
2 |     b)  # ü
3 | z = a - b
  |     ^^^^^
  |
help: wrap it
  |
2 |       b)  # ü
    - z = a - b
3 | + z = s()
  |
note: this fix is unsafe: look at what it changes before you apply it with --unsafe-fixes

QP001 invalid syntax
 --> pkg/broken.py:1:1
  |
1 | x = (
  | ^
2 |
  |

QP101 [*] `a` is bare
 --> pkg/plain.py:5:12
  |
3 |
4 | def f(a, b):
5 |     return a + b
  |            ^^^^^
6 |
7 |
  |
help: wrap it
  |
1 | + import new
2 |   import m
3 |
...
5 |   def f(a, b):
    -     return a + b
6 | +     return add(a, b)
7 |
  |
  --> odd, 100%.py
  |
    - é = '漢字' + (a *
1 | + e = '漢字' + (a *
2 |       b)  # ü
  |
note: mind the step

QP003 the file cannot be read: Permission denied
 --> pkg/secret.py:1:1

Found 5 findings.
[*] 1 fixable with `qprep fix`; 1 finding has an unsafe fix: --verify TARGET proves, --unsafe-fixes applies it.
"""


UNSAFE = "1 finding has an unsafe fix: --verify TARGET proves, --unsafe-fixes applies it."


def test_full(report: Report) -> None:
    assert render("full", report) == FULL


def test_concise(report: Report) -> None:
    assert render("concise", report).splitlines() == [
        "odd, 100%.py:1:13: QP201 `a * b` is 100% <bare>, ␛[1m&␀",
        "odd, 100%.py:3:5: QP102 `a` is bare",
        "pkg/broken.py:1:1: QP001 invalid syntax",
        "pkg/plain.py:5:12: QP101 [*] `a` is bare",
        "pkg/secret.py:1:1: QP003 the file cannot be read: Permission denied",
        "Found 5 findings.",
        f"[*] 1 fixable with `qprep fix`; {UNSAFE}",
    ]


def test_grouped(report: Report) -> None:
    text = render("grouped", replace(report, fixed=2))
    assert text.startswith("odd, 100%.py:\n  1:13 QP201 `a * b` is")
    assert "       not fixed: a product has none\n  3:5  QP102 `a` is bare\n" in text
    assert text.endswith(f"\nFound 7 findings (2 fixed, 5 remaining).\n[*] 1 fixable with `qprep fix`; {UNSAFE}\n")


@pytest.mark.parametrize("name", ["full", "concise", "grouped"])
def test_clean(clean: Report, name: str) -> None:
    assert render(name, clean) == "All checks passed!\n"
    assert render(name, replace(clean, footer=False)) == ""
    assert render(name, replace(clean, fixed=1)) == "Found 1 finding (1 fixed, 0 remaining).\n"


def test_unknown_places_are_counted(clean: Report) -> None:
    unknown = "1 operation on values of unknown kind (--trace settles them, --show-unknown lists them)"
    assert render("concise", replace(clean, unknown=1)) == f"No findings, but {unknown}.\n"
    assert render("concise", replace(clean, unknown=1, fixed=1)).startswith(
        f"Found 1 finding (1 fixed, 0 remaining), and {unknown}."
    )


@pytest.mark.parametrize("name", ["full", "concise", "grouped"])
def test_colours_change_no_text(report: Report, name: str) -> None:
    import re

    painted = render(name, replace(report, color=True))
    assert "\x1b[" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == render(name, report)


def test_long_findings_show_their_ends() -> None:
    text = "x = [\n" + "".join(f"    {number},\n" for number in range(30)) + "]\n"
    found = replace(place("a.py", text, text.strip()), message="long", help="")
    shown = render("full", Report((found,), {}, Sources({"a.py": text.encode()}), footer=False))
    assert " 6 |     4,\n   |     ^^\n...\n28 |     26,\n" in shown
    assert shown.count("\n") < 35
    assert "32 | ]\n   | ^\n" in shown


def test_a_finding_beyond_the_end_of_a_file_that_shrank(clean: Report) -> None:
    found = Finding("QP101", "tensor-add", "m", "", "a.py", Position(9, 1), Position(9, 2), (9, 9))
    report = replace(clean, findings=(found,), sources=Sources({"a.py": b"x\n"}))
    assert " --> a.py:9:1\n" in render("full", report)
