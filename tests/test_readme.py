"""README.md: its commands print what it says, its flags, targets, settings and hooks exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import qprep
from qprep.engine.config.settings import choices
from qprep.engine.config.settings_file import read_config
from qprep.engine.rule_registry import installed

ROOT = Path(qprep.__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def fence(language: str) -> str:
    match = re.search(rf"```{language}\n(.*?)```\n", README, re.DOTALL)
    assert match is not None
    return match[1]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_every_command_prints_what_is_shown() -> None:
    outcome = run(str(ROOT / "scripts" / "readme.py"), "--check")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_flags_exist() -> None:
    verbs = ("check", "fix", "trace", "quantize", "compress", "vendor", "rule")
    known = "".join(run("-m", "qprep", verb, "--help").stdout for verb in verbs)
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert len(flags) > 5
    assert [flag for flag in flags if flag not in known] == []


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make (\w+) ", README, re.MULTILINE)
    assert targets == ["demo", "test", "bench"]
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


def test_settings_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(fence("toml"), encoding="utf-8")
    options = read_config(tmp_path / "pyproject.toml", choices(installed()))
    assert options.select == ("ALL",)
    assert len(tomllib.loads(fence("toml"))["tool"]["qprep"]) > 5


def test_hooks_exist() -> None:
    hooks = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    names = re.findall(r"- id: (\S+)", fence("yaml"))
    assert len(names) == 2
    assert all(f"- id: {name}\n" in hooks for name in names)


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_lead_somewhere(path: str) -> None:
    assert (ROOT / path).is_file()
