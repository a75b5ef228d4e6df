from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run


def test_says_why_each_rule_is_on_or_off(run: Run, folder: Path) -> None:
    (folder / "qprep.toml").write_text(
        'ignore = ["QP102"]\nunfixable = ["QP101"]\n[per-file-ignores]\n"tests/*" = ["QP2"]\n'
    )
    (folder / "tests").mkdir()
    (folder / "tests" / "a.py").write_text("")
    lines = {line.split()[0]: line for line in run("config", "tests/a.py").out.splitlines() if line}
    assert lines["configuration"].endswith("qprep.toml")
    assert lines["QP101"].endswith("on   on by default, its fixes are off")
    assert lines["QP102"].endswith("off  ignore QP102")
    assert lines["QP201"].endswith("off  per-file-ignores")
    assert lines["QP001"].endswith("on   always on: a file that was not read is not clean")


def test_the_command_line_has_its_say(run: Run) -> None:
    lines = {
        line.split()[0]: line for line in run("config", "--select", "QP1", "--ignore", "QP102").out.splitlines() if line
    }
    assert lines["QP101"].endswith("on   --select QP1")
    assert lines["QP102"].endswith("off  --ignore QP102")
    assert lines["QP201"].endswith("off  not in --select")
    assert lines["configuration"].endswith("none: the defaults")


def test_missing_path(run: Run) -> None:
    assert run("config", "nowhere").code == 2
