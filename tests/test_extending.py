"""The packages of docs/extending are installed outside of the repository, and the commands of the pages are run."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from qprep.cli.reporters import OutputFormat
from qprep.engine.plugin_loading import load_plugin
from qprep.engine.rule_registry import with_plugins
from qprep.plugins import Dedicated, Plugin, PluginError, Target
from scripts.documents import ROOT, Command, blocks, commands
from tests.test_plugins import rule_module

PAGES = sorted(page for page in (ROOT / "docs" / "extending").glob("*.md") if page.name != "README.md")


@dataclass(frozen=True, slots=True)
class Installed:
    """A folder with the files of all pages, and the one that their packages are installed in."""

    folder: Path
    site: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join((str(self.site), str(ROOT)))
        environment = {**os.environ, "PYTHONPATH": paths, "NO_COLOR": "1"}
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The packages as pip leaves them: their files, and a .dist-info with their entry points."""
    folder = tmp_path_factory.mktemp("extending")
    found = Installed(folder, folder / "site")
    for block in (block for page in PAGES for block in blocks(page)):
        name = block.value("file")
        if name is None:
            continue
        package, _, inner = name.rpartition("/")[0].partition("/")
        path = found.site / Path(name).relative_to(package) if inner else folder / name
        if name.endswith("pyproject.toml"):
            _write_metadata(found.site, tomllib.loads(block.text)["project"])
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
    return found


def _write_metadata(site: Path, project: Mapping[str, Any]) -> None:
    name, version = project["name"], project["version"]
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = project["entry-points"].items()
    lines = [line for group, names in groups for line in (f"[{group}]", *(f"{k} = {v}" for k, v in names.items()))]
    (info / "entry_points.txt").write_text("\n".join(lines))


def _commands(page: Path) -> list[Command]:
    return [each for block in blocks(page) if block.language == "console" for each in commands(block)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_s_commands_give_what_it_shows(page: Path, installed: Installed) -> None:
    assert _commands(page)
    for command in _commands(page):
        program, *words = command.text.split()
        if "torch" in "".join(block.text for block in blocks(page) if program == "python"):
            pytest.importorskip("torch")
        done = installed.run(*(words if program == "python" else ("-m", "qprep", *words)))
        assert done.stdout.splitlines() == list(command.shown), done.stderr


def test_an_unknown_name_lists_those_of_packages(installed: Installed) -> None:
    done = installed.run("-m", "qprep", "check", "--target", "acmee", "sums.py")
    assert (done.returncode, "'acme'" in done.stderr, "'torch-ao'" in done.stderr) == (2, True, True)
    (installed.folder / "qprep.toml").write_text('output-format = "cvs"\n')
    done = installed.run("-m", "qprep", "check", "net.py")
    (installed.folder / "qprep.toml").unlink()
    assert done.returncode == 2
    assert "output-format: expected one of " in done.stderr
    assert "csv, found 'cvs'" in done.stderr


def _format(**changes: object) -> Plugin:
    module = rule_module("csv")
    for name, value in {"NAME": "csv", "SHOWS_EDITS": False, "IS_HUMAN": False, "render": str, **changes}.items():
        setattr(module, name, value)
    return Plugin(formats=(module,))


@pytest.mark.parametrize(
    ("plugin", "part"),
    [
        (Plugin(targets=("acme",)), "expected a Target with a name like `my-library`, found 'acme'"),  # type: ignore[arg-type]
        (Plugin(targets=(Target("Acme"),)), "expected a Target with a name like `my-library`"),
        (
            Plugin(targets=(Target("acme", {"matmull": Dedicated("acme.nn", "Add")}),)),
            "target `acme`: unknown operation `matmull`; did you mean `matmul`?",
        ),
        (_format(NAME="C S V"), "expected an output format with a name like `my-format`, found 'C S V'"),
        (Plugin(formats=(rule_module("csv"),)), "output format `acme.csv`: expected `NAME` in the module, found none"),
    ],
)
def test_a_target_or_format_that_is_wrong_is_named(plugin: Plugin, part: str) -> None:
    with pytest.raises(PluginError) as caught:
        load_plugin("acme", plugin)
    assert f"plugin `acme`: {part}" in str(caught.value)


@pytest.mark.parametrize(
    ("plugin", "part"),
    [
        (Plugin(targets=(Target("torch-ao"),)), "`torch-ao` is a target of qprep already"),
        (_format(NAME="json"), "`json` is an output format of qprep already"),
    ],
)
def test_names_of_qprep_stay_its_own(plugin: Plugin, part: str) -> None:
    with pytest.raises(PluginError, match=part):
        with_plugins((load_plugin("acme", plugin),))


def test_a_format_that_fails_names_its_plugin() -> None:
    def fail(report: object) -> str:
        raise RuntimeError("oh")

    (found,) = load_plugin("acme", _format(render=fail)).formats
    assert isinstance(found, OutputFormat)
    with pytest.raises(PluginError, match="plugin `acme`: output format `csv` failed: RuntimeError: oh"):
        found.render(None)
