"""The release script: its errors, and a whole release in a clone."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import qprep
from scripts import release

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A folder with the documents that name the version, the changelog dated."""
    for name in ("CHANGELOG.md", "CITATION.cff", *release.SNIPPETS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text(dated(changelog.read_text(encoding="utf-8")), encoding="utf-8")
    return tmp_path


def dated(changelog: str) -> str:
    """A changelog whose section of the version bears one date, whether it has such a section or not."""
    others = re.sub(rf"^## \[{re.escape(qprep.__version__)}\].*\n", "", changelog, flags=re.MULTILINE)
    return others.replace("## [Unreleased]\n", f"## [Unreleased]\n\n## [{qprep.__version__}] - 2026-12-24\n", 1)


def test_the_version_is_the_package_s() -> None:
    assert release.read_version() == qprep.__version__


def test_the_documents_name_the_version(documents: Path) -> None:
    release.check_documents(documents, qprep.__version__, must_be_dated=True)
    release.check_documents(ROOT, qprep.__version__, must_be_dated=False)


@pytest.mark.parametrize(
    ("name", "old", "message"),
    [
        ("CHANGELOG.md", "] - 2026-12-24", r"expected a section `## \[0"),
        ("CITATION.cff", "version: 0", "in CITATION.cff, found another"),
        ("README.md", "rev: v0", "in README.md, found"),
        ("docs/continuous-integration.md", "rev: v0", "in docs/continuous-integration.md, found"),
    ],
)
def test_a_document_of_another_version_is_refused(documents: Path, name: str, old: str, message: str) -> None:
    text = (documents / name).read_text()
    (documents / name).write_text(text.replace(old, old + "9"))
    with pytest.raises(release.ReleaseError, match=message):
        release.check_documents(documents, qprep.__version__, must_be_dated=True)


def test_another_tag_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["--tag", "v9.9.9", "--check"]) == 1
    assert f"expected the tag v{qprep.__version__}" in capsys.readouterr().err


@pytest.mark.parametrize("names", [["qprep/py.typed", "tests/test_a.py"], ["qprep/a.py"]])
def test_a_wheel_with_other_files_is_refused(names: list[str], tmp_path: Path) -> None:
    wheel = tmp_path / "qprep.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    with pytest.raises(release.ReleaseError, match="expected qprep/ with py.typed"):
        release.check_wheel(wheel)


def test_an_sdist_without_a_source_is_refused(tmp_path: Path) -> None:
    wheel, sdist = tmp_path / "qprep.whl", tmp_path / "qprep.tar.gz"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("qprep/py.typed", "qprep/a.py", "qprep.dist-info/METADATA"):
            archive.writestr(name, "")
    held = ["pyproject.toml", "LICENSE", "README.md", "qprep/py.typed", "qprep/a.py"]
    for names, message in ((held, ""), (held[:-1], r"expected qprep/a\.py in qprep\.tar\.gz")):
        with tarfile.open(sdist, "w:gz") as tar:
            for name in names:
                tar.addfile(tarfile.TarInfo(f"qprep-1/{name}"))
        if not message:
            release.check_sdist(sdist, wheel)
            continue
        with pytest.raises(release.ReleaseError, match=message):
            release.check_sdist(sdist, wheel)


def test_a_command_of_another_environment_gets_no_python_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    assert release.run("sh", "-c", "echo $PYTHONPATH") == ""
    assert release.run(sys.executable, "-c", "import os; print(os.environ['PYTHONPATH'])") == "somewhere"


def test_another_version_is_refused() -> None:
    command = ("sh", "-c", "echo qprep 1.2")
    assert release.check_version("1.2", *command) == "qprep 1.2"
    with pytest.raises(release.ReleaseError, match=r"expected `qprep 1\.3`, found `qprep 1\.2`"):
        release.check_version("1.3", *command)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of this repository with a dated changelog, as a release needs it."""
    if not (ROOT / ".git").exists():
        pytest.skip("the tests are not in a repository")
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--no-tags", str(ROOT), str(folder))
    changelog = folder / "CHANGELOG.md"
    changelog.write_text(dated(changelog.read_text(encoding="utf-8")), encoding="utf-8")
    git(folder, "commit", "--quiet", "--all", "--message", "release: date the changelog")
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def release_in(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the release script of a clone, which creates the tag of the version."""
    command = [sys.executable, str(folder / "scripts" / "release.py"), "--tag", f"v{qprep.__version__}"]
    identity = {f"GIT_COMMITTER_{name}": value for name, value in (("NAME", "Test"), ("EMAIL", "test@example.org"))}
    return subprocess.run(command, env=os.environ | identity, check=False, capture_output=True, text=True)


def test_changes_and_an_old_tag_are_refused(clone: Path) -> None:
    git(clone, "tag", f"v{qprep.__version__}")
    assert f"expected a new tag, found that v{qprep.__version__} exists" in release_in(clone).stderr
    (clone / "LICENSE").write_text("changed")
    assert "expected a clean work tree, found\nM LICENSE" in release_in(clone).stderr


@pytest.mark.slow
def test_a_release_ends_with_an_annotated_tag(clone: Path) -> None:
    installed = {each.name for each in importlib.metadata.distributions()}  # build/ is a folder of this repository, too
    missing = sorted({"build", "twine", "pipx"} - installed)
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}: pip install 'qprep[release]'")
    outcome = release_in(clone)
    assert outcome.returncode == 0, outcome.stderr
    assert "in an empty environment" in outcome.stdout
    assert f"pipx run: qprep {qprep.__version__}" in outcome.stdout
    tag = f"v{qprep.__version__}"
    assert git(clone, "cat-file", "-t", tag) == "tag"
    assert git(clone, "rev-parse", f"{tag}^{{commit}}") == git(clone, "rev-parse", "HEAD")
