"""Notebooks: findings by cell, and fixes that change the cells alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qprep.cli import main
from qprep.foundation.notebook import NotebookError, read_notebook

SETUP = "%matplotlib inline\nimport torch\nfrom torch import nn\n!ls -l \\\n   -a"
MODEL = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        %time y = self.fc(x)
        return self.fc(x) + x"""


def cell(source: str, kind: str = "code") -> dict[str, Any]:
    lines = source.splitlines(keepends=True)
    outputs = {"outputs": [{"text": ["[1, {2\\n", 'é \\u00e9 "x"']}], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {"tags": ["a"]}, "source": lines, **outputs}


def notebook(*cells: dict[str, Any], language: str = "python", indent: int | None = 1) -> str:
    document = {
        "cells": list(cells),
        "metadata": {"language_info": {"name": language}, "odd": 1.0e3},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=indent, ensure_ascii=False) + "\n"


NOTES, SHELL, HELP = cell("# A model: `x + y`", "markdown"), cell("%%bash\nls + ("), cell("Net()?")
TEXT = notebook(NOTES, cell(SETUP), SHELL, cell(MODEL), HELP)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.ipynb").write_text(TEXT, encoding="utf-8")
    return tmp_path / "model.ipynb"


def test_findings_name_the_cell(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--no-cache", "--output-format", "concise"]) == 1
    assert capsys.readouterr().out.startswith("model.ipynb:cell 4:8:16: QP101 [*] `+` on tensors")
    assert main(["check", "--no-cache", "model.ipynb"]) == 1
    shown = capsys.readouterr().out
    assert " --> model.ipynb:cell 4:8:16" in shown
    assert "8 |         return self.fc(x) + x" in shown


def test_json_has_the_cell_and_edits_within_it(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--no-cache", "--output-format", "json"])
    (record,) = json.loads(capsys.readouterr().out)
    assert (record["filename"], record["cell"]) == ("model.ipynb", 4)
    assert record["location"] == {"row": 8, "column": 16}
    assert {edit["filename"] for edit in record["fix"]["edits"]} == {"model.ipynb"}
    assert {edit["cell"] for edit in record["fix"]["edits"]} == {2, 4}
    for name in ("sarif", "github", "gitlab"):
        main(["check", "--no-cache", "--output-format", name])
        assert ":cell" not in capsys.readouterr().out.replace("model.ipynb:cell 4:8:16: QP101", "")


def test_a_fix_changes_the_cells_and_nothing_else(path: Path) -> None:
    assert main(["fix", "--no-cache", "-q"]) == 0
    after = path.read_text(encoding="utf-8")
    needed = "from qprep.runtime_modules import EltwiseAdd\n"
    made = SETUP.replace("from torch import nn\n", f"{needed}from torch import nn\n")
    model = MODEL.replace("Linear(4, 4)\n", "Linear(4, 4)\n        self.add = EltwiseAdd()\n")
    model = model.replace("self.fc(x) + x", "self.add(self.fc(x), x)")
    expected = notebook(NOTES, cell(made), SHELL, cell(model), HELP)
    assert after == expected
    assert main(["fix", "--no-cache", "-q"]) == 0
    assert path.read_text(encoding="utf-8") == expected


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("as_text", [False, True])
def test_the_way_the_json_is_written_stays(indent: int | None, as_text: bool, path: Path) -> None:
    def entry(source: str) -> dict[str, Any]:
        made = cell(source)
        return {**made, "source": source} if as_text else made

    source = f"import torch\n{MODEL.replace('%time ', '')}\n# é"
    path.write_text(notebook(entry("from torch import nn"), entry(source), indent=indent), encoding="utf-8")
    assert main(["fix", "--no-cache", "-q"]) == 0
    text = path.read_text(encoding="utf-8")
    document = json.loads(text)
    assert text == json.dumps(document, indent=indent, ensure_ascii=False) + "\n"
    assert "EltwiseAdd" in "".join(document["cells"][0]["source"]) + "".join(document["cells"][1]["source"])


def test_a_notebook_of_another_language_is_left_alone(path: Path) -> None:
    path.write_text(notebook(cell(MODEL), language="julia"))
    assert main(["check", "--no-cache"]) == 0


@pytest.mark.parametrize(
    ("text", "part"),
    [("{", "found no JSON"), ("[]", "found no list of cells"), ('{"worksheets": []}', "found no list of cells")],
)
def test_what_is_no_notebook_is_said(text: str, part: str, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotebookError, match=part):
        read_notebook(text)
    path.write_text(text)
    assert main(["check", "--no-cache", "--output-format", "concise"]) == 1
    assert "QP003" in capsys.readouterr().out


def test_a_syntax_error_is_placed_in_its_cell(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(notebook(cell("import torch"), cell("x = 1\ny = (")))
    assert main(["check", "--no-cache", "--output-format", "concise"]) == 1
    assert capsys.readouterr().out.startswith("model.ipynb:cell 2:2:5: QP001")


def test_a_suppression_counts_in_a_cell(path: Path) -> None:
    path.write_text(notebook(cell("from torch import nn"), cell(f"{MODEL}  # qprep: ignore[QP101]")))
    assert main(["check", "--no-cache"]) == 0


def test_cells_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(NotebookError, match="looks like the line between two cells"):
        read_notebook(notebook(cell("# %% [cell 9]\nx = 1")))
    made = read_notebook(TEXT)
    assert made.with_text(made.text) == TEXT
    with pytest.raises(NotebookError, match="cannot be distinguished"):
        made.with_text(made.text.replace("[cell 4]", "[cell 5]"))
