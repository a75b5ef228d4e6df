"""Files that know of each other are looked at together."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.dependencies.import_components import islands

CASES = {
    "packages apart": (
        {"a/__init__.py": "", "a/m.py": "", "b/__init__.py": "import torch"},
        ["a/__init__.py a/m.py", "b/__init__.py"],
    ),
    "packages joined": (
        {"a/__init__.py": "", "b/__init__.py": "", "b/m.py": "from a.x import y"},
        ["a/__init__.py b/__init__.py b/m.py"],
    ),
    "joined by a list of imports": (
        {"a/__init__.py": "", "b/__init__.py": "import os, a.x as q"},
        ["a/__init__.py b/__init__.py"],
    ),
    "joined through a third": (
        {"a/__init__.py": "", "b/__init__.py": "", "c/__init__.py": "import a\nimport b"},
        ["a/__init__.py b/__init__.py c/__init__.py"],
    ),
    "scripts of one folder": ({"x.py": "", "y.py": ""}, ["x.py y.py"]),
    "folders without __init__": ({"nets/x.py": "", "tools/y.py": "from nets.x import Z"}, ["nets/x.py tools/y.py"]),
    "a package below": (
        {"src/a/__init__.py": "", "train.py": "def f():\n    from a import g"},
        ["src/a/__init__.py train.py"],
    ),
    "the nearest of two": (
        {"p/a/__init__.py": "", "p/t/x.py": "import a", "q/a/__init__.py": "", "q/t/x.py": "import a"},
        ["p/a/__init__.py p/t/x.py", "q/a/__init__.py q/t/x.py"],
    ),
    "imported by name": ({"a/__init__.py": "", "t/x.py": "importlib.import_module('a.b')"}, ["a/__init__.py t/x.py"]),
}


@pytest.mark.parametrize("name", CASES)
def test_groups(tmp_path: Path, name: str) -> None:
    files, expected = CASES[name]
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    found = islands([tmp_path / path for path in files], Path.read_bytes)
    assert [" ".join(str(path.relative_to(tmp_path)) for path in group) for group in found] == expected
