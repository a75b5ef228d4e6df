"""Code blocks of the documents: parsed by scripts/documents.py, and played by scripts/newcomer.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.documents import Block, blocks, commands, is_shown
from scripts.newcomer import run
from scripts.notebooks import notebook_text
from tests.torchvision_operators import define_operators

ROOT = Path(__file__).resolve().parent.parent
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
NEWCOMER = ROOT / "scripts" / "newcomer.py"

PAGE = """
<!-- file: a.py -->
```python
print("one")
```

```console
$ python a.py
one
$ python \\
    a.py
…
```
"""


def page(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return path


def play(path: Path, extra: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{extra}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(NEWCOMER), str(path)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_blocks_have_language_text_line_and_comment(tmp_path: Path) -> None:
    path = page(tmp_path, PAGE)
    file, console = blocks(path)
    assert file == Block(path, 3, "python", 'print("one")\n', "file: a.py")
    assert file.value("file") == "a.py"
    assert file.value("exit") is None
    assert [command.text for command in commands(console)] == ["python a.py", "python a.py"]
    assert [command.shown for command in commands(console)] == [("one",), ("…",)]


@pytest.mark.parametrize(
    ("shown", "output", "fits"),
    [
        (("accuracy 0.98",), "accuracy 0.97\n", True),
        (("accuracy 0.98",), "accuracy 0.53\n", False),
        (("1,200 bytes",), "1,210  bytes\n", True),
        (("accuracy 0.5",), "loss 0.75\n", False),
        (("a", "…", "c"), "a\nb\nb\nc\n", True),
        (("a", "…", "c"), "a\nc\n", True),
        (("a", "c"), "a\nb\nc\n", False),
        (("a",), "a\nb\n", False),
        (("a …",), "a and more\n", True),
        ((), "", True),
    ],
)
def test_output_fits_the_page_with_similar_numbers(shown: tuple[str, ...], output: str, fits: bool) -> None:
    assert is_shown(shown, output) == fits


def test_the_newcomer_accepts_a_page_that_is_right(tmp_path: Path) -> None:
    outcome = play(page(tmp_path, PAGE), tmp_path)
    assert outcome.returncode == 0, outcome.stdout
    assert "0 commands differ from the page" in outcome.stdout


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("$ python a.py\none", "$ python a.py\ntwo", "expected other output"),
        ('print("one")', "raise SystemExit(3)", "expected exit code 0, found 3"),
    ],
)
def test_the_newcomer_rejects_a_page_that_is_wrong(old: str, new: str, reason: str, tmp_path: Path) -> None:
    outcome = play(page(tmp_path, PAGE.replace(old, new)), tmp_path)
    assert outcome.returncode == 1
    assert reason in outcome.stdout


@pytest.mark.slow
def test_a_newcomer_can_follow(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    if not define_operators(tmp_path):
        pytest.skip("torchvision is not installed: pip install 'qprep[corpus]'")
    outcome = play(ROOT / "docs" / "start.md", tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("name", ["baseline.md", "monorepos.md"])
def test_a_page_prints_what_it_shows(name: str, tmp_path: Path) -> None:
    outcome = play(ROOT / "docs" / name, tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_every_tutorial_has_its_notebook(page: Path) -> None:
    """`python scripts/notebooks.py` writes them again."""
    assert page.with_suffix(".ipynb").read_text(encoding="utf-8") == notebook_text(page)
    assert f"[Notebook]({page.stem}.ipynb)" in page.read_text(encoding="utf-8")


def marked(page: Path) -> object:
    """The page as a parameter, slow if it says so: `<!-- slow: reason -->`."""
    marks = [pytest.mark.slow] if "\n<!-- slow: " in page.read_text(encoding="utf-8") else []
    return pytest.param(page, marks=marks, id=page.stem)


@pytest.mark.parametrize("page", [marked(page) for page in TUTORIALS])
def test_every_notebook_prints_what_its_page_shows(page: Path, tmp_path: Path) -> None:
    """Cells write files (`%%writefile`) or run commands (`!`); no other code is in them."""
    for needed in ("onnxruntime", "setuptools", "pip"):
        pytest.importorskip(needed)
    shown = [each for block in blocks(page) if block.language == "console" for each in commands(block)]
    for cell in json.loads(page.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]:
        first, _, rest = "".join(cell["source"]).partition("\n")
        if cell["cell_type"] == "code" and first.startswith("%%writefile "):
            (tmp_path / first.removeprefix("%%writefile ")).write_text(rest + "\n", encoding="utf-8")
        elif cell["cell_type"] == "code":
            command = shown.pop(0)
            assert first == f"!{command.text}"
            assert run(command, tmp_path, 0).fault == ""
    assert shown == []
