"""Several files are rewritten as one, wherever the work is stopped: at every single step of it, one after another."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from qprep.foundation.errors import QprepError
from qprep.foundation.file_transaction.folder_lock import JOURNAL_NAME, FolderLock
from qprep.foundation.file_transaction.recover_files import recover
from qprep.foundation.file_transaction.replace_files import Replacement, replace_files

NAMES = ("ops.py", "net.py", "sub/head.py")
STEPS = ("open", "write", "fsync", "link", "replace", "unlink")  # the functions of `os` that change something
SAVED = b"saved by an editor"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by signals")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for name in NAMES:
        (tmp_path / name).write_bytes(b"old " + name.encode())
    return tmp_path


def wanted(tree: Path) -> list[Replacement]:
    return [Replacement(tree / name, b"new " + name.encode(), b"old " + name.encode()) for name in NAMES]


def texts(tree: Path) -> dict[str, bytes]:
    """The contents of all files, whatever lies there."""
    return {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def state(tree: Path) -> str:
    """The state of the tree as a whole: nothing half replaced, no additional files."""
    found = texts(tree)
    for word in ("old", "new"):
        if found == {name: f"{word} {name}".encode() for name in NAMES}:
            return word
    return f"mix: {found}"


def folders(tree: Path) -> list[Path]:
    return [tree, tree / "sub"]


@contextmanager
def before_step(number: int, act: Callable[[], object]) -> Iterator[list[str]]:
    """Do something just before step `number` of what runs inside; gives the steps that were come to."""
    real = {name: getattr(os, name) for name in STEPS}
    within = {**real, "fsync": lambda _: None}  # a killed process loses nothing that is written
    taken: list[str] = []

    def stepping(name: str) -> Callable[..., object]:
        def step(*args: object, **options: object) -> object:
            taken.append(name)
            if len(taken) == number:
                act()
            return within[name](*args, **options)

        return step

    for name in STEPS:
        setattr(os, name, stepping(name))
    try:
        yield taken
    finally:
        for name, function in real.items():
            setattr(os, name, function)


def killed_at(number: int, work: Callable[[], object]) -> bool:
    """True if a process was killed before this step of its work; False if it has fewer steps."""
    child = os.fork()
    if child == 0:
        with before_step(number, lambda: os.kill(os.getpid(), signal.SIGKILL)), suppress(BaseException):
            work()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def steps_of(tree: Path) -> list[str]:
    """The steps of one rewrite, in order."""
    with before_step(0, lambda: None) as taken:
        replace_files(wanted(tree))
    reset(tree)
    assert set(STEPS) == set(taken)
    return taken


def number_of_steps(tree: Path) -> int:
    return len(steps_of(tree))


def reset(tree: Path) -> None:
    for name in NAMES:
        (tree / name).write_bytes(b"old " + name.encode())


def test_all_files_are_replaced(tree: Path) -> None:
    replace_files(wanted(tree))
    assert state(tree) == "new"
    replace_files([])


def test_in_the_order_given(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replaced: list[str] = []
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        assert all(path.exists() for path in tree.rglob("*.new"))
        replaced.append(target.relative_to(tree).as_posix())
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    replace_files(list(reversed(wanted(tree))))
    assert replaced == list(reversed(NAMES))


def test_mode_and_link_are_kept(tree: Path) -> None:
    (tree / "ops.py").chmod(0o751)
    (tree / "link.py").symlink_to("ops.py")
    replace_files([Replacement(tree / "link.py", b"new", b"old ops.py")])
    assert (tree / "ops.py").read_bytes() == b"new"
    assert stat.S_IMODE((tree / "ops.py").stat().st_mode) == 0o751
    assert (tree / "link.py").is_symlink()


def test_killed_at_any_step(tree: Path) -> None:
    seen: set[str] = set()
    for number in range(1, number_of_steps(tree) + 1):
        assert killed_at(number, lambda: replace_files(wanted(tree)))
        recover(folders(tree))
        seen.add(state(tree))
        assert state(tree) in ("old", "new"), number
        reset(tree)
    assert seen == {"old", "new"}


@pytest.mark.parametrize("begin", ["sub", "."])
@pytest.mark.slow
def test_killed_again_in_the_recovery(begin: str, tree: Path) -> None:
    """At every step of what follows a kill between two files; the next run begins with one of the folders only."""
    steps = steps_of(tree)
    for first in [number for number, step in enumerate(steps, start=1) if step in ("replace", "link")] + [
        len(steps) - 3
    ]:
        for second in range(1, 60):
            reset(tree)
            killed_at(first, lambda: replace_files(wanted(tree)))
            again = killed_at(second, lambda: recover([tree / begin]))
            recover(folders(tree))
            assert state(tree) in ("old", "new"), (first, second)
            if not again:
                break


@pytest.mark.parametrize("by_rename", [False, True])
@pytest.mark.slow
def test_a_file_saved_after_the_kill(by_rename: bool, tree: Path) -> None:
    """A stopped replacement is undone or finished; the text that was saved survives in both cases."""
    total = number_of_steps(tree)
    for number in range(1, total + 1):
        for name in NAMES:
            killed_at(number, lambda: replace_files(wanted(tree)))
            save(tree / name, by_rename)
            recover(folders(tree))
            others = {text[:3] for other, text in texts(tree).items() if other != name}
            assert others in ({b"old"}, {b"new"}), (number, name)
            assert texts(tree).keys() == set(NAMES)
            assert (tree / name).read_bytes() == SAVED
            reset(tree)


def save(path: Path, by_rename: bool) -> None:
    if by_rename:
        other = path.with_name("tmp~")
        other.write_bytes(SAVED)
        other.rename(path)
    else:
        path.write_bytes(SAVED)


@pytest.mark.parametrize("by_rename", [False, True])
def test_a_file_saved_meanwhile(by_rename: bool, tree: Path) -> None:
    said: set[str] = set()
    for number in range(1, number_of_steps(tree) + 1):
        for name in NAMES:
            with before_step(number, partial(save, tree / name, by_rename)) as taken:
                try:
                    replace_files(wanted(tree))
                    expected = b"new"
                except QprepError as error:
                    said.add(str(error).partition(".py: ")[2])
                    expected = b"old"
            found = texts(tree)
            assert found.keys() == set(NAMES), (number, name)
            assert {text[:3] for other, text in found.items() if other != name} == {expected}, (number, name)
            if not (by_rename and taken[number - 1] == "replace"):  # the one moment that no check can see
                assert found[name] == SAVED, (number, name)
            reset(tree)
    assert said == {"the file changed while it was being fixed; no file was changed"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError(5, "Input/output error")])
def test_a_full_disk_at_any_step(error: OSError, tree: Path) -> None:
    def fail() -> None:
        raise error

    said: set[str] = set()
    for number in range(1, number_of_steps(tree) + 1):
        with before_step(number, fail):
            try:
                replace_files(wanted(tree))
                expected = "new"
            except QprepError as found:
                said.add(str(found))
                expected = "old"
        recover(folders(tree))
        assert state(tree) == expected, number
        reset(tree)
    assert said
    assert all(f"{error.strerror}; no file was changed" in sentence for sentence in said)


def test_a_disk_that_stays_full(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any step on nothing that needs room works, the marks in the journal included."""

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def fill() -> None:
        for name in ("write", "fsync", "link"):
            monkeypatch.setattr(os, name, refuse)

    for number in range(1, number_of_steps(tree) + 1):
        with before_step(number, fill):
            try:
                replace_files(wanted(tree))
                expected = "new"
            except QprepError:
                expected = "old"
            monkeypatch.undo()
        assert state(tree) == expected, number
        reset(tree)


def test_ctrl_c_at_any_step(tree: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    for number in range(1, number_of_steps(tree) + 1):
        with before_step(number, interrupt), pytest.raises(KeyboardInterrupt):
            replace_files(wanted(tree))
        recover(folders(tree))
        assert state(tree) in ("old", "new"), number
        reset(tree)


def test_a_read_only_file(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "net.py" or mode != os.W_OK)
    with pytest.raises(QprepError, match="net.py: the file is read-only; no file was changed"):
        replace_files(wanted(tree))
    assert state(tree) == "old"


def test_a_vanished_file(tree: Path) -> None:
    entries = wanted(tree)
    (tree / "net.py").unlink()
    with pytest.raises(
        QprepError, match=r"net\.py: the file cannot be written: No such file or directory; no file was"
    ):
        replace_files(entries)
    assert texts(tree) == {name: f"old {name}".encode() for name in NAMES if name != "net.py"}


def test_two_at_once(tree: Path) -> None:
    """The second one says so, whichever folder they share, and the first one goes on."""
    failures: list[str] = []

    def second() -> None:
        try:
            replace_files([Replacement(tree / "sub" / "head.py", b"x", b"old sub/head.py")])
        except QprepError as error:
            failures.append(str(error))
        assert recover(folders(tree)) == []  # a live one is not taken for a dead one

    steps = steps_of(tree)
    locked = range(steps.index("write") + 1, len(steps))  # from the journal's first byte to the last file's removal
    for number in locked:
        with before_step(number, second):
            replace_files(wanted(tree))
        assert state(tree) == "new"
        reset(tree)
    assert {failure.rpartition(str(tree))[2] for failure in failures} == {
        "/sub`; no file was changed",  # another run of qprep replaces files in it
        "/sub/head.py: the file changed while it was being fixed; no file was changed",
    }
    assert len(failures) == len(locked)


def test_a_lock_is_let_go_of(tree: Path) -> None:
    lock = FolderLock.take(tree)
    lock.release()
    replace_files(wanted(tree))
    assert state(tree) == "new"


def test_a_recovery_says_what_it_did(tree: Path) -> None:
    total = number_of_steps(tree)
    said: set[str] = set()
    for number in range(1, total + 1):
        killed_at(number, lambda: replace_files(wanted(tree)))
        for recovered in recover([tree]):
            said.add(recovered.verb)
            assert recovered.files == tuple(tree / name for name in NAMES)
        recover(folders(tree))
        reset(tree)
    assert said == {"finished"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"commit  ",
        b"commit  {}",
        b"nonsense",
        b'commit  {"key": "../x", "files": []}',
        b"pointer [1]\n",
        b"\xff" * 9,
    ],
)
def test_a_damaged_journal_is_removed(content: bytes, tree: Path) -> None:
    (tree / JOURNAL_NAME).write_bytes(content)
    assert recover(folders(tree)) == []
    assert state(tree) == "old"


def test_a_forged_journal_reaches_no_other_folder(tree: Path) -> None:
    """A project cannot make qprep replace or remove a file elsewhere: the other folder has no journal that agrees."""
    (tree / "project").mkdir()
    name = "../sub"
    for place in ("project/.qprep-abc-0.old", "sub/.qprep-abc-0.old", "sub/.qprep-abc-1.new"):
        (tree / place).write_bytes(b"evil")
    record = f'{{"key": "abc", "files": [["{name}", "head.py", "x", "y"], ["{name}", "head.py", "x", "y"]]}}'
    for phase in ("undo", "done", "commit", "prepare"):
        (tree / "project" / JOURNAL_NAME).write_text(f"{phase:8}{record}\n")
        with pytest.raises(QprepError, match="do not agree"):
            recover([tree / "project"])
        assert (tree / "sub" / "head.py").read_bytes() == b"old sub/head.py"
        assert (tree / "sub" / ".qprep-abc-0.old").read_bytes() == b"evil"


def test_a_journal_that_is_a_link_is_not_followed(tree: Path) -> None:
    (tree / "sub" / JOURNAL_NAME).symlink_to(tree / "ops.py")
    with pytest.raises(QprepError, match="can be neither finished nor undone"):
        recover(folders(tree))
    assert (tree / "ops.py").read_bytes() == b"old ops.py"


def test_without_hard_links(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    replace_files(wanted(tree))
    assert state(tree) == "new"
