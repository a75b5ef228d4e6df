"""A fix of several files, disturbed: is the tree afterwards the old one or the new one, and never a mix?

    python benchmarks/fix_is_atomic.py [--quick] [--seed 0]

A small package is copied and `qprep fix` runs on it in a process of its own, which is killed (SIGKILL) at a random
moment, meets a full disk, has a file saved by an editor meanwhile (in place, or by a rename), or runs beside another
`qprep fix`. A third of the moments lie anywhere in the run, a third while it writes, a third between the first files
that it replaces. After a kill the next run is a `qprep check`; only then the tree is looked at, with all that lies in
it. The disk is full in two ways: the operating system's calls fail with ENOSPC from a random one on, and, where
mounting is permitted, a tmpfs has a few kilobytes left. Ends with 1 where one tree is a mix, something is left behind,
or a run ends otherwise than with success or a clear error. `--quick` does a tenth of it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from qprep.cli import main as qprep
from qprep.foundation.file_transaction.folder_lock import JOURNAL_NAME

QUICK = ["--quick"]
OPS = """\
import torch


def mix(x, y):
    return torch.sigmoid(x) * y


def swish(x):
    return x * torch.sigmoid(x)
"""
NET = """\
from torch import nn

from pkg.ops import mix, swish


class Net{number}(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()

    def forward(self, x):
        return swish(mix(self.act(self.fc(x)), self.act(x)))
"""
SAVED = "\n# saved by an editor\n"
Tree = dict[str, str]


def original() -> Tree:
    """Nine users in three folders, before and after the file of definitions in the alphabet."""
    nets = [f"pkg/{place}net_{number}.py" for place in ("", "heads/", "stages/") for number in "abz"]
    packages = {f"pkg/{place}__init__.py": "" for place in ("", "heads/", "stages/")}
    files = {name: NET.format(number=number) for number, name in enumerate(nets)}
    return {**packages, "pkg/ops.py": OPS, **files}


def write(tree: Tree, folder: Path) -> None:
    """Make a copy of the package; what was there goes."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def read(folder: Path) -> Tree:
    """Everything that lies in a folder."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def start(folder: Path, *arguments: str, inside: Callable[[], None] = lambda: None) -> tuple[int, Path]:
    """Begin a run of qprep in a process of its own; its number, and the file that it says what it says in."""
    said = Path(tempfile.mkstemp(suffix=".txt")[1])
    child = os.fork()
    if child:
        return child, said
    with said.open("wb") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    os.chdir(folder)
    inside()
    code = 3
    with contextlib.suppress(BaseException):
        code = qprep([*arguments, "--no-cache", "pkg"])
    sys.stdout.flush()
    os._exit(code)


def end(child: int, said: Path) -> tuple[int, str]:
    """Wait for a run; its exit code, -9 where it was killed, and what it said."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    text = said.read_text()
    said.unlink()
    return code, text


@dataclass
class Results:
    """Count of each outcome, and the errors."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, outcome: str, fault: str | None = None) -> None:
        """Count one round."""
        self.counts[outcome] += 1
        if fault is not None:
            self.faults.append(fault)


class Bench:
    """The package, its fixed form, and the time that a run takes."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder / "tree"
        self.random = random.Random(seed)
        self.old = original()
        write(self.old, self.folder)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            qprep(["fix", "--diff", "--no-cache", str(self.folder)])  # its modules are loaded here, once for all
        begin = time.perf_counter()
        child, file = start(self.folder, "fix")
        self.seconds = 60.0
        self._wait_for(child, self._has_journal)
        journal = time.perf_counter()
        self._wait_for(child, lambda: not self._has_journal())
        self.window = time.perf_counter() - journal
        code, said = end(child, file)
        self.seconds = time.perf_counter() - begin
        self.new = read(self.folder)
        changed = {name for name, text in self.new.items() if self.old.get(name) != text}
        if code not in (0, 1) or len(changed) != len(self.old) - 3:
            sys.exit(f"the undisturbed fix changes {sorted(changed)}, ends with {code}: {said}")
        self.saved = {name: text and text + SAVED for name, text in self.old.items()}
        write(self.saved, self.folder)
        end(*start(self.folder, "fix"))
        self.saved_new = read(self.folder)

    def state(self, tree: Tree) -> str:
        """old | new | mix."""
        return "old" if tree == self.old else "new" if tree == self.new else "mix"

    def wait(self, child: int) -> None:
        """Wait for a random moment of a run: anywhere in it, while it writes, or between the first files replaced."""
        kind = self.random.randrange(3)
        if kind == 0:
            time.sleep(self.random.uniform(0, self.seconds))
        elif kind == 1:
            self._wait_for(child, self._has_journal)
            time.sleep(self.random.uniform(0, self.window))
        else:
            first = os.stat(self.folder / "pkg/ops.py").st_ino
            self._wait_for(child, lambda: os.stat(self.folder / "pkg/ops.py").st_ino != first)
            time.sleep(self.random.uniform(0, self.window / 20))

    def _has_journal(self) -> bool:
        return (self.folder / "pkg" / JOURNAL_NAME).exists()

    def _wait_for(self, child: int, happened: Callable[[], bool]) -> None:
        """Wait until something happens, or the run is over."""
        until = time.perf_counter() + 20 * self.seconds
        while not happened() and time.perf_counter() < until:
            if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return

    def kill(self) -> tuple[str, str | None]:
        """One kill, and the run after it; a run that ended before is begun again."""
        killed = False
        while not killed:
            write(self.old, self.folder)
            child, said = start(self.folder, "fix")
            self.wait(child)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            killed = end(child, said)[0] == -signal.SIGKILL
        between = {name: text for name, text in read(self.folder).items() if name.endswith(".py")}
        runs = imports_resolve(between)
        code, text = end(*start(self.folder, "check"))
        after = self.state(read(self.folder))
        left = f"{self.state(between)} → {after}"
        fault = None
        if after == "mix" or code not in (0, 1) or not runs:
            fault = f"after a kill: {left}, exit code {code}, imports resolve: {runs}; {text[-300:]}"
        return left, fault

    def fill(self) -> tuple[str, str | None]:
        """One full disk."""
        write(self.old, self.folder)
        steps = self.random.randrange(90)
        code, text = end(*start(self.folder, "fix", inside=lambda: fail_from(steps)))
        return self._clean("full disk", code, text, r"No space left on device; no file was changed")

    def fill_disk(self, disk: Path) -> tuple[str, str | None]:
        """One really full disk: a file system on which so many bytes are free."""
        write(self.old, disk / "tree")
        (disk / "filler").unlink(missing_ok=True)
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        left = self.random.choice([4096 * self.random.randrange(30), 4096 * self.random.randrange(8)])
        with (disk / "filler").open("wb") as stream:
            stream.write(bytes(max(0, free - left)))
        code, text = end(*start(disk / "tree", "fix"))
        after = read(disk / "tree")
        (disk / "filler").unlink()
        return self._clean("full disk", code, text, r"No space left on device; no file was changed", after)

    def _clean(self, what: str, code: int, said: str, error: str, tree: Tree | None = None) -> tuple[str, str | None]:
        after = self.state(read(self.folder) if tree is None else tree)
        refused = code == 2 and re.search(error, said) is not None
        right = (after == "old" and refused) or (after == "new" and code in (0, 1))
        return after, None if right else f"{what}: {after}, exit code {code}: {said[-300:]}"

    def save(self) -> tuple[str, str | None]:
        """One file saved by an editor meanwhile."""
        write(self.old, self.folder)
        name = self.random.choice([name for name, text in self.old.items() if text])
        child, said = start(self.folder, "fix")
        self.wait(child)
        path = self.folder / name
        if self.random.random() < 0.5:
            path.write_text(self.saved[name])
        else:
            other = path.with_name("saved~")
            other.write_text(self.saved[name])
            other.rename(path)
        code, text = end(child, said)
        after = read(self.folder)
        kept = after.pop(name, "")
        others = self.state({**after, name: self.old[name]}), self.state({**after, name: self.new[name]})
        state = "old" if "old" in others else "new" if "new" in others else "mix"
        right = code in (0, 1) if state == "new" else code == 2 and "changed while it was being fixed" in text
        held = kept in (self.saved[name], self.saved_new[name])
        fault = (
            None
            if right and held
            else f"a save of {name}: {state}, exit code {code}, kept: {held or kept}: {text[-300:]}"
        )
        return state, fault

    def twice(self) -> tuple[str, str | None]:
        """Two fixes at once."""
        write(self.old, self.folder)
        first = start(self.folder, "fix")
        time.sleep(self.random.choice((0, self.random.uniform(0, 0.1))))
        second = start(self.folder, "fix")
        ends = [end(*first), end(*second)]
        state = self.state(read(self.folder))
        errors = r"changed while it was being fixed; no file|another run of qprep replaces files in|run qprep again"
        clear = all(code in (0, 1) or (code == 2 and re.search(errors, text)) for code, text in ends)
        outcome = " and ".join(sorted("refused" if code == 2 else "done" for code, _ in ends))
        return f"{state}, {outcome}", None if state == "new" and clear else f"two at once: {state}, {ends}"


def imports_resolve(tree: Tree) -> bool:
    """True if every name that a file takes from the package's definitions exists."""
    names = re.findall(r"from pkg\.ops import (.+)", "\n".join(tree.values()))
    known = set(re.findall(r"^(?:def|class) (\w+)", tree["pkg/ops.py"], re.MULTILINE))
    return {name.strip() for line in names for name in line.split(",")} <= known


def fail_from(step: int) -> None:
    """From now on, from the call of this number on, what needs room on a disk fails as on a full one."""
    taken = 0

    def failing(function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            nonlocal taken
            is_writing = function.__name__ != "open" or int(args[1]) & os.O_CREAT  # type: ignore[call-overload]
            taken += bool(is_writing)
            if is_writing and taken > step:
                raise OSError(28, "No space left on device")
            return function(*args, **options)

        return call

    for name in ("open", "write", "link", "fsync"):
        setattr(os, name, failing(getattr(os, name)))


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of 256 kilobytes; None where mounting one is not permitted."""
    disk = folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield disk if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", str(disk)], check=False)


def rounds(times: int, once: Callable[[], tuple[str, str | None]]) -> Results:
    """So many times the same disturbance."""
    results = Results()
    for _ in range(times):
        results.add(*once())
    return results


def main() -> int:
    """Disturb fixes and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the rounds")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    share = 10 if options.quick else 1
    faults: list[str] = []

    def tell(what: str, results: Results) -> None:
        total = sum(results.counts.values())
        outcomes = ", ".join(f"{outcome}: {count}" for outcome, count in sorted(results.counts.items()))
        print(f"{total:4} × {what}: {len(results.faults)} faults ({outcomes})", flush=True)
        faults.extend(results.faults)

    with tempfile.TemporaryDirectory() as name, small_disk(Path(name)) as disk:
        bench = Bench(Path(name), options.seed)
        times = f"{bench.seconds:.2f} s undisturbed, {1000 * bench.window:.0f} ms of it to write"
        print(f"a fix of {len(bench.old) - 3} files, {times}", flush=True)
        tell("kill -9", rounds(200 // share, bench.kill))
        tell("disk full (failing calls)", rounds(50 // share, bench.fill))
        if disk is not None:
            tell("disk full (a small tmpfs)", rounds(50 // share, lambda: bench.fill_disk(disk)))
        tell("a file saved meanwhile", rounds(50 // share, bench.save))
        tell("two fixes at once", rounds(50 // share, bench.twice))
    for fault in faults:
        print(fault)
    print("a mix never" if not faults else f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
