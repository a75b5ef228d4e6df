"""Every code block of README, CONTRIBUTING and docs/ is run or parsed by some test, or says why not.

Blocks that need further packages run in slow tests, a page as one program of its own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from qprep.cli import main_command
from qprep.engine.config.settings import choices
from qprep.engine.config.settings_file import read_config
from qprep.engine.rule_registry import installed
from scripts.documents import ROOT, Block, Command, blocks, commands, pages
from scripts.newcomer import run
from scripts.readme import DOCUMENTS
from tests.torchvision_operators import define_operators

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
COPIES = [block for block in BLOCKS if block.value("same as") is not None]
SPECIAL = ("file", "same as", "needs")  # comments of Python blocks that no plain test runs
PYTHON = sorted(
    {block.page for block in BLOCKS if block.language == "python" and not any(block.value(key) for key in SPECIAL)}
    - {ROOT / name for name in OWN_TESTS}
)
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PLACES: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = (  # the names in shell blocks, and if they exist
    (re.compile(r"(?<![\w/])((?:scripts|benchmarks|tests|docs)/[\w./-]*\w)"), lambda name: (ROOT / name).exists()),
    (re.compile(r"(?<![\w:])make ([a-z][a-z-]*)"), lambda name: f"\n{name}:" in MAKEFILE),
    (re.compile(r"\bqprep\[([a-z]+)\]"), lambda name: name in PROJECT["optional-dependencies"]),
)
MODEL = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.conv(x) + x


def make():
    return Net()
"""
SETTINGS = {"quantizer.md": "quant.yaml", "compression.md": "schedule.yaml"}
COMMANDS = {
    "quantizer.md": {
        "package/model.py": "from tests.quantizer.test_docs import Net as make",
        "package/data.py": "from tests.quantizer.test_docs import loader\n\ndef accuracy(model):\n    return 1.0",
    },
    "compression.md": {
        "package/model.py": "from tests.compression.nets import EXAMPLE, Residual, seeded\n\n"
        "def make():\n    return seeded(Residual), (EXAMPLE,)\n\ndef teacher():\n    return seeded(Residual, 1)",
        "package/data.py": "from tests.compression.nets import batches\n\nloader = batches(2)\n\n"
        "def accuracy(model):\n    return 1.0",
    },
}


def identify(value: object) -> str:
    return value.place if isinstance(value, Block) else str(value)


@pytest.mark.parametrize("block", BLOCKS, ids=identify)
def test_a_block_is_used_or_says_why_not(block: Block) -> None:
    if block.value("run by") is not None:
        assert block.language == "bash"
    elif block in COPIES or block.needs:
        assert block.language in {"console", "python"}
    elif block.language == "console":
        own = OWN_TESTS.get(str(block.page.relative_to(ROOT)))
        assert block.page in (*DOCUMENTS, *PLAYED) or own is not None
    elif block.language == "bash":
        assert block.value("install") is not None, "shell commands belong into a console block with their output"
    else:
        assert block.language in {"python", "toml", "yaml", "json", *SHOWN}


@pytest.mark.parametrize("block", COPIES, ids=identify)
def test_a_copy_is_a_block_of_the_page_that_it_names(block: Block) -> None:
    page = ROOT / (block.value("same as") or "")
    assert page in PLAYED
    assert block.text in [each.text for each in blocks(page) if each.language == block.language]


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.value("run by") is not None], ids=identify)
def test_a_file_of_ci_has_the_commands(block: Block) -> None:
    lines = (ROOT / (block.value("run by") or "")).read_text(encoding="utf-8").splitlines()
    found = [line.partition("#")[0].strip() for line in block.text.splitlines()]
    assert found
    assert [line for line in found if line not in lines] == []


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language in {"bash", "console"}], ids=identify)
def test_names_in_shell_blocks_and_reasons_exist(block: Block) -> None:
    text = f"{block.comment}\n{block.text}"
    for pattern, exists in PLACES:
        assert [name for name in pattern.findall(text) if not exists(name)] == []


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
        if block.language == "python" and not any(block.value(key) for key in SPECIAL):
            exec(compile(block.text, block.place, "exec"), names)


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS if block.needs}), ids=identify)
def test_blocks_with_needs_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    define_operators(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{tmp_path}")
    program = SETUP.findall(page.read_text(encoding="utf-8"))
    ran = False
    for block in blocks(page):
        if (name := block.value("file")) is not None:
            (tmp_path / name).write_text(block.text, encoding="utf-8")
        elif block.needs and all(map(importlib.util.find_spec, block.needs)):
            ran = True
            if block.language == "python":
                program.append(block.text)
                continue
            for command in commands(block):
                assert run(command, tmp_path, 0).fault == ""
    if not ran:
        pytest.skip("no block of the page has all its packages")
    (tmp_path / "program.py").write_text("\n".join(program), encoding="utf-8")
    assert run(Command("python program.py", ("…",)), tmp_path, 0).fault == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_commands_on_a_package_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands name `package.model` and `package.data`, and the page's settings file."""
    page = ROOT / "docs" / name
    (settings,) = [block.text for block in blocks(page) if block.language == "yaml"]
    for path, text in (*COMMANDS[name].items(), (SETTINGS[name], settings)):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    found = [
        run(each, tmp_path, 0) for block in blocks(page) if block.language == "console" for each in commands(block)
    ]
    assert found
    assert [(each.command, each.last) for each in found if each.code != 0] == []


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


def steps(value: object) -> Iterator[str]:
    """The commands of qprep in the values of a workflow, an expression such as `${{ matrix.project }}` as a folder."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from steps(each)
    elif isinstance(value, str) and value.startswith("qprep ") and "\n" not in value:
        yield re.sub(r"\$\{\{.*?\}\}", ".", value)


@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS if block.language == "yaml"}), ids=identify)
def test_steps_of_workflows_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit codes are those of a project with a finding: 1, or 0 under `--exit-zero`."""
    yaml = pytest.importorskip("yaml")
    found = [step for block in blocks(page) if block.language == "yaml" for step in steps(yaml.safe_load(block.text))]
    (tmp_path / "models.py").write_text(MODEL, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for step in found:
        words = step.split()
        if words == ["qprep", "check", "--trace"]:  # the name of a hook
            continue
        code = 0 if "--exit-zero" in words else 1
        outcome = run(Command(step, ("…",)), tmp_path, code)
        assert outcome.fault == ""
        if "--output-file" in words:
            assert (tmp_path / words[words.index("--output-file") + 1]).stat().st_size > 0


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
