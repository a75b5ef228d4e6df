"""Check every file of the standard library and of installed packages, fix copies of them, and mutated files too.

    python scripts/soak.py [--packages torch,timm] [--mutants 20000] [--seed 0] [--jobs 1] [--limit 0]

For each tree: `qprep check` ends with 0 or 1 and reports no failure of its own; `qprep fix` of a copy ends with 0 or 1,
takes nothing back, changes no file that did not compile, and every file that it changed compiles. For each mutant (a
real file with characters, words or lines damaged, or in another encoding): the same, by the engine itself. Prints one
line a tree, and what went wrong; exits with 1 for that.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from qprep.engine import runs
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.rule_registry import all_rules
from qprep.foundation.deep_recursion import run_with_large_stack
from qprep.foundation.errors import QprepError
from qprep.foundation.internal_rules import ANALYSIS_FAILED

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = "torch,torchvision,timm,transformers,scipy,sympy"
_SEEDS = 40  # real files that mutants are made of
_SMALL = 12_000  # bytes; larger ones take long and show nothing else


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder to go through, and its name."""

    name: str
    folder: Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Go through all that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--packages", default=PACKAGES, help="installed packages; `stdlib` is the standard library")
    parser.add_argument("--mutants", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args(arguments)
    names = [name for name in options.packages.split(",") if name]
    faults: list[str] = []
    for tree in trees(names):
        faults += go_through(tree, options.jobs)
    if options.mutants:
        faults += mutants(options.mutants, options.seed)
    for fault in faults:
        print(f"WRONG {fault}", flush=True)
    return 1 if faults else 0


def trees(names: Sequence[str]) -> Iterator[Tree]:
    """The folders of the packages that are installed."""
    for name in names:
        if name == "stdlib":
            yield Tree(name, Path(sysconfig.get_path("stdlib")))
            continue
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            print(f"{name}: not installed", flush=True)
        else:
            yield Tree(name, Path(spec.origin).parent)


def go_through(tree: Tree, jobs: int) -> list[str]:
    """Check and fix a copy of a tree; what went wrong."""
    start = time.process_time() + sum(os.times()[2:4])
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / tree.folder.name
        leave = shutil.ignore_patterns("__pycache__", "site-packages", "*.so", "*.a", "*.bin")
        shutil.copytree(tree.folder, copy, ignore=leave, symlinks=True)
        files = sorted(path for path in copy.rglob("*.py") if path.is_file())
        before = {path: path.read_bytes() for path in files}
        faults, found = _check(tree, copy, jobs)
        faults += _fix(tree, copy, jobs)
        changed = [path for path in files if path.read_bytes() != before[path]]
        for path in changed:
            where = f"{tree.name}: {path.relative_to(copy)}"
            if not compiles(before[path]):
                faults.append(f"{where}: was changed though it did not compile")
            elif not compiles(path.read_bytes()):
                faults.append(f"{where}: does not compile any more")
        faults += [f"{tree.name}: {path.name} was left behind" for path in copy.rglob("*.qprep")]
    spent = time.process_time() + sum(os.times()[2:4]) - start
    print(
        f"{tree.name}: {len(files)} files, {found} findings, {len(changed)} files rewritten, "
        f"{len(faults)} faults, {spent:.0f} s CPU",
        flush=True,
    )
    return faults


def _check(tree: Tree, copy: Path, jobs: int) -> tuple[list[str], int]:
    done = _qprep("check", "--output-format", "json", "--isolated", "--no-cache", "-j", str(jobs), str(copy))
    if done.returncode not in (0, 1):
        return [f"{tree.name}: check ended with {done.returncode}: {done.stderr[-300:]}"], 0
    findings = json.loads(done.stdout)
    faults = [f"{tree.name}: {f['filename']}: {f['message']}" for f in findings if f["code"] == ANALYSIS_FAILED.code]
    if bool(findings) != bool(done.returncode):
        faults.append(f"{tree.name}: check ended with {done.returncode} and {len(findings)} findings")
    return faults, len(findings)


def _fix(tree: Tree, copy: Path, jobs: int) -> list[str]:
    done = _qprep("fix", "--output-format", "json", "--isolated", "--no-cache", "-j", str(jobs), str(copy))
    if done.returncode in (0, 1):
        left = json.loads(done.stdout)
        return [] if bool(left) == bool(done.returncode) else [f"{tree.name}: fix ended with {done.returncode}"]
    return [f"{tree.name}: fix ended with {done.returncode}: {line}" for line in done.stderr.splitlines()[-20:]]


def _qprep(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "qprep", *arguments, "--no-respect-gitignore", "--exclude", "no-such-file"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def compiles(data: bytes) -> bool:
    """True if CPython compiles a file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(data, "file.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


# Mutants


def mutants(number: int, seed: int, sources: Sequence[Path] = ()) -> list[str]:
    """Check and fix mutants of real files; what went wrong, with the seed that makes it again."""
    paths = list(sources) or _seeds(seed)
    texts = [path.read_bytes() for path in paths]
    faults: list[str] = []
    tally = {"compile": 0, "rewritten": 0}
    start = time.process_time()
    for count in range(number):
        made = mutant(random.Random(f"{seed}:{count}"), texts)
        wrong = run_with_large_stack(partial(try_one, made, tally))
        faults += [f"mutant {seed}:{count}: {fault}" for fault in wrong]
        if count % 2_000 == 1_999:
            print(f"{count + 1} mutants, {len(faults)} faults", flush=True)
    print(
        f"{number} mutants of {len(texts)} files: {tally['compile']} compile, {tally['rewritten']} rewritten, "
        f"{len(faults)} faults, {time.process_time() - start:.0f} s CPU",
        flush=True,
    )
    return faults


def _seeds(seed: int) -> list[Path]:
    """Real models, and what the tests hold of odd ones."""
    found = [*(ROOT / "fixtures").rglob("*.py")]
    for tree in trees(["timm", "torchvision"]):
        found += tree.folder.rglob("*.py")
    small = sorted(path for path in found if 200 < path.stat().st_size < _SMALL and b"forward" in path.read_bytes())
    return random.Random(seed).sample(small, min(_SEEDS, len(small)))


def mutant(chance: random.Random, texts: Sequence[bytes]) -> bytes:
    """One of the texts with some damage."""
    data = chance.choice(texts)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        data = chance.choice(_DAMAGES)(chance, data, texts)
    return data


def _drop_bytes(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[at + chance.choice((1, 2, 7, 80)) :]


def _add_bytes(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(_ODD) + data[at:]


def _swap_lines(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True)
    if len(lines) > 1:
        first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def _drop_line(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True)
    if lines:
        del lines[chance.randrange(len(lines))]
    return b"".join(lines)


def _repeat_lines(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True)
    at = chance.randrange(len(lines) + 1)
    return b"".join(lines[:at] + lines[at : at + chance.choice((1, 3, 20))] + lines[at:])


def _graft(chance: random.Random, data: bytes, texts: Sequence[bytes]) -> bytes:
    """Lines of another file."""
    lines, other = data.splitlines(keepends=True), chance.choice(texts).splitlines(keepends=True)
    at, start = chance.randrange(len(lines) + 1), chance.randrange(len(other) + 1)
    return b"".join(lines[:at] + other[start : start + chance.choice((1, 5, 30))] + lines[at:])


def _replace_word(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    words = data.split(b" ")
    words[chance.randrange(len(words))] = chance.choice(_WORDS)
    return b" ".join(words)


def _change_newlines(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\n\n", b"\n\x0c")))


def _change_encoding(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    head = chance.choice(
        (b"\xef\xbb\xbf", b"# -*- coding: latin-1 -*-\n", b"# coding: utf-16\n", b"# coding: ascii\n", b"")
    )
    return head + data + chance.choice((b"# \xe9\n", "# ü漢\n".encode(), b""))


def _indent(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True)
    at = chance.randrange(len(lines) + 1)
    indent = chance.choice((b"    ", b"\t", b" ", b"if True:\n    "))
    return b"".join(
        [*lines[:at], *(indent + line for line in lines[at : at + chance.choice((1, 4))]), *lines[at + 4 :]]
    )


_DAMAGES = (
    _drop_bytes, _add_bytes, _swap_lines, _drop_line, _repeat_lines, _graft, _replace_word, _change_newlines,
    _change_encoding, _indent,
)  # fmt: skip
_ODD = (
    b"(", b")", b"]", b"\\", b"\\\n", b"\0", b"\t", b"\x0c", b"'''", b'"', b"#", b";", b":", b" + x", b" * ", b"\xff",
    b"@", b"\r", b"self.", b"lambda x: x + ", b"await ", b"yield ", b"(y := x + 1)", b"{x + x}", b"f'{x + 1}'", b"*",
    b"**", b"# qprep: ignore[QP101]", b"# qprep: ignore-file[QP1]\n", b"async ", b"match x:\n", b"\xc3\xa4",
    b"0" * 5000,
)  # fmt: skip
_WORDS = (
    b"self", b"x", b"None", b"forward", b"__init__", b"super().__init__()", b"+", b"-", b"@", b"and", b"if", b"for",
    b"in", b"torch.add(x,", b"nn.ReLU()", b"del", b"global", b"nonlocal", b"class", b"def", b"return", b"lambda:",
    b"x,", b"*x,", b"self.relu", b"import", b"F", b"pass", b"not", b"try:", b"with",
)  # fmt: skip


def try_one(data: bytes, tally: dict[str, int]) -> list[str]:
    """Check and fix one file's bytes; what went wrong."""
    path, settings = Path("mutant.py"), SettingsResolver(all_rules(), isolated=True)
    overlay = {"mutant.py": data}
    sound = compiles(data)
    tally["compile"] += sound
    try:
        found = runs.check([path], settings, overlay=overlay)
        fixed = runs.fix([path], settings, write=False, overlay=overlay)
    except QprepError as error:
        return [f"an error of the user's: {error}"]
    except Exception as error:  # noqa: BLE001  (that is what is looked for)
        return [f"{type(error).__name__}: {error}"]
    faults = [f.message for f in (*found.findings, *fixed.remaining) if f.code == ANALYSIS_FAILED.code]
    silent = not any(finding.code.startswith("QP00") for finding in found.findings)
    if not sound and silent and not _is_parsed(data):
        faults.append("does not compile, and no finding says so")
    for entry in fixed.changed:
        tally["rewritten"] += 1
        if not sound:
            faults.append("was rewritten though it does not compile")
        elif not compiles(entry.old.encode(entry.new_text)):
            faults.append("does not compile after the rewrite")
    return faults


def _is_parsed(data: bytes) -> bool:
    """True if the parser accepts a text that the compiler rejects: `return` outside of a function."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
