"""scripts/bench.py: discovery of quick claims, and what each way to end does to the exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GUARD = '\nif __name__ == "__main__":\n'


def write(folder: Path, name: str, body: str, *, quick: str | None = "[]", doc: str = "A benchmark.") -> None:
    """A benchmark with a main guard around `body`."""
    declared = "" if quick is None else f"QUICK = {quick}\n"
    (folder / f"{name}.py").write_text(f'"""{doc}"""\nimport sys\n{declared}{GUARD}    {body}\n', encoding="utf-8")


def bench(folder: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, str(ROOT / "scripts" / "bench.py"), "--folder", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def row(output: str, name: str) -> list[str]:
    """The cells of a benchmark's row."""
    return next(line.split() for line in output.splitlines() if line.startswith(f"{name} "))


def test_arguments_reach_a_benchmark_and_its_last_line_the_table(tmp_path: Path) -> None:
    write(tmp_path, "good", 'print("first"); print(sys.argv[1:])', quick='["--quick", "7"]')
    code, output = bench(tmp_path)
    assert code == 0
    assert row(output, "good")[2:] == ["0", "holds", "['--quick',", "'7']"]


def test_one_failure_fails_the_run_and_shows_its_output(tmp_path: Path) -> None:
    write(tmp_path, "good", 'print("fine")')
    write(tmp_path, "wrong", 'print("ratio 9"); print("missed"); sys.exit(3)')
    code, output = bench(tmp_path)
    assert code == 1
    assert row(output, "wrong")[2:] == ["3", "FAILED", "missed"]
    assert "    ratio 9" in output
    assert "1 holds, 1 FAILED" in output


def test_missing_data_is_skipped_and_counted(tmp_path: Path) -> None:
    write(tmp_path, "needs", 'print("skipped: no digits")')
    code, output = bench(tmp_path)
    assert code == 0
    assert row(output, "needs")[2:5] == ["0", "skipped", "skipped:"]
    assert "1 skipped" in output


def test_a_failure_is_not_excused_by_saying_skipped(tmp_path: Path) -> None:
    write(tmp_path, "needs", 'print("skipped: no digits"); sys.exit(1)')
    assert bench(tmp_path)[0] == 1


def test_without_quick_the_reason_is_shown_and_nothing_runs(tmp_path: Path) -> None:
    write(tmp_path, "slow", "sys.exit(1)", quick=None, doc="A benchmark.\n\nIt takes a day.")
    code, output = bench(tmp_path)
    assert code == 0
    assert "no quick claim  It takes a day." in output


def test_a_benchmark_that_takes_too_long_fails(tmp_path: Path) -> None:
    write(tmp_path, "endless", "import time; time.sleep(600)")
    code, output = bench(tmp_path, "--limit", "1")
    assert code == 1
    assert "TIMED OUT" in output


def test_modules_without_a_main_guard_are_no_benchmarks(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("QUICK = []\n", encoding="utf-8")
    code, output = bench(tmp_path)
    assert code == 1
    assert "found none" in output


@pytest.mark.parametrize("quick", ["'--quick'", "[1]", "list(sys.argv)"])
def test_quick_must_be_a_list_of_strings(quick: str, tmp_path: Path) -> None:
    write(tmp_path, "odd", "pass", quick=quick)
    code, output = bench(tmp_path)
    assert code == 1
    assert "odd.py:3: expected QUICK to be a list of strings" in output
