"""Run the commands of the documents and write their output into them; with --check, say what would change instead.

A fence behind `<!-- file: NAME -->` is a file; the commands of `console` fences run one after another in a folder with
those files. A `console` block behind a comment, such as `<!-- same as: PAGE -->`, is not changed.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "screens.md", ROOT / "docs" / "check-and-fix.md")
_FILE = re.compile(r"<!-- file: (?P<name>\S+) -->\n```\w*\n(?P<text>.*?)```\n", re.DOTALL)
_CONSOLE = re.compile(r"(?<!-->\n)```console\n(?P<prompt>\$ (?P<command>[^\n]*)\n).*?```\n", re.DOTALL)


def main(arguments: list[str]) -> int:
    """Write the documents; with --check, 1 where one is not as it would be written."""
    outdated = 0
    for document in DOCUMENTS:
        old = document.read_text(encoding="utf-8")
        new = rendered(old)
        if "--check" not in arguments:
            document.write_text(new, encoding="utf-8")
        elif new != old:
            print(f"{document.relative_to(ROOT)} is out of date: run scripts/readme.py")
            outdated = 1
    return outdated


def rendered(text: str) -> str:
    """The text with fresh output behind every command."""
    with tempfile.TemporaryDirectory() as folder:
        for match in _FILE.finditer(text):
            Path(folder, match["name"]).write_text(match["text"], encoding="utf-8")
        return _CONSOLE.sub(lambda match: f"```console\n{match['prompt']}{output(match['command'], folder)}```\n", text)


def output(command: str, folder: str) -> str:
    """The output of a command of qprep, both streams."""
    program, *arguments = shlex.split(command)
    if program != "qprep":
        raise ValueError(f"expected a command of qprep, found {program!r}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "NO_COLOR": "1"}
    outcome = subprocess.run(
        [sys.executable, "-m", "qprep", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if outcome.returncode not in (0, 1, 2) or "a bug in qprep" in outcome.stdout:
        raise ValueError(f"{command}: {outcome.stdout}")
    lines = [line.rstrip() for line in outcome.stdout.splitlines()]
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
