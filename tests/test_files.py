from __future__ import annotations

import os
from pathlib import Path

import pytest

from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.discovery import Discovery, discover
from qprep.foundation.errors import QprepError
from qprep.foundation.source import display_path
from tests.fake_engine import RULES


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "b/c.py", "b/d.pyi", "b/e.txt", ".venv/f.py", "build/g.py", "n/h.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tmp_path


def find(*paths: str, options: Options | None = None, force: bool = False, given: tuple[str, ...] = ()) -> Discovery:
    resolver = SettingsResolver(RULES, options or Options(), force_exclude=force)
    return discover([Path(path) for path in paths], resolver, given=given)


def names(found: Discovery) -> list[str]:
    return [display_path(path) for path in found.files]


def test_walk_finds_python_files_in_order(tree: Path) -> None:
    assert tree.is_dir()
    assert names(find(".")) == ["a.py", "b/c.py"]
    assert names(find("b", "a.py", ".")) == ["a.py", "b/c.py"]


def test_named_files_are_always_read_unless_forced(tree: Path) -> None:
    assert tree.is_dir()
    assert names(find("build/g.py", "b/e.txt")) == ["b/e.txt", "build/g.py"]
    assert names(find("build/g.py", "a.py", force=True)) == ["a.py"]
    assert names(find("build")) == ["build/g.py"]
    assert names(find("build", force=True)) == []


def test_excludes(tree: Path) -> None:
    assert tree.is_dir()
    assert names(find(".", options=Options(extend_exclude=("b",)))) == ["a.py"]
    assert names(find(".", options=Options(exclude=("/a.py",)))) == [".venv/f.py", "b/c.py", "build/g.py"]


def test_excludes_of_a_configuration_are_relative_to_it(tree: Path) -> None:
    (tree / "b" / "qprep.toml").write_text('exclude = ["/c.py"]')
    (tree / "c.py").write_text("")
    assert names(find(".")) == ["a.py", "c.py"]


def test_gitignore_files_at_all_levels(tree: Path) -> None:
    (tree / ".git" / "info").mkdir(parents=True)
    (tree / ".git" / "info" / "exclude").write_text("/x.py\n")
    (tree / ".gitignore").write_text("*.py\n!a.py\n")
    (tree / "b" / ".gitignore").write_text("!c.py\n")
    (tree / "x.py").write_text("")
    (tree / "y.py").write_text("")
    assert names(find(".")) == ["a.py", "b/c.py"]
    assert names(find("b")) == ["b/c.py"]
    assert names(find("y.py")) == ["y.py"]
    assert names(find("y.py", "b/c.py", force=True)) == ["b/c.py"]
    assert names(find(".", options=Options(respect_gitignore=False))) == ["a.py", "b/c.py", "x.py", "y.py"]


def test_a_named_folder_is_walked_though_ignored(tree: Path) -> None:
    (tree / ".git").mkdir()
    (tree / ".gitignore").write_text("b/\n")
    assert names(find(".")) == ["a.py"]
    assert names(find("b")) == ["b/c.py"]


def test_missing_path(tree: Path) -> None:
    assert tree.is_dir()
    with pytest.raises(QprepError, match="expected a file or folder, found nothing at `none.py`"):
        find("a.py", "none.py")


def test_folder_without_python_files(tree: Path) -> None:
    (tree / "empty").mkdir()
    found = find("empty")
    assert (found.files, found.warnings) == ((), ("no Python files found under empty",))


def test_notebooks_are_read_and_special_files_are_not(tree: Path) -> None:
    (tree / "n" / "h.ipynb").write_text("")
    os.mkfifo(tree / "pipe.py")
    found = find("pipe.py", ".")
    assert names(found) == ["a.py", "b/c.py", "n/h.ipynb"]
    assert [(item.path, item.code) for item in found.problems] == [("pipe.py", "QP003")]


def test_links(tree: Path) -> None:
    (tree / "loop").symlink_to(tree)
    (tree / "0.py").symlink_to("a.py")
    (tree / "dead.py").symlink_to("nowhere.py")
    assert names(find(".")) == ["a.py", "b/c.py"]
    assert names(find("0.py")) == ["0.py"]
    assert names(find("loop/b")) == ["loop/b/c.py"]
    assert names(find("dead.py")) == ["dead.py"]  # reading it says what is wrong


def test_unreadable_folder_is_a_finding_and_the_rest_goes_on(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = find(".")
    assert names(found) == ["a.py"]
    assert [(item.path, item.code, item.message) for item in found.problems] == [
        ("b", "QP003", "the folder cannot be read: Permission denied")
    ]
    assert (tree / "b").is_dir()


def test_given_files_need_not_exist(tree: Path) -> None:
    assert not (tree / "pkg").exists()
    assert names(find("pkg/m.py", given=("pkg/m.py",))) == ["pkg/m.py"]
    assert names(find("build/m.py", given=("build/m.py",), force=True)) == []


def test_a_very_deep_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    deep = tmp_path.joinpath(*["d"] * 400)
    deep.mkdir(parents=True)
    (deep / "a.py").write_text("")
    assert len(find(".").files) == 1


def test_a_link_to_itself_is_a_finding(tree: Path) -> None:
    (tree / "loop.py").symlink_to("loop.py")
    (tree / "b" / "one.py").symlink_to("two.py")
    (tree / "b" / "two.py").symlink_to("one.py")
    (tree / "dangling.py").symlink_to("nowhere.py")
    found = find(".")
    assert names(found) == ["a.py", "b/c.py"]
    assert [finding.path for finding in found.problems] == ["b/one.py", "b/two.py", "loop.py"]
    assert {finding.code for finding in found.problems} == {"QP003"}


def test_a_link_out_of_the_paths_is_not_followed(tree: Path) -> None:
    (tree / "b" / "link.py").symlink_to("../a.py")
    found = find("b")
    assert names(found) == ["b/c.py"]
    assert found.warnings == ("`b/link.py` leads outside of the paths given, and nothing there is read or changed",)
    assert names(find(".")) == ["a.py", "b/c.py"]
    assert names(find("b", "a.py")) == ["a.py", "b/c.py"]
    assert names(find("b/link.py")) == ["b/link.py"]  # who names a link means what it leads to


def test_many_links_are_one_warning(tree: Path) -> None:
    for name in ("x.py", "y.py"):
        (tree / "b" / name).symlink_to("../a.py")
    assert find("b").warnings == (
        "`b/x.py` and 1 more lead outside of the paths given, and nothing there is read or changed",
    )


def test_a_pipe_as_an_ignore_file_is_not_waited_for(tree: Path) -> None:
    (tree / ".git").mkdir()
    os.mkfifo(tree / ".gitignore")
    assert names(find(".")) == ["a.py", "b/c.py"]
