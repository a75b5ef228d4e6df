from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qprep.engine.execution import failed
from qprep.engine.results import CheckResult
from tests import fake_engine
from tests.cli.conftest import Run

MODEL = "def f(a, b):\n    return a + b\n"


def test_clean_tree_exits_0(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = 1\n")
    outcome = run("check")
    assert (outcome.code, outcome.out, outcome.err) == (0, "All checks passed!\n", "")


def test_findings_exit_1_with_clickable_place(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text(MODEL)
    outcome = run("check", "--output-format", "concise", "a.py")
    assert outcome.code == 1
    assert outcome.out.splitlines() == [
        "a.py:2:12: QP101 [*] `a + b` has no module of its own",
        "Found 1 finding.",
        "[*] 1 fixable with `qprep fix`.",
    ]


def test_absolute_paths_are_shown_relative(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text(MODEL)
    outcome = run("check", "-q", "--output-format", "concise", str(folder / "a.py"))
    assert outcome.out.startswith("a.py:2:12: ")


def test_full_format_shows_frame_help_and_diff(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("import x\n\n" + MODEL)
    outcome = run("check")
    assert outcome.out.splitlines() == [
        "QP101 [*] `a + b` has no module of its own",
        " --> a.py:4:12",
        "  |",
        "2 |",
        "3 | def f(a, b):",
        "4 |     return a + b",
        "  |            ^^^^^",
        "5 |",
        "  |",
        "help: give it one",
        "  |",
        "3 |   def f(a, b):",
        "  - ".rjust(6) + "    return a + b",
        "4 | +     return add(a, b)",
        "  |",
        "",
        "Found 1 finding.",
        "[*] 1 fixable with `qprep fix`.",
    ]


def test_unsafe_fixes_are_counted_apart(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = a + b\ny = a - b\n")
    outcome = run("check", "--output-format", "concise")
    unsafe = "1 finding has an unsafe fix: --verify TARGET proves, --unsafe-fixes applies it."
    assert f"[*] 1 fixable with `qprep fix`; {unsafe}" in outcome.out
    assert "a.py:2:5: QP102 `a - b`" in outcome.out
    with_unsafe = run("check", "--output-format", "concise", "--unsafe-fixes")
    assert "[*] 2 fixable with `qprep fix`." in with_unsafe.out
    assert "a.py:2:5: QP102 [*] `a - b`" in with_unsafe.out


def test_exit_zero(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text(MODEL)
    outcome = run("check", "--exit-zero")
    assert outcome.code == 0
    assert "Found 1 finding." in outcome.out


def test_quiet_prints_findings_alone(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text(MODEL)
    assert run("check", "-q", "--output-format", "concise").out.count("\n") == 1


def test_verbose_speaks_on_standard_error(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("")
    outcome = run("check", "-v")
    assert "1 files; settings from the defaults" in outcome.err
    assert outcome.out == "All checks passed!\n"


def test_syntax_error_is_a_finding_and_others_go_on(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = (1\n")
    (folder / "b.py").write_text(MODEL)
    outcome = run("check", "--output-format", "concise", "-q")
    assert outcome.code == 1
    assert outcome.out.splitlines() == [
        "a.py:1:5: QP001 '(' was never closed",
        "b.py:2:12: QP101 [*] `a + b` has no module of its own",
    ]


def test_missing_path_exits_2(run: Run) -> None:
    outcome = run("check", "nowhere")
    assert outcome.code == 2
    assert outcome.err == "error: expected a file or folder, found nothing at `nowhere`\n"


def test_folder_without_python_files_warns(run: Run, folder: Path) -> None:
    (folder / "docs").mkdir()
    outcome = run("check", "docs")
    assert outcome.code == 0
    assert outcome.err == "warning: no Python files found under docs\n"


def test_notebook_named_is_not_clean(run: Run, folder: Path) -> None:
    (folder / "n.ipynb").write_text("{}")
    outcome = run("check", "n.ipynb", "--output-format", "concise")
    assert outcome.code == 1
    assert "n.ipynb:1:1: QP003 expected a notebook of format 4" in outcome.out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--select", "QP999"], "unknown rule `QP999`"),
        (["--ignore", "tensor-ad"], "did you mean `tensor-add`?"),
        (["--select", "E"], "unknown rule `E`"),
        (["--per-file-ignores", "a.py"], "expected PATTERN:RULE, found `a.py`"),
        (["--config", "none.toml"], "expected a configuration file, found none at `none.toml`"),
        (["--stdin-filename", "x.py"], "expected `-` as the path, found none"),
        (["-", "a.py"], "expected `-` alone"),
        (["--no-such-flag"], "No such option"),
        (["--output-format", "yaml"], "'yaml' is not one of"),
        (["--output-format", "sarif", "--statistics"], "expected a text format or JSON, found `sarif`"),
    ],
)
def test_wrong_use_exits_2(run: Run, args: list[str], said: str) -> None:
    outcome = run("check", *args)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize(
    ("args", "codes"),
    [
        ([], ["QP101", "QP102", "QP201"]),
        (["--select", "QP1"], ["QP101", "QP102"]),
        (["--select", "tensor-mul"], ["QP201"]),
        (["--select", "QP1,QP2", "--ignore", "QP102"], ["QP101", "QP201"]),
        (["--ignore", "QP1"], ["QP201"]),
        (["--select", "QP2", "--extend-select", "QP101"], ["QP101", "QP201"]),
        (["--per-file-ignores", "*.py:QP1"], ["QP201"]),
        (["--per-file-ignores", "b.py:QP1,a.py:QP101,QP201"], ["QP102"]),
    ],
)
def test_selection(run: Run, folder: Path, args: list[str], codes: list[str]) -> None:
    (folder / "a.py").write_text("x = a + b\ny = a - b\nz = a * b\n")
    records = json.loads(run("check", "--output-format", "json", *args).out)
    assert [record["code"] for record in records] == codes


def test_standard_input(run: Run, folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.qprep]\nignore = ["QP102"]\n')
    outcome = run("check", "-", "--stdin-filename", "pkg/m.py", "--output-format", "concise", stdin=b"a + b; a - b\n")
    assert outcome.code == 1
    assert outcome.out.startswith("pkg/m.py:1:1: QP101 [*]")
    assert "QP102" not in outcome.out


def test_standard_input_full_format_has_a_frame(run: Run) -> None:
    assert "1 | a + b\n  | ^^^^^\n" in run("check", "-", stdin=b"a + b\n").out


def test_output_file_takes_the_report(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text(MODEL)
    outcome = run("check", "--output-format", "json", "-o", "out/report.json")
    assert (outcome.code, outcome.out) == (1, "")
    assert json.loads((folder / "out/report.json").read_text())[0]["code"] == "QP101"


def test_output_file_that_cannot_be_written_exits_2(run: Run, folder: Path) -> None:
    (folder / "out").mkdir()
    outcome = run("check", "-o", "out")
    assert outcome.code == 2
    assert "--output-file: `out` cannot be written" in outcome.err


def test_format_from_environment_and_configuration(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.py").write_text(MODEL)
    (folder / "qprep.toml").write_text('output-format = "json"\n')
    assert json.loads(run("check").out)
    monkeypatch.setenv("QPREP_OUTPUT_FORMAT", "concise")
    assert run("check").out.startswith("a.py:2:12: ")
    assert run("check", "--output-format", "grouped").out.startswith("a.py:\n")


def test_statistics(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = a + b\ny = a + b\nz = a * b\n")
    assert run("check", "--statistics").out.splitlines() == [
        "2  QP101  [*] tensor-add",
        "1  QP201  [ ] tensor-mul",
        "Found 3 findings.",
    ]
    assert json.loads(run("check", "--statistics", "--output-format", "json").out) == [
        {"code": "QP101", "name": "tensor-add", "count": 2, "fixable": True},
        {"code": "QP201", "name": "tensor-mul", "count": 1, "fixable": False},
    ]


def test_suppressions_and_ignore_suppressions(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = a + b  # qprep: ignore[QP101] known\n")
    assert run("check").code == 0
    assert "QP101" in run("check", "--ignore-suppressions").out


def test_add_ignore_then_clean(run: Run, folder: Path) -> None:
    (folder / "a.py").write_bytes(b"x = a + b\r\ny = (a -\r\n     b)  # why\r\nx = (\n")
    (folder / "b.py").write_text("x = a + b - c\n")
    first = run("check", "--add-ignore", ".")
    assert first.code == 0  # a.py has a syntax error: it is left alone
    assert first.err == "Suppressed 2 findings in 1 file.\n"
    assert (folder / "b.py").read_text() == "x = a + b - c  # qprep: ignore[QP101, QP102]\n"
    (folder / "a.py").write_bytes(b"x = a + b\r\ny = (a -\r\n     b)  # why\r\n")
    assert run("check", "--add-ignore=see the tracker", "a.py").code == 0
    assert (folder / "a.py").read_bytes() == (
        b"x = a + b  # qprep: ignore[QP101] see the tracker\r\n"
        b"y = (a -\r\n     b)  # why  # qprep: ignore[QP102] see the tracker\r\n"
    )
    assert run("check").code == 0


def test_color(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.py").write_text(MODEL)
    assert "\x1b[" not in run("check").out
    assert "\x1b[" in run("check", "--color", "always").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("check").out


def test_force_exclude(run: Run, folder: Path) -> None:
    (folder / "build").mkdir()
    (folder / "build" / "a.py").write_text(MODEL)
    assert run("check", "build/a.py").code == 1
    assert run("check", "--force-exclude", "build/a.py").code == 0
    assert run("check").code == 0
    assert run("check", "--exclude", "other").code == 1


def test_files_of_two_configurations(run: Run, folder: Path) -> None:
    for name, text in (("p", 'select = ["QP101"]\n'), ("q", 'select = ["QP102"]\n')):
        (folder / name).mkdir()
        (folder / name / "qprep.toml").write_text(text)
        (folder / name / "a.py").write_text("a + b; a - b\n")
    records = json.loads(run("check", "--output-format", "json").out)
    assert [(record["filename"], record["code"]) for record in records] == [("p/a.py", "QP101"), ("q/a.py", "QP102")]
    records = json.loads(run("check", "--output-format", "json", "--isolated").out)
    assert len(records) == 4


def test_a_cache_is_kept_beside_the_configuration(run: Run, folder: Path) -> None:
    (folder / "qprep.toml").write_text("")
    (folder / "sub").mkdir()
    (folder / "sub" / "a.py").write_text("x = 1\n")
    for flags in (("--no-cache",), ("--cache-dir", "own"), ()):
        assert run("check", *flags, "sub").code == 0
    assert "cache-dir          the default" in run("config").out
    (folder / "qprep.toml").write_text('cache-dir = "kept"\n')
    assert "kept" in run("config").out


def test_a_failure_of_qprep_exits_2_and_reports_the_rest(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.py").write_text(MODEL)
    real = fake_engine.check

    def check(*args: Any, **kwargs: Any) -> CheckResult:
        found = real(*args, **kwargs)
        return replace(found, findings=(*found.findings, failed("b.py", "ValueError: no (x.py:3)")))

    monkeypatch.setattr(fake_engine, "check", check)
    outcome = run("check", "--output-format", "concise", "--exit-zero")
    assert outcome.code == 2
    assert "b.py:1:1: QP008 qprep failed on this file: ValueError: no (x.py:3)" in outcome.out
    assert "a.py:2:12: QP101" in outcome.out


def test_no_trace_takes_back_what_asks_for_a_run(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = 1\n")
    outcome = run("check", "--trace", "no_such_module:make", "--no-trace")
    assert (outcome.code, outcome.err) == (0, "")
