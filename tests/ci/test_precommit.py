"""The hooks, run by pre-commit itself from a local git repository, without network."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path

import pytest
import yaml

import qprep

ROOT = Path(qprep.__file__).parent.parent
DOCS = (ROOT / "docs" / "continuous-integration.md").read_text(encoding="utf-8")
# What qprep needs, and what its build needs: pip must not ask for them.
PACKAGES = ("libcst", "yaml", "_yaml", "click", "rich", "pygments", "markdown_it", "mdurl", "setuptools")
MODEL = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return {}
"""
FOUND, CLEAN = MODEL.format("self.fc(x) + x"), MODEL.format("self.fc(x)")

pytestmark = [
    pytest.mark.skipif(shutil.which("git") is None, reason="needs git"),
    pytest.mark.skipif(importlib.util.find_spec("pre_commit") is None, reason="needs pre-commit"),
    pytest.mark.skipif(os.name == "nt", reason="links"),
]


@dataclass(frozen=True)
class Repository:
    """A user's repository with the hooks in its configuration."""

    folder: Path
    environment: dict[str, str]

    def git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, check=True, capture_output=True, text=True
        ).stdout

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def hook(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pre_commit", "run", "--color", "never", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, check=False, capture_output=True, text=True
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, dict[str, str]]:
    """The project as a git repository, its commit, and an environment in which pip asks nobody."""
    home = tmp_path_factory.mktemp("pre-commit")
    packages = home / "packages"
    packages.mkdir()
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            (packages / name).symlink_to(spec.submodule_search_locations[0])
    source = home / "qprep"
    shutil.copytree(ROOT / "qprep", source / "qprep", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, source / name)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "GIT_", "PYTHON"))},
        "HOME": str(home),
        "PRE_COMMIT_HOME": str(home / "store"),
        "PYTHONPATH": str(packages),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "VIRTUALENV_NO_PERIODIC_UPDATE": "1",
        **{f"GIT_{who}_{what}": "test@invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    project = Repository(source, environment)
    project.git("init", "-q")
    project.git("add", "-A")
    project.git("commit", "-qm", "all")
    return source, project.git("rev-parse", "HEAD").strip(), environment


@pytest.fixture
def repository(tmp_path: Path, installed: tuple[Path, str, dict[str, str]]) -> Repository:
    """Configured as the documentation says, with the local repository for its address."""
    source, commit, environment = installed
    match = re.search(r"```yaml\n(# \.pre-commit-config\.yaml\n.*?)```", DOCS, re.DOTALL)
    assert match is not None
    text = match[1].replace("https://github.com/OWNER/qprep", source.as_uri()).replace("v0.1.0", commit)
    made = Repository(tmp_path, environment)
    made.git("init", "-q")
    made.write(".pre-commit-config.yaml", text)
    made.git("add", "-A")
    return made


def test_findings_fail_in_one_process_and_fixes_pass_the_second_time(repository: Repository) -> None:
    for number in range(40):
        repository.write(f"m{number}.py", FOUND if number == 7 else CLEAN)
    repository.git("add", "-A")
    outcome = repository.hook("qprep-check")
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    assert "m7.py:10:16" in outcome.stdout
    assert outcome.stdout.count("Found 1 finding.") == 1
    assert "All checks passed!" not in outcome.stdout  # one process, not several with a part of the files each

    outcome = repository.hook("qprep-fix")
    assert outcome.returncode == 1
    assert "files were modified by this hook" in outcome.stdout
    assert "Found 1 finding (1 fixed, 0 remaining)." in outcome.stdout
    repository.git("add", "-A")
    outcome = repository.hook("--all-files")
    assert outcome.returncode == 0, outcome.stdout
    assert outcome.stdout.count("Passed") == 2
    assert ".qprep_cache" not in repository.git("status", "--porcelain", "--untracked-files=all")


def test_torch_is_not_installed(repository: Repository, installed: tuple[Path, str, dict[str, str]]) -> None:
    repository.write("a.py", CLEAN)
    repository.git("add", "-A")
    assert repository.hook("qprep-check").returncode == 0
    store = Path(installed[2]["PRE_COMMIT_HOME"])
    found = [Distribution.at(path) for path in store.glob("repo*/py_env*/lib/python*/site-packages/qprep-*.dist-info")]
    assert len(found) == 1
    needed = [entry for entry in found[0].requires or () if "extra ==" not in entry]
    assert sorted(re.split(r"\W", entry)[0] for entry in needed) == ["click", "libcst", "rich"]
    assert not list(store.glob("repo*/py_env*/lib/python*/site-packages/torch"))


def test_no_files(repository: Repository) -> None:
    outcome = repository.hook("--all-files")
    assert outcome.returncode == 0
    assert outcome.stdout.count("(no files to check)Skipped") == 2


def test_excluded_files_leave_none(repository: Repository) -> None:
    repository.write("qprep.toml", 'exclude = ["*.py"]\n')
    repository.write("a.py", FOUND)
    repository.git("add", "-A")
    outcome = repository.hook()
    assert outcome.returncode == 0, outcome.stdout
    assert outcome.stdout.count("Passed") == 2


def test_what_is_not_staged_is_neither_checked_nor_lost(repository: Repository) -> None:
    path = repository.write("a.py", CLEAN)
    repository.git("add", "-A")
    path.write_text(FOUND)
    outcome = repository.hook("qprep-check")
    assert outcome.returncode == 0, outcome.stdout
    assert path.read_text() == FOUND
    repository.git("add", "-A")
    path.write_text(CLEAN)
    assert repository.hook("qprep-check").returncode == 1
    assert path.read_text() == CLEAN


def test_the_hooks_are_serial_and_light() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert [hook["id"] for hook in hooks] == ["qprep-check", "qprep-fix"]
    for hook in hooks:
        assert hook["require_serial"] is True
        assert hook["language"] == "python"
        assert hook["types_or"] == ["python", "jupyter"]
        assert "--force-exclude" in hook["entry"]
