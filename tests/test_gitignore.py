from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qprep.engine.gitignore import Patterns, PatternScope

PATHS = ("a.py", "b", "b/a.py", "b/c/a.py", "b/c", "src/b/a.py", "#x", "!y", "sp ", "a[1].py", "a1.py", "b/cc/d.py")
PATTERNS = (
    "a.py", "/a.py", "b/", "b/*", "b/**", "**/a.py", "b/**/a.py", "*.py", "!a.py", "!b/c/", "c", "/c", "b/c",
    "\\#x", "#x", "\\!y", "sp\\ ", "sp ", "a[0-9].py", "a[!0-9].py", "a\\[1\\].py", "?.py", "**", "src/**/a.py",
    "[z-a].py", "a[[].py", "b/c?", "*c*", "***/a.py", "", "/", "a[[:digit:]].py", "[]1].py",
)  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "path", "is_dir", "verdict"),
    [
        (["*.py"], "b/a.py", False, True),
        (["/*.py"], "b/a.py", False, None),
        (["b/"], "b", True, True),
        (["b/"], "b", False, None),
        (["*.py", "!a.py"], "b/a.py", False, False),
        (["b/**/a.py"], "b/a.py", False, True),
        (["b/**"], "b", True, None),
        (["# a.py"], "a.py", False, None),
    ],
)
def test_verdict(lines: list[str], path: str, is_dir: bool, verdict: bool | None) -> None:
    assert Patterns.compile(lines).verdict(path, is_dir) is verdict


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    for path in PATHS:
        file = folder / path
        if path in ("b", "b/c"):
            file.mkdir(parents=True, exist_ok=True)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    return folder


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.sampled_from(PATTERNS), max_size=4))
def test_git_agrees(repository: Path, lines: list[str]) -> None:
    (repository / ".gitignore").write_text("\n".join(lines))
    command = ["git", "check-ignore", "-z", "--stdin", "--no-index"]
    answer = subprocess.run(command, input="\0".join(PATHS).encode(), cwd=repository, capture_output=True, check=False)
    ignored = {path.decode() for path in answer.stdout.split(b"\0") if path}
    scope = PatternScope.compile(repository, lines)
    assert {path for path in PATHS if _walked(scope, repository, path)} == ignored


def _walked(scope: PatternScope, root: Path, path: str) -> bool:
    """As a walk sees it: an entry is left out where it, or a folder above it, is."""
    parents = [parent for parent in reversed((root / path).parents) if root in parent.parents]
    if any(scope.verdict(parent, is_dir=True) for parent in parents):
        return True
    return bool(scope.verdict(root / path, (root / path).is_dir()))


def test_covers_looks_at_the_folders_above(tmp_path: Path) -> None:
    scope = PatternScope.compile(tmp_path, ["tests", "src/*.py"])
    assert scope.covers(tmp_path / "tests" / "deep" / "a.py")
    assert scope.covers(tmp_path / "src" / "a.py")
    assert not scope.covers(tmp_path / "src" / "deep" / "a.py")
    assert not scope.covers(tmp_path.parent / "tests" / "a.py")
