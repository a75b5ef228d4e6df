"""Run the quick claim of every benchmark; print a table and exit 1 where a claim no longer holds.

python scripts/bench.py [--only TEXT] [--jobs N] [--limit SECONDS] [--folder DIR]

A benchmark is a script in benchmarks/ with a main guard. Its module-level QUICK, a list of strings, holds the
command-line arguments of its quick claim; it is read without importing the file. A benchmark keeps its claim where it
exits with 0. One whose data or package is missing exits with 0 and prints "skipped: …" last. One without QUICK gives
the reason in the last line of its docstring. All figures are ratios of runs in turn, or accuracies, so two benchmarks
run side by side.
"""

from __future__ import annotations

import argparse
import ast
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 600.0  # seconds: the slowest, prepared_imports, takes 255 alone and over 300 beside another one
TAIL = 15  # lines of a failed benchmark's output: a table's last rows or the end of a traceback
WIDTH = 100  # characters of a last line, so that a row stays one line of a wide terminal


class State(Enum):
    """The result of one benchmark."""

    HOLDS = "holds"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED OUT"
    SKIPPED = "skipped"
    NO_CLAIM = "no quick claim"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One script: the arguments of its quick claim, None where it has none, and its docstring's last line."""

    path: Path
    quick: tuple[str, ...] | None
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row: wall seconds, the exit code (None where nothing ran to its end) and the end of the output."""

    benchmark: Benchmark
    state: State
    seconds: float = 0.0
    code: int | None = None
    output: tuple[str, ...] = ()

    @property
    def last_line(self) -> str:
        """The last line that the benchmark printed, or the reason why it has no quick claim."""
        return self.benchmark.reason if self.state is State.NO_CLAIM else next(iter(self.output[-1:]), "")


def read_benchmark(path: Path) -> Benchmark | None:
    """The benchmark in a file; None for a module that others import. Raises ValueError where QUICK is no literal."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    if not any(_is_main_guard(node) for node in tree.body):
        return None
    reason = (ast.get_docstring(tree) or "no docstring").splitlines()[-1]
    values = [node.value for node in tree.body if isinstance(node, ast.Assign) and _assigns_quick(node)]
    return Benchmark(path, _arguments(values[-1], path) if values else None, reason)


def _assigns_quick(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "QUICK" for target in node.targets)


def _arguments(node: ast.expr, path: Path) -> tuple[str, ...]:
    where = f"{path}:{node.lineno}: expected QUICK to be a list of strings, found {ast.unparse(node)}"
    try:
        value = ast.literal_eval(node)
    except ValueError as error:
        raise ValueError(where) from error
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(where)
    return tuple(value)


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def discover(folder: Path) -> list[Benchmark]:
    """All benchmarks of a folder, by name."""
    found = (read_benchmark(path) for path in sorted(folder.glob("*.py")))
    return [each for each in found if each is not None]


def run(benchmark: Benchmark, limit: float) -> Outcome:
    """Run the quick claim in a process of its own, for at most `limit` seconds."""
    if benchmark.quick is None:
        return Outcome(benchmark, State.NO_CLAIM)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(benchmark.path), *benchmark.quick]
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # with the processes that it started
            process.wait()
            code = None
        file.seek(0)
        lines = tuple(line.rstrip() for line in file if line.strip())
    return Outcome(benchmark, _state(code, lines), time.perf_counter() - start, code, lines[-TAIL:])


def _state(code: int | None, lines: Sequence[str]) -> State:
    if code is None:
        return State.TIMED_OUT
    if code:
        return State.FAILED
    return State.SKIPPED if lines and lines[-1].startswith("skipped: ") else State.HOLDS


def table(outcomes: Sequence[Outcome]) -> str:
    """One line a benchmark: its name, seconds, exit code, state and last line."""
    rows = [f"{'benchmark':24} {'seconds':>8} {'exit':>5}  {'state':14}  last line"]
    for each in outcomes:
        code = "-" if each.code is None else str(each.code)
        last = each.last_line[:WIDTH]
        rows.append(
            f"{each.benchmark.path.stem:24} {each.seconds:8.1f} {code:>5}  {each.state.value:14}  {last}".rstrip()
        )
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print; 1 where a benchmark fails or takes too long, or where none is found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="benchmarks whose name holds this")
    parser.add_argument("--jobs", type=int, default=2, help="benchmarks that run side by side")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds that one benchmark may take")
    parser.add_argument("--folder", type=Path, default=ROOT / "benchmarks")
    options = parser.parse_args(arguments)
    try:
        chosen = [each for each in discover(options.folder.resolve()) if options.only in each.path.stem]
    except (OSError, SyntaxError, ValueError) as error:
        print(error)
        return 1
    if not chosen:
        print(f"expected a benchmark whose name holds {options.only!r} in {options.folder}, found none")
        return 1
    start = time.perf_counter()
    with ThreadPoolExecutor(max(1, options.jobs)) as pool:
        outcomes = list(pool.map(partial(run, limit=options.limit), chosen))
    failed = [each for each in outcomes if each.state in {State.FAILED, State.TIMED_OUT}]
    for each in failed:
        print(f"{each.benchmark.path.name} {' '.join(each.benchmark.quick or ())}", *each.output, sep="\n    ")
    print(table(outcomes))
    counts = {state: sum(each.state is state for each in outcomes) for state in State}
    ends = ", ".join(f"{count} {state.value}" for state, count in counts.items() if count)
    print(f"{ends}; {time.perf_counter() - start:.0f} s")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
