#!/usr/bin/env python3
"""Cost of `qprep check` against parsing the same files with LibCST, and its growth with the number of files.

    python benchmarks/check_speed.py [--package timm] [--copies 1,4,16] [--rounds 3] [--quick]
    python benchmarks/check_speed.py --tree timm,torchvision,transformers/models [--jobs 2] [--tools FOLDER]
    python benchmarks/check_speed.py --one timm/models/resnet.py,torchvision/models/resnet.py [--checkout] [--limit 900]
    python benchmarks/check_speed.py --lengths 125,500,2000

CPU seconds of whole processes (user and system, children of this one, taken in turn), peak memory, and the start-up
time of `qprep --version`. The ratio is that of the medians of one run. `--quick` takes one and two copies of
torchvision/models and exits 1 where the ratio is above TIMES_PARSE, or where a file costs more than GROWTH times as
much among twice as many. With --tree: a copy of these folders is checked
by one process and by several, each filling an empty cache, again, and after a change to one file; what the first three
print must be the same bytes; and by other linters beside it, from the environment in FOLDER where they are no
neighbours of this Python; one that takes longer than --limit seconds is ended, and its row says so. The memory is that
of the largest process. With --one: each file is checked alone, in a copy of its package: without a cache, with one that
is empty, again, and after a change to the file. The package lies in the environment of a project, whose files are all
that stands beside it; with --checkout it is a project of its own, and its other files are read for what they do to the
file. With --lengths: long expressions and methods.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

QUICK = ["--quick"]
# Measured: 5.5 and 6.2 for torchvision/models (3.4 to 3.7 over all of torchvision). A third more is beyond noise.
TIMES_PARSE = 8.0
# Measured: 0.99. Time that is linear in the number of files gives 1; quadratic time would give nearly 2.
GROWTH = 1.3

PARSE = """
import sys
from pathlib import Path
import libcst
for path in sorted(Path(sys.argv[1]).rglob("*.py")):
    libcst.parse_module(path.read_bytes())
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """One process: CPU and wall seconds, peak memory in MiB."""

    cpu: float
    wall: float
    memory: float


def run(command: list[str]) -> Cost:
    """Run a command to its end and account for it alone."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error = process.stderr.read() if process.stderr is not None else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        sys.exit(f"{command[:4]} ended with {process.returncode}: {error.decode()[-500:]}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss / 1024)


def medians(costs: list[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in ("cpu", "wall", "memory")))


def broken_claims(ratios: Sequence[float], per_file: Sequence[float]) -> list[str]:
    """Sentences for the bars that are missed: check to parse time of each row, and CPU time of one file in each."""
    found = [
        f"expected at most {TIMES_PARSE} x the parse time, found {each:.2f}" for each in ratios if each > TIMES_PARSE
    ]
    growth = max(per_file) / per_file[0]
    if growth > GROWTH:
        found.append(f"expected at most {GROWTH} x the time of a file among more files, found {growth:.2f}")
    return found


def copies(package: Path, number: int, folder: Path) -> Path:
    """A folder with `number` copies of a package, each under a name of its own."""
    for index in range(number):
        target = folder / f"copy{index}_{package.name}"
        shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def tree_copy(names: list[str], folder: Path) -> Path:
    """A folder with a copy of each package, or of a folder in one; its packages stay packages."""
    for name in names:
        package, _, below = name.partition("/")
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            print(f"{package}: not installed, left out")
            continue
        source = Path(spec.origin).parent
        leave = shutil.ignore_patterns("__pycache__", "*.so", "*.bin")
        shutil.copytree(source, folder / package, ignore=leave)
        (folder / package / "checked").write_text(below)
    return folder


def run_within(command: list[str], limit: int) -> Cost | None:
    """Run a command to its end; None where it, or a process that it started, is not done by then."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    start = time.perf_counter()
    while time.perf_counter() - start < limit:
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            process.returncode = os.waitstatus_to_exitcode(status)
            return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss / 1024)
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return None


def over_tree(names: list[str], jobs: int, tools: Path | None, limit: int) -> None:
    """Measure and print the second table."""
    table = Table(title=f"one tree: {', '.join(names)}")
    for heading in ("what", "CPU s", "wall s", "largest process MiB", "of cold CPU"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    with tempfile.TemporaryDirectory() as name:
        folder = tree_copy(names, Path(name))
        marks = sorted(folder.glob("*/checked"))
        paths = [str(mark.parent / mark.read_text()) for mark in marks]
        files = sorted(path for root in paths for path in Path(root).rglob("*.py"))
        size = sum(path.stat().st_size for path in files)
        print(f"{len(files)} files, {size / 1e6:.1f} MB of source")
        check = [sys.executable, "-m", "qprep", "check", "--isolated", "--output-format", "concise", *paths]
        cached = [*check, "--cache-dir", str(folder / "cache")]
        beside = [*check, "--cache-dir", str(folder / "other"), "-j", str(jobs)]
        outputs = [folder / f"{number}.txt" for number in range(3)]
        cold = run([*cached, "-j", "1", "--output-file", str(outputs[0])])
        several = run([*beside, "--output-file", str(outputs[1])])
        warm = run([*cached, "--output-file", str(outputs[2])])
        texts = [output.read_bytes() for output in outputs]
        leaf = max((path for path in files if "models" in path.parts), key=str, default=files[-1])
        leaf.write_text(leaf.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
        changed = run([*cached, "-j", "1", "--output-file", str(outputs[0])])
        rows = [
            ("one process, empty cache", cold),
            (f"{jobs} processes, empty cache", several),
            ("nothing changed", warm),
            (f"one file changed ({leaf.relative_to(folder)})", changed),
        ]
        for title, cost in [*rows, *((tool, run_within(command, limit)) for tool, command in others(tools, paths))]:
            if cost is None:
                table.add_row(title, "", f"over {limit}", "", "")
                continue
            share = f"{100 * cost.cpu / cold.cpu:.1f} %"
            table.add_row(title, f"{cost.cpu:.2f}", f"{cost.wall:.2f}", f"{cost.memory:.0f}", share)
    console = Console(width=120)
    console.print(table)
    console.print(f"{jobs} processes: {cold.wall / several.wall:.2f} times as fast as one by the clock")
    console.print(f"output of all three the same bytes: {len(set(texts)) == 1}")


def environment(package: str, folder: Path, *, checkout: bool) -> Path:
    """A copy of a package: as a project of its own, or in the environment of a project that git leaves out."""
    (folder / "pyproject.toml").write_text("")
    (folder / ".git").mkdir()
    if not checkout:
        (folder / ".gitignore").write_text("/.venv/\n")
    place = folder if checkout else folder / ".venv" / "site-packages"
    place.mkdir(parents=True, exist_ok=True)
    return tree_copy([package], place)


def over_files(names: list[str], limit: int, *, checkout: bool) -> None:
    """Measure and print what one file of a package costs."""
    ways = ("no cache", "empty cache", "nothing changed", "file changed")
    table = Table(title=f"CPU seconds of one file, {'in its checkout' if checkout else 'of an installed package'}")
    for heading in ("file", *ways, "same output"):
        table.add_column(heading, justify="left" if heading == "file" else "right")
    changed: list[float] = []
    for name in names:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            path = environment(name.partition("/")[0], folder, checkout=checkout) / name
            if not path.is_file():
                continue
            check = [sys.executable, "-m", "qprep", "check", "--isolated", "--output-format", "json", str(path)]
            outputs = [folder / f"{number}.txt" for number in range(5)]
            cached = [*check, "--cache-dir", str(folder / "cache")]
            runs = [[*check, "--no-cache"], cached, cached, cached, [*check, "--no-cache"]]
            costs: list[Cost | None] = []
            for number, (command, output) in enumerate(zip(runs, outputs, strict=True)):
                if number == 3:
                    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
                costs.append(run_within([*command, "--output-file", str(output)], limit))
            texts = [output.read_bytes() if output.exists() else b"" for output in outputs]
            same = texts[0] == texts[1] == texts[2] and texts[3] == texts[4]
            figures = [f"{cost.cpu:.2f}" if cost is not None else f"over {limit}" for cost in costs[:4]]
            table.add_row(name, *figures, str(same))
            changed += [cost.cpu for cost in costs[3:4] if cost is not None]
    console = Console(width=120)
    console.print(table)
    if changed:
        console.print(f"file changed, median: {statistics.median(changed):.2f}")


LONG: dict[str, Callable[[int], str]] = {
    "terms of a sum": lambda length: f"        return {' + '.join(['x'] * length)}\n",
    "calls in a sum": lambda length: f"        return {' + '.join(['F.relu(x)'] * length)}\n",
    "statements": lambda length: (
        "".join(f"        x = F.relu(self.fc(x) + {n})\n" for n in range(length)) + "        return x\n"
    ),
    "hundreds of items of a literal": lambda length: f"        return x + len([{'1, ' * (100 * length)}])\n",
}
LONG_HEAD = """\
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
"""


def over_lengths(lengths: list[int]) -> None:
    """Measure and print how the cost of one file grows with its longest expression or method."""
    table = Table(title="CPU seconds of one file, by the length of its longest part")
    for heading in ("what", *map(str, lengths)):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for title, make in LONG.items():
        figures = []
        for length in lengths:
            with tempfile.TemporaryDirectory() as name:
                path = Path(name) / "net.py"
                path.write_text(LONG_HEAD + make(length))
                check = [
                    sys.executable,
                    "-m",
                    "qprep",
                    "check",
                    "--isolated",
                    "--no-cache",
                    "--output-format",
                    "concise",
                ]
                figures.append(f"{run([*check, str(path)]).cpu:.2f}")
        table.add_row(title, *figures)
    Console().print(table)


def others(tools: Path | None, paths: list[str]) -> list[tuple[str, list[str]]]:
    """Other linters that are installed, each with the rules nearest to ours or those of its own."""
    commands = {
        "torchfix": ["torchfix", "--select", "ALL"],
        "flake8": ["flake8", "--isolated", "-j", "1", "--select", "E,F,W"],
        "ruff": ["ruff", "check", "--isolated", "--no-cache", "--exit-zero"],
    }
    places = [str(tools)] if tools is not None else [str(Path(sys.executable).parent)]
    found = {name: shutil.which(name, path=os.pathsep.join(places)) for name in commands}
    return [(name, [path, *commands[name][1:], *paths]) for name, path in found.items() if path is not None]


def main() -> int:
    """Measure and print; 1 where a claim of --quick fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--package", default="timm")
    parser.add_argument("--copies", default="1,4,16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tree", help="packages, or folders in them, to check together")
    parser.add_argument("--one", help="files of packages, each to be checked alone")
    parser.add_argument("--checkout", action="store_true", help="with --one: the package is a project of its own")
    parser.add_argument("--lengths", help="lengths of expressions and methods")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=int, default=900, help="seconds that another linter may take")
    parser.add_argument("--tools", type=Path, help="a folder of programs: torchfix, flake8, ruff")
    parser.add_argument("--quick", action="store_true", help="a small tree, and an exit code")
    options = parser.parse_args()
    if options.quick:
        options.package, options.copies, options.rounds = "torchvision/models", "1,2", 1
    if options.tree:
        over_tree(options.tree.split(","), options.jobs, options.tools, options.limit)
        return 0
    if options.one:
        over_files(options.one.split(","), options.limit, checkout=options.checkout)
        return 0
    if options.lengths:
        over_lengths([int(length) for length in options.lengths.split(",")])
        return 0
    name, _, below = options.package.partition("/")
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        print(f"skipped: {name} is not installed")
        return 0
    package = Path(spec.origin).parent / below
    check = [sys.executable, "-m", "qprep", "check", "--isolated", "--no-cache", "--output-format", "concise"]
    table = Table(title=f"qprep check next to libcst.parse_module, {options.package}")
    for heading in ("copies", "files", "parse CPU s", "check CPU s", "ratio", "check MiB", "CPU per file ms"):
        table.add_column(heading, justify="right")
    ratios, per_file = [], []
    for number in map(int, options.copies.split(",")):
        with tempfile.TemporaryDirectory() as name:
            folder = copies(package, number, Path(name))
            files = sum(1 for _ in folder.rglob("*.py"))
            rounds = options.rounds if number == 1 else 1
            pairs = [
                (run([sys.executable, "-c", PARSE, str(folder)]), run([*check, str(folder)])) for _ in range(rounds)
            ]
            bare, ours = medians([pair[0] for pair in pairs]), medians([pair[1] for pair in pairs])
            ratios.append(ours.cpu / bare.cpu)
            per_file.append(1000 * ours.cpu / files)
            table.add_row(
                str(number),
                str(files),
                f"{bare.cpu:.2f}",
                f"{ours.cpu:.2f}",
                f"{ratios[-1]:.2f}",
                f"{ours.memory:.0f}",
                f"{per_file[-1]:.1f}",
            )
    console = Console()
    console.print(table)
    start = medians([run([sys.executable, "-m", "qprep", "--version"]) for _ in range(9)])
    console.print(f"qprep --version: {start.wall:.3f} s wall, {start.cpu:.3f} s CPU (limit 0.2 s)")
    if not options.quick:
        return 0
    failed = broken_claims(ratios, per_file)
    print("\n".join(failed) or "all claims hold")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
