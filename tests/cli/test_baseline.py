"""`--write-baseline` and `--baseline`: what was there stays quiet, what is new is reported."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run

MODEL = """\
class Block:
    def forward(a, b):
        return a + b

    def other(a, b):
        return a + b
"""


def write(run: Run, folder: Path, text: str = MODEL) -> None:
    (folder / "a.py").write_text(text)
    outcome = run("check", "--write-baseline")
    assert (outcome.code, outcome.out) == (0, "")


def new(run: Run, *more: str) -> list[str]:
    outcome = run("check", "-q", "--output-format", "concise", "--baseline", "qprep-baseline.json", *more)
    assert outcome.code == (1 if outcome.out else 0)
    return [line.split(": ")[0] for line in outcome.out.splitlines()]


def test_what_the_baseline_holds_is_not_reported(run: Run, folder: Path) -> None:
    write(run, folder)
    outcome = run("check", "--baseline", "qprep-baseline.json")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "All checks passed!\n2 findings of the baseline left out.\n"


def test_one_line_an_entry_in_order(run: Run, folder: Path) -> None:
    write(run, folder)
    text = (folder / "qprep-baseline.json").read_text()
    entry = {"path": "a.py", "within": "Block.forward", "rule": "QP101", "source": "a + b", "count": 1}
    assert json.loads(text) == {"version": 1, "findings": [entry, {**entry, "within": "Block.other"}]}
    assert len(text.splitlines()) == 7


def test_moved_and_reformatted_lines_stay_known(run: Run, folder: Path) -> None:
    write(run, folder, MODEL.replace("a + b", "f(a + b, [a, b])"))
    moved = MODEL.replace("a + b", "f(\n    a\n    + b,\n    [a, b],\n)")
    (folder / "a.py").write_text("import x\n\n\ny = 1\n" + moved)
    assert new(run) == []


def test_one_more_of_the_same_is_new(run: Run, folder: Path) -> None:
    write(run, folder)
    (folder / "a.py").write_text(MODEL.replace("a + b\n\n", "[a + b, a + b]\n\n"))
    assert new(run) == ["a.py:3:24"]


def test_the_same_expression_in_another_function_or_file_is_new(run: Run, folder: Path) -> None:
    write(run, folder)
    (folder / "a.py").write_text(MODEL + "\n    def third(a, b):\n        return a + b\n")
    (folder / "b.py").write_text(MODEL)
    assert new(run) == ["a.py:9:16", "b.py:3:16", "b.py:6:16"]


def test_a_file_that_cannot_be_read_is_never_known(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = (\n")
    assert run("check", "--write-baseline").code == 1
    assert new(run) == ["a.py:1:5"]


def test_writing_for_one_file_keeps_the_others(run: Run, folder: Path) -> None:
    (folder / "b.py").write_text(MODEL)
    write(run, folder)
    (folder / "a.py").write_text("x = 1\n")
    assert run("check", "--write-baseline", "a.py").code == 0
    assert new(run) == []
    (folder / "b.py").unlink()
    run("check", "--write-baseline", "a.py")
    assert json.loads((folder / "qprep-baseline.json").read_text())["findings"] == []


def test_entries_that_nothing_matches_are_told(run: Run, folder: Path) -> None:
    write(run, folder)
    (folder / "a.py").write_text("x = 1\n")
    outcome = run("check", "--baseline", "qprep-baseline.json")
    assert outcome.err == "note: 2 findings of `qprep-baseline.json` no longer found; --write-baseline removes them\n"
    assert outcome.code == 0


def test_paths_are_relative_to_the_baseline(run: Run, folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "a.py").write_text(MODEL)
    run("check", "--write-baseline", "--baseline", "sub/known.json")
    assert json.loads((folder / "sub" / "known.json").read_text())["findings"][0]["path"] == "a.py"
    assert run("check", "--baseline", "sub/known.json").code == 0


def test_the_configuration_names_one_and_a_flag_turns_it_off(run: Run, folder: Path) -> None:
    (folder / "qprep.toml").write_text('baseline = "known.json"\n')
    (folder / "a.py").write_text(MODEL)
    assert run("check", "--write-baseline").code == 0
    assert run("check").code == 0
    assert run("check", "--no-baseline").code == 1
    assert "baseline           " in run("config").out


def test_fix_leaves_the_baseline_alone(run: Run, folder: Path) -> None:
    write(run, folder, "x = a + b\ny = a * b\n")
    (folder / "a.py").write_text("x = a + b\ny = a * b\nz = b + a\n")
    outcome = run("fix", "--baseline", "qprep-baseline.json")
    assert (outcome.code, outcome.err) == (0, "")
    assert (folder / "a.py").read_text() == "x = a + b\ny = a * b\nz = add(b, a)\n"
    assert run("fix").code == 1
    assert (folder / "a.py").read_text() == "x = add(a, b)\ny = a * b\nz = add(b, a)\n"


def test_wrong_baselines_exit_2(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text(MODEL)
    outcome = run("check", "--baseline", "none.json")
    assert (outcome.code, outcome.out) == (2, "")
    assert "`none.json` cannot be read: No such file or directory; --write-baseline writes one" in outcome.err
    assert run("fix", "--baseline", "none.json").code == 2
    assert (folder / "a.py").read_text() == MODEL
    for text in ("", "[]", '{"version": 2}', '{"version": 1, "findings": [{"path": "a.py"}]}'):
        (folder / "bad.json").write_text(text)
        outcome = run("check", "--baseline", "bad.json")
        assert outcome.code == 2
        assert "error: --baseline: expected " in outcome.err
