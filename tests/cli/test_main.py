from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

import qprep
from qprep.cli import _group
from tests.cli.conftest import Run

ROOT = Path(qprep.__file__).parent.parent


def process(*args: str, cwd: Path, **kwargs: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "qprep", *args]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_version_as_a_process(tmp_path: Path) -> None:
    outcome = process("--version", cwd=tmp_path)
    assert (outcome.returncode, outcome.stdout) == (0, f"qprep {qprep.__version__}\n")


def test_help_lists_the_verbs(run: Run) -> None:
    outcome = run("--help")
    assert outcome.code == 0
    for verb in ("check", "fix", "trace", "rule", "config"):
        assert f"\n  {verb} " in outcome.out


@pytest.mark.parametrize("verb", ["check", "fix", "trace", "rule", "config"])
def test_every_verb_has_help(run: Run, verb: str) -> None:
    outcome = run(verb, "-h")
    assert outcome.code == 0
    assert outcome.out.startswith(f"Usage: qprep {verb} ")


def test_unknown_verb_exits_2(run: Run) -> None:
    outcome = run("chek")
    assert outcome.code == 2
    assert "No such command 'chek'" in outcome.err


def test_start_loads_neither_torch_nor_libcst_nor_rich() -> None:
    code = (
        "import sys, qprep.cli, qprep.cli.commands.check, qprep.cli.commands.fix, qprep.cli.commands.rule\n"
        "import qprep.cli.commands.config, qprep.cli.commands.trace\n"
        "print(sorted({'torch', 'libcst', 'rich', 'numpy'} & set(sys.modules)))"
    )
    outcome = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert outcome.stdout == "[]\n"


def test_a_bug_is_one_line_and_exits_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise KeyError("row\nmissing")

    monkeypatch.setattr("qprep.cli.commands.check.load_engine", broken)
    outcome = run("check")
    assert outcome.code == 2
    warning, line = outcome.err.splitlines()
    assert warning == "warning: no Python files found under ."
    assert line.startswith("error: a bug in qprep: KeyError: 'row\\nmissing' (test_main.py:")
    assert line.endswith("QPREP_TRACEBACK=1 shows the traceback")
    monkeypatch.setenv("QPREP_TRACEBACK", "1")
    assert "Traceback (most recent call last)" in run("check").err


def test_ctrl_c_in_the_engine_exits_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("qprep.cli.commands.check.load_engine", interrupted)
    assert run("check").code == 130


def test_ctrl_c_as_a_process_exits_130(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time, types, qprep.cli.commands.check as check\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job's children ignore it
        "def wait(*args, **kwargs):\n"
        "    print('ready', flush=True)\n"
        "    while True: time.sleep(0.01)\n"
        "check.load_engine = lambda: types.SimpleNamespace(check=wait)\n"
        "from qprep.cli import main\n"
        "sys.exit(main(['check', '-']))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=20) == 130
    child.stdout.close()


def test_a_reader_that_stops_is_no_bug(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = (\n")
    command = f"{sys.executable} -m qprep rule --all 2>err | true; cat err"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    outcome = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert outcome.stdout == b""


def test_a_shell_completes_codes_of_rules() -> None:
    from click.shell_completion import ShellComplete

    from qprep.cli import main_command

    completion = ShellComplete(main_command(), {}, "qprep", "_QPREP_COMPLETE")
    found = completion.get_completions(["check", "--select"], "QP101,QP2")
    assert "QP101,QP201" in [item.value for item in found]
    assert all(item.value.startswith("QP101,QP2") for item in found)


def test_verbs_that_run_a_model_take_its_inputs_in_the_same_words() -> None:
    found: dict[str, set[str]] = {"--input": set(), "--inputs": set()}
    verbs = set()
    context = click.Context(_group)
    for name in _group.list_commands(context):
        verb = _group.get_command(context, name)
        assert verb is not None
        for option in verb.params:
            for flag in set(option.opts).intersection(found):
                assert isinstance(option, click.Option)
                found[flag].add(f"{option.metavar}: {option.help}")
                verbs.add(name)
    assert verbs >= {"quantize", "trace", "summary", "compress", "vendor", "check", "fix"}
    assert [len(each) for each in found.values()] == [1, 1]


@pytest.mark.parametrize(
    "verb", ["check", "fix", "trace", "quantize", "compress", "summary", "vendor", "rule", "config", "server"]
)
def test_every_verb_can_be_quiet_and_verbose(verb: str) -> None:
    command = _group.get_command(click.Context(_group), verb)
    assert command is not None
    flags = [name for option in command.params for name in option.opts]
    assert [flags.count(name) for name in ("-q", "--quiet", "-v", "--verbose")] == [1, 1, 1, 1]


def test_quiet_prints_nothing_and_verbose_the_time(run: Run) -> None:
    assert run("rule", "QP101").out.startswith("# QP101")
    outcome = run("rule", "QP101", "-q", "-v")
    assert (outcome.code, outcome.out) == (0, "")
    assert re.fullmatch(r"qprep rule: \d+\.\d seconds; qprep \S+, Python \S+\n", outcome.err)
    assert run("rule", "QP999", "-q").code == 2
