"""The repository tracks sources alone: an environment or a build in it replaces that of whoever checks it out."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def listed(*options: str) -> list[str]:
    """Tracked files."""
    found = subprocess.run(["git", "ls-files", *options], cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.skip("not a checkout")
    return found.stdout.splitlines()


def test_nothing_that_is_ignored_is_tracked() -> None:
    assert listed("--cached", "--ignored", "--exclude-standard") == []


def test_links_stay_in_the_repository() -> None:
    links = [line.partition("\t")[2] for line in listed("--stage") if line.startswith("120000")]
    assert [each for each in links if (ROOT / each).readlink().is_absolute()] == []


def test_the_environment_is_ignored_as_a_folder_and_as_a_link() -> None:
    assert "/.venv" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
