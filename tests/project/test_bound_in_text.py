"""A text that cannot bind a name need not be parsed for it; one that may is."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

import qprep
from qprep.analysis.symbols.bound_in_text import BoundNames
from qprep.analysis.symbols.module_resolver import Project
from qprep.analysis.symbols.parse_cache import Mark, ParsedFiles
from qprep.analysis.symbols.symbol_table import FileIndex, build_index
from qprep.analysis.values.abstract_values import ClassRef, External

BINDING = (
    "class Net:\n    pass\n",
    "class Net(Base): pass",
    "def Net(x): pass",
    "if ready:\n    async def Net(x): pass\n",
    "class \\\n Net: pass",
    "import Net",
    "import Net.parts",
    "import os, Net",
    "import os; import Net",
    "import os as Net",
    "from a import Net",
    "from a import\tNet",
    "from a import \\\n    Net",
    "from a import (Net)",
    "from a import (\n    B,  # more\n    Net,\n)",
    "from a import (B,Net)",
    "from a import B as Net",
    "from a import B as \\\n Net",
    "import Net as other\nfrom a import Net\n",
    "try:\n    from a import Net\nexcept ImportError:\n    Net = None\n",
    "x = 1\rfrom a import (B,\rNet)\r",
    'Net = type("Net", (Base,), {})',
    'Other = Net = type("Net", (Base,), {})',
    "from a import\\\n *",
    "from . a import *",
    "from a import ｎｅｔ\nfrom a import Ｎｅｔ",
)
OTHER = (
    "",
    "class Network:\n    pass\n",
    "class MyNet: pass",
    "def my_Net(x): pass",
    "from Net import a",
    "from ..Net import a",
    "from .Net.parts import a",
    "import Net as other",
    "from a import Net as other",
    "from a import Net  as  other",
    'kind = "Net"',
    "x = a.Net",
)


@pytest.mark.parametrize("text", BINDING)
def test_a_text_that_binds_a_name_may_bind_it(text: str) -> None:
    assert BoundNames(text).may_bind("Net")


@pytest.mark.parametrize("text", OTHER)
def test_a_text_that_only_mentions_a_name_does_not_bind_it(text: str) -> None:
    assert not BoundNames(text).may_bind("Net")


@pytest.mark.parametrize(
    ("text", "stars"),
    [
        ("from a import *", ((0, "a"),)),
        ("from a.b import*\nfrom a.b import *", ((0, "a.b"),)),
        ("if ready:\n    from .a import *\nelse:\n    from ... import *", ((1, "a"), (3, ""))),
        ("from a import b", ()),
    ],
)
def test_modules_of_which_all_names_are_taken(text: str, stars: tuple[tuple[int, str], ...]) -> None:
    assert BoundNames(text).stars == stars
    assert not BoundNames(text).may_bind("Net")


def test_whatever_the_symbol_table_binds_may_be_bound() -> None:
    checked = 0
    for path in sorted(Path(qprep.__file__).parent.joinpath("analysis").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        index = build_index("module", str(path), False, ast.parse(text))
        bound = BoundNames(text)
        names = {name.partition(".")[0] for name in (*index.classes, *index.functions, *index.imports)}
        assert [name for name in names if not bound.may_bind(name)] == []
        checked += len(names)
    assert checked > 500


class _Counted(ParsedFiles):
    """Notes which modules are parsed."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def parse(self, mark: Mark, text: str, link: Callable[[str], str]) -> FileIndex | None:
        self.names.append(mark.name)
        return super().parse(mark, text, link)


def test_a_name_of_a_lazy_package_parses_the_file_that_has_it_and_no_other(tmp_path: Path) -> None:
    stars = "".join(f"    from .group{number} import *\n" for number in range(9))
    _write(tmp_path / "lazy" / "__init__.py", f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n{stars}")
    for number in range(9):
        _write(tmp_path / "lazy" / f"group{number}" / "__init__.py", "from .part import *\nfrom ..shared import *\n")
        _write(tmp_path / "lazy" / f"group{number}" / "part.py", f"class Part{number}:\n    pass\n\n\n# unlike Part7\n")
    _write(tmp_path / "lazy" / "shared.py", "from .group0 import *\n")
    user = _write(tmp_path / "user.py", "from lazy import Part7\n")
    parsed = _Counted()
    project = Project(lambda path: path.read_text(), [user, tmp_path / "lazy" / "__init__.py"], parsed)
    assert project.resolve("lazy.Part7") == ClassRef("lazy.group7.part", "Part7")
    assert parsed.names == ["lazy", "lazy.group7", "lazy.group7.part"]
    assert project.resolve("lazy.Part9") == External("lazy.Part9")
    assert parsed.names == ["lazy", "lazy.group7", "lazy.group7.part"]


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
