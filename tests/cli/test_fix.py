from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qprep.engine.results import FixResult
from qprep.foundation.findings import Finding, Rejection
from tests import fake_engine
from tests.cli.conftest import Run


def test_fix_rewrites_and_exits_0_when_nothing_is_left(run: Run, folder: Path) -> None:
    (folder / "a.py").write_bytes(b"x = a + b\r\n")
    outcome = run("fix")
    assert outcome.code == 0
    assert outcome.out == "Found 1 finding (1 fixed, 0 remaining).\n"
    assert (folder / "a.py").read_bytes() == b"x = add(a, b)\r\n"
    again = run("fix")
    assert (again.code, again.out) == (0, "All checks passed!\n")


def test_what_is_left_says_why(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = a + b\ny = a - b\nz = a * b\n")
    outcome = run("fix", "--output-format", "concise")
    assert outcome.code == 1
    why = "its fix is unsafe; --verify TARGET proves, --unsafe-fixes applies it"
    assert outcome.out.splitlines() == [
        f"a.py:2:5: QP102 `a - b` has no module of its own (not fixed: {why})",
        "a.py:3:5: QP201 `a * b` has no module of its own (not fixed: a product is beyond this engine)",
        "Found 3 findings (1 fixed, 2 remaining).",
        "1 finding has an unsafe fix: --verify TARGET proves, --unsafe-fixes applies it.",
    ]


def test_unsafe_fixes_and_unfixable(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = a + b\ny = a - b\n")
    run("fix", "--unsafe-fixes", "--unfixable", "QP101")
    assert (folder / "a.py").read_text() == "x = a + b\ny = sub(a, b)\n"


def test_diff_changes_nothing_and_applies(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = a + b\nz = a * b")
    outcome = run("fix", "--diff")
    assert outcome.code == 1
    assert (folder / "a.py").read_text() == "x = a + b\nz = a * b"
    assert outcome.err == "Would fix 1 finding in 1 file; 1 would remain, `qprep check` says why.\n"
    subprocess.run(["git", "apply", "-"], input=outcome.out.encode(), check=True, cwd=folder)
    assert (folder / "a.py").read_text() == "x = add(a, b)\nz = a * b"


def test_diff_of_nothing_exits_0(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = 1\n")
    outcome = run("fix", "--diff")
    assert (outcome.code, outcome.out) == (0, "")


def test_exit_non_zero_on_fix(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = a + b\n")
    assert run("fix", "--exit-non-zero-on-fix").code == 1
    assert run("fix", "--exit-non-zero-on-fix").code == 0


def test_standard_input_gives_the_new_source(run: Run, folder: Path) -> None:
    outcome = run("fix", "-", stdin=b"x = a + b\r\ny = a * b\r\n")
    assert outcome.code == 1
    assert outcome.out == "x = add(a, b)\r\ny = a * b\r\n"
    assert outcome.err == "stdin.py:2:5: QP201 `a * b` has no module of its own\n"
    assert list(folder.iterdir()) == []


def test_standard_input_unchanged_is_repeated(run: Run) -> None:
    outcome = run("fix", "-", stdin=b"x = 1")
    assert (outcome.code, outcome.out) == (0, "x = 1")


def test_machine_format_lists_what_is_left_and_nothing_else(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = a + b\nz = a * b\n")
    outcome = run("fix", "--output-format", "json")
    assert outcome.code == 1
    assert [record["unfixable_reason"] for record in json.loads(outcome.out)] == ["a product is beyond this engine"]


def test_verbose_lists_what_was_fixed(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = a + b\n")
    assert "fixed a.py:1:5: QP101 `a + b`" in run("fix", "-v").err


def test_reverted_exits_2_and_names_the_rule(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.py").write_text("x = a + b\n")

    def reverting(*args: Any, **kwargs: Any) -> FixResult:
        result = fake_engine.fix(*args, **{**kwargs, "write": False})
        left = tuple(_unfixed(finding) for finding in result.before)
        return replace(result, fixed=(), remaining=left, changed=(), reverted=left)

    class Engine:
        fix = staticmethod(reverting)

    monkeypatch.setattr("qprep.cli.commands.fix.load_engine", lambda: Engine)
    outcome = run("fix")
    assert outcome.code == 2
    assert (
        outcome.err == "error: a.py:1:5: QP101 (tensor-add) was not fixed; the file is unchanged: it does not compile\n"
    )


def _unfixed(finding: Finding) -> Finding:
    return replace(finding, fix=Rejection("it does not compile"))
