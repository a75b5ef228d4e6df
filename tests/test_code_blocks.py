"""Every code block of README, CONTRIBUTING and docs/ is run or parsed by some test, or says why not."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

from qprep.cli import main_command
from qprep.engine.config.settings import choices
from qprep.engine.config.settings_file import read_config
from qprep.engine.rule_registry import installed
from scripts.documents import ROOT, Block, blocks, commands, pages
from scripts.readme import DOCUMENTS

# Pages whose Python has a test of its own, which also checks the results.
OWN_TESTS = {
    "docs/compression.md": "tests/compression/test_docs.py",
    **{f"docs/extending/{page.name}": "tests/test_extending.py" for page in (ROOT / "docs" / "extending").glob("*.md")},
    "docs/hand-over.md": "tests/quantizer/test_hand_over_docs.py",
    "docs/plugins.md": "tests/test_plugins.py",
    "docs/quantizer.md": "tests/quantizer/test_docs.py",
}
RULES = ROOT / "docs" / "rules"  # written from the examples, which tests/checks and tests/codemods run
PLAYED = (  # by scripts/newcomer.py and as notebooks, in tests/test_documents.py
    *(ROOT / "docs" / name for name in ("start.md", "baseline.md", "monorepos.md")),
    *sorted((ROOT / "docs" / "tutorials").glob("*.md")),
)
SETUP = re.compile(r"^<!-- setup\n(.*?)^-->$", re.DOTALL | re.MULTILINE)
SHOWN = {"text", "lua", "diff"}  # output, or a language without a parser here
BLOCKS = [block for page in pages() if page.parent != RULES for block in blocks(page)]
PYTHON = sorted(
    {
        block.page
        for block in BLOCKS
        if block.language == "python" and block.value("file") is None and block.value("not run") is None
    }
    - {ROOT / name for name in OWN_TESTS}
)


def identify(value: object) -> str:
    return value.place if isinstance(value, Block) else str(value)


@pytest.mark.parametrize("block", BLOCKS, ids=identify)
def test_a_block_is_used_or_says_why_not(block: Block) -> None:
    if (reason := block.value("not run")) is not None:
        assert len(reason) > 10
    elif block.language == "console":
        own = OWN_TESTS.get(str(block.page.relative_to(ROOT)))
        assert block.page in (*DOCUMENTS, *PLAYED) or own is not None
    elif block.language == "bash":
        assert block.value("install") is not None, "shell commands belong into a console block with their output"
    else:
        assert block.language in {"python", "toml", "yaml", "json", *SHOWN}


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language == "python"], ids=identify)
def test_python_compiles(block: Block) -> None:
    compile(block.text, block.place, "exec")


@pytest.mark.parametrize("page", PYTHON, ids=identify)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for setup in SETUP.findall(page.read_text(encoding="utf-8")):
        exec(setup, names)
    for block in blocks(page):
        if block.language == "python" and block.value("file") is None and block.value("not run") is None:
            exec(compile(block.text, block.place, "exec"), names)


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language in {"toml", "yaml", "json"}], ids=identify)
def test_data_is_well_formed(block: Block, tmp_path: Path) -> None:
    if block.language == "json":
        assert json.loads(block.text)
    elif block.language == "yaml":
        assert pytest.importorskip("yaml").safe_load(block.text)
    elif "qprep" in tomllib.loads(block.text).get("tool", {}):
        (tmp_path / "ops.toml").write_text("")
        (tmp_path / "pyproject.toml").write_text(block.text)
        read_config(tmp_path / "pyproject.toml", choices(installed()))


@pytest.mark.parametrize("block", [each for each in BLOCKS if "qprep " in each.text], ids=identify)
def test_flags_of_commands_exist(block: Block) -> None:
    for verb, flags in qprep_calls(block):
        command = main_command().get_command(click.Context(main_command()), verb)
        assert command is not None, f"no command {verb!r}"
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        assert [flag for flag in flags if flag not in {*known, "--help"}] == []


def qprep_calls(block: Block) -> list[tuple[str, list[str]]]:
    """Verb and long flags of each call of qprep in a shell block."""
    if block.language == "console":
        lines = [command.text for command in commands(block)]
    else:
        lines = block.text.replace("\\\n", " ").splitlines() if block.language == "bash" else []
    found = []
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[:1] == ["qprep"] and not words[1].startswith("-"):
            found.append((words[1], [word.partition("=")[0] for word in words[2:] if word.startswith("--")]))
    return found
