#!/usr/bin/env python3
"""What `qprep check` costs next to parsing the same files with LibCST, and how that grows with the number of files.

    python benchmarks/check_speed.py [--package timm] [--copies 1,4,16] [--rounds 3]

CPU seconds of whole processes (user and system, children of this one, taken in turn), peak memory, and the start-up
time of `qprep --version`. The ratio is that of the medians of one run.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

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


def copies(package: Path, number: int, folder: Path) -> Path:
    """A folder with `number` copies of a package, each under a name of its own."""
    for index in range(number):
        target = folder / f"copy{index}_{package.name}"
        shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--package", default="timm")
    parser.add_argument("--copies", default="1,4,16")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    spec = importlib.util.find_spec(options.package)
    if spec is None or spec.origin is None:
        sys.exit(f"{options.package} is not installed")
    package = Path(spec.origin).parent
    check = [sys.executable, "-m", "qprep", "check", "--isolated", "--output-format", "concise"]
    table = Table(title=f"qprep check next to libcst.parse_module, {options.package}")
    for heading in ("copies", "files", "parse CPU s", "check CPU s", "ratio", "check MiB", "CPU per file ms"):
        table.add_column(heading, justify="right")
    for number in map(int, options.copies.split(",")):
        with tempfile.TemporaryDirectory() as name:
            folder = copies(package, number, Path(name))
            files = sum(1 for _ in folder.rglob("*.py"))
            rounds = options.rounds if number == 1 else 1
            pairs = [
                (run([sys.executable, "-c", PARSE, str(folder)]), run([*check, str(folder)])) for _ in range(rounds)
            ]
            bare, ours = medians([pair[0] for pair in pairs]), medians([pair[1] for pair in pairs])
            table.add_row(
                str(number),
                str(files),
                f"{bare.cpu:.2f}",
                f"{ours.cpu:.2f}",
                f"{ours.cpu / bare.cpu:.2f}",
                f"{ours.memory:.0f}",
                f"{1000 * ours.cpu / files:.1f}",
            )
    console = Console()
    console.print(table)
    start = medians([run([sys.executable, "-m", "qprep", "--version"]) for _ in range(9)])
    console.print(f"qprep --version: {start.wall:.3f} s wall, {start.cpu:.3f} s CPU (limit 0.2 s)")


if __name__ == "__main__":
    main()
