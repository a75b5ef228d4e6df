"""Write the tutorials of docs/tutorials as notebooks beside them; with --check, print those that differ.

A file of the page becomes a `%%writefile` cell, a command a `!` cell, all other text a Markdown cell. A cell before the
code says how to install qprep.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from scripts.documents import ROOT, Block, blocks, commands

FOLDER = ROOT / "docs" / "tutorials"
_FENCE = re.compile(r"(?:^<!-- [^\n]* -->\n)?^```[^\n]*\n.*?^```$", re.DOTALL | re.MULTILINE)
_PAGE_LINK = re.compile(r"\]\((?:\.\./)*([\w./-]+\.md(?:#[\w-]+)?)\)")
_NOTE = re.compile(r"^\[Notebook\]\([^)]*\)\n\n(?:<!-- slow: [^\n]* -->\n\n)?", re.MULTILINE)
_FIRST = """\
Install qprep in the environment of this notebook first: `%pip install "qprep[onnx]"`. The cells write files into the
current folder and run commands there."""


def main(arguments: list[str]) -> int:
    """Write every notebook that differs; with --check, 1 where one does."""
    stale = []
    for page in sorted(FOLDER.glob("*.md")):
        target = page.with_suffix(".ipynb")
        text = notebook_text(page)
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            stale.append(target)
            if "--check" not in arguments:
                target.write_text(text, encoding="utf-8")
            print(f"{target.relative_to(ROOT)}: {'differs' if '--check' in arguments else 'written'}")
    return 1 if stale and "--check" in arguments else 0


def notebook_text(page: Path) -> str:
    """The notebook of a page, as JSON."""
    prose = [part.strip() for part in _FENCE.split(_NOTE.sub("", page.read_text(encoding="utf-8")))]
    cells: list[dict[str, Any]] = []
    for index, text in enumerate(prose):
        if text:
            cells.append(
                _cell("markdown", _PAGE_LINK.sub(r"](https://github.com/OWNER/qprep/blob/main/docs/\1)", text))
            )
        if index == 0:
            cells.append(_cell("markdown", _FIRST))
        if index < len(prose) - 1:
            cells.extend(_code_cells(blocks(page)[index]))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    document = {
        "cells": cells,
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _code_cells(block: Block) -> list[dict[str, Any]]:
    if (name := block.value("file")) is not None:
        return [_cell("code", f"%%writefile {name}\n{block.text.rstrip()}")]
    if block.language == "console":
        return [_cell("code", f"!{command.text}") for command in commands(block)]
    return [_cell("markdown", f"```{block.language}\n{block.text}```")]


def _cell(kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {}, "source": text.splitlines(keepends=True)}
    return {**cell, "execution_count": None, "outputs": []} if kind == "code" else cell


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
