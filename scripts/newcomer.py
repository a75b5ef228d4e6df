"""Play a newcomer: type what a page says, block after block, in an empty folder, and print what happens.

    python scripts/newcomer.py [--install | --install-only] [--folder FOLDER] [docs/start.md]

Files of the page are written, `console` blocks are run as they stand. With --install the page's install commands run as
well, in an environment in the folder and with this checkout; otherwise the Python that runs this script is used. With
--install-only nothing else of the page runs. Prints the exit code, seconds and last line of each command; exits 1 if a
command has another exit code, or prints other lines than the page shows. Numbers may differ by a fifth.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from scripts.documents import ROOT, Block, Command, blocks, commands, is_shown

_PACKAGE = re.compile(r"(^pip install \"?)qprep\b")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A command that ran, and what differs from the page ("" if nothing)."""

    command: str
    code: int
    seconds: float
    last: str
    fault: str = ""


def main(arguments: list[str]) -> int:
    """Play one page; 1 where it is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("page", nargs="?", type=Path, default=ROOT / "docs" / "start.md")
    parser.add_argument("--install", action="store_true", help="also run the install commands")
    parser.add_argument("--install-only", action="store_true", help="run the install commands only")
    parser.add_argument("--folder", type=Path, help="an empty folder to work in; it is kept")
    options = parser.parse_args(arguments)
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
        if any(options.folder.iterdir()):
            parser.error(f"expected an empty folder, found files in {options.folder}")
        return play(selected(options), options.folder.resolve(), options.install or options.install_only)
    with tempfile.TemporaryDirectory() as folder:
        return play(selected(options), Path(folder), options.install or options.install_only)


def selected(options: argparse.Namespace) -> tuple[Block, ...]:
    """The blocks of the page that are played: all, or the install commands."""
    found = blocks(options.page.resolve())
    return tuple(each for each in found if each.value("install") is not None) if options.install_only else found


def play(found: tuple[Block, ...], folder: Path, install: bool) -> int:
    """Run the blocks in the folder."""
    started, faults = time.monotonic(), 0
    print(f"{'exit':>4} {'seconds':>8}  command → last line")
    for block in found:
        for outcome in run_block(block, folder, install):
            print(
                f"{outcome.code:>4} {outcome.seconds:>8.1f}  $ {outcome.command}\n{'':>15}→ {outcome.last}", flush=True
            )
            if outcome.fault:
                faults += 1
                print(f"{block.place}: {outcome.fault}", flush=True)
    print(f"{time.monotonic() - started:.0f} seconds, {faults} commands differ from the page")
    return 1 if faults else 0


def run_block(block: Block, folder: Path, install: bool) -> Iterator[Outcome]:
    """Write the block's file, or run its commands."""
    if (name := block.value("file")) is not None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(block.text, encoding="utf-8")
    elif block.value("install") is not None and install:
        if ".venv" not in block.text and not (folder / ".venv").is_dir():
            yield run(Command("python3 -m venv .venv", ()), folder, 0)
        for line in block.text.splitlines():
            yield run(Command(_PACKAGE.sub(lambda found: f"{found[1]}{ROOT}", line), ("…",)), folder, 0)
    elif block.language == "console":
        for command in commands(block):
            yield run(command, folder, int(block.value("exit") or 0))


def run(command: Command, folder: Path, expected: int) -> Outcome:
    """Run one command in the folder, and compare it with the page."""
    started = time.monotonic()
    outcome = subprocess.run(
        ["bash", "-c", command.text],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = [line for line in outcome.stdout.splitlines() if line.strip()]
    fault = ""
    if outcome.returncode != expected:
        fault = f"expected exit code {expected}, found {outcome.returncode}:\n{outcome.stdout}"
    elif not is_shown(command.shown, outcome.stdout):
        fault = f"expected other output, found:\n{outcome.stdout}"
    last = lines[-1] if lines else ""
    return Outcome(command.text, outcome.returncode, time.monotonic() - started, last, fault)


def environment(folder: Path) -> dict[str, str]:
    """The environment in the folder, with the caller's PYTHONPATH; without one, that of this checkout.

    The caller's options for pytest are left out, since they change the output that a page shows.
    """
    found = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    found.pop("PYTEST_ADDOPTS", None)
    own = folder / ".venv" / "bin"
    if own.is_dir():
        return {**found, "PATH": f"{own}{os.pathsep}{found['PATH']}", "VIRTUAL_ENV": str(own.parent)}
    tools = folder / ".tools"
    if not tools.is_dir():
        tools.mkdir()
        for name, arguments in (("python", ""), ("qprep", "-m qprep ")):
            (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n', encoding="utf-8")
            (tools / name).chmod(0o755)
    paths = os.pathsep.join(filter(None, (str(ROOT), found.get("PYTHONPATH"))))
    return {**found, "PATH": f"{tools}{os.pathsep}{found['PATH']}", "PYTHONPATH": paths}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
