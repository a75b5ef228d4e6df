"""`qprep vendor` and the imports of files that are taken out of their package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import qprep
from qprep.cli import main
from qprep.engine.preparing.package_files import locate
from qprep.engine.preparing.vendored_files import PackageNames, missing_packages
from qprep.engine.preparing.vendored_imports import PackageModule, adjusted, closure, relative, stays
from qprep.engine.preparing.vendoring import vendor
from qprep.foundation.source import SourceFile
from tests.engine.preparing.conftest import Child

pytest.importorskip("torch")


@pytest.fixture
def importable(package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package, to be found by this process."""
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.chdir(package.parent)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    return package


def test_just_the_files_needed_rewritten(importable: Path, child: Child, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vendor", "zoo:small", "--to", "mine/models", "--input", "1,3,8,8"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == (
        "mine/models: 1 files of zoo of no version, 1 of them rewritten, 3 findings fixed, 0 left"
    )
    folder = importable.parent / "mine" / "models"
    written = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert written == ["__init__.py", "layers/__init__.py", "layers/blocks.py", "licenses/zoo/LICENSE"]
    text = (folder / "layers" / "blocks.py").read_text()
    assert text.startswith(f"# Vendored by qprep {qprep.__version__} from zoo of no version: zoo/layers/blocks.py\n")
    assert "from zoo.layers.helpers import doubled\n" in text, "it looks at its own path: it stays where it is"
    assert list((importable.parent / "mine").iterdir()) == [folder]
    program = (
        "import torch, zoo, qprep\nfrom mine.models import small\n"
        "x = torch.randn(1, 3, 8, 8)\nmodel = small().eval()\nmodel.load_state_dict(zoo.small().state_dict())\n"
        "print(qprep.trace(model, x).is_prepared)"
    )
    assert child(program) == "True\n"


def test_a_folder_with_files_is_not_overwritten(importable: Path) -> None:
    folder = importable.parent / "mine"
    vendor("zoo", "small", folder)
    first = (folder / "layers" / "blocks.py").read_bytes()
    with pytest.raises(qprep.QprepError, match="expected a new or empty folder, found files in .*--overwrite replaces"):
        vendor("zoo", "small", folder)
    (folder / "old.py").write_text("")
    vendor("zoo", "small", folder, overwrite=True)
    assert not (folder / "old.py").exists()
    assert (folder / "layers" / "blocks.py").read_bytes() == first
    with pytest.raises(qprep.QprepError, match="expected a folder that qprep vendored, found other files in"):
        vendor("zoo", "small", importable / "layers", overwrite=True)


def test_nothing_half_written_stays(importable: Path) -> None:
    folder = importable.parent / "mine"
    before = sorted(importable.parent.iterdir())

    def refuse(_: Path) -> None:
        raise qprep.QprepError("no")

    with pytest.raises(qprep.QprepError, match="no"):
        vendor("zoo", "small", folder, check=refuse)
    assert sorted(importable.parent.iterdir()) == before


def test_files_that_cannot_be_imported_are_not_written(importable: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (importable / "layers" / "blocks.py").open("a") as file:
        file.write("\nif not __name__.startswith('zoo'):\n    raise RuntimeError('only in its package')\n")
    assert main(["vendor", "zoo:small", "--to", "mine"]) == 2
    found = capsys.readouterr()
    assert "error: nothing was written: the files cannot be imported: RuntimeError: only in its package" in found.err
    assert not (importable.parent / "mine").exists()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("zoo:nothing", "expected a function or class `nothing` in `zoo`, found none in its source"),
        ("nowhere_at_all:small", "expected an installed package or module, found none called `nowhere_at_all`"),
        ("zoo", "expected a target as package.module:factory"),
        ("zoo.layers.helpers:doubled", "cannot be copied out of its package: it reads its own path"),
    ],
)
def test_errors(importable: Path, capsys: pytest.CaptureFixture[str], target: str, message: str) -> None:
    assert main(["vendor", target, "--to", "mine"]) == 2
    assert message in capsys.readouterr().err


# Imports


FILES = {
    "lib/__init__.py": "from .layers import drop\n",
    "lib/layers/__init__.py": "from .drop import drop\nfrom .norm import *\nfrom . import act\n",
    "lib/layers/drop.py": "def drop(x):\n    return x\n",
    "lib/layers/norm.py": "class Norm:\n    pass\n",
    "lib/layers/act.py": (
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from ..models.net import Net\n\nA = 1\n"
    ),
    "lib/models/__init__.py": "",
    "lib/models/place.py": "here = __file__\n\n\ndef where():\n    return here\n",
    "lib/models/net.py": "",
}


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackageNames:
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return PackageNames(locate("lib"))


VENDORED = ("lib.layers.act", "lib.layers.drop", "lib.layers.norm", "lib.models.net")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from ..layers import drop\n", "from ..layers.drop import drop\n"),
        ("from lib.layers import drop as d\n", "from ..layers.drop import drop as d\n"),
        ("from lib import drop\n", "from ..layers.drop import drop\n"),
        ("from ..layers.drop import drop\n", "from ..layers.drop import drop\n"),
        ("from ..layers import Norm, drop\n", "from ..layers.norm import Norm\nfrom ..layers.drop import drop\n"),
        ("from ..layers import (\n    Norm,\n    act,\n)\n",
         "from ..layers.norm import Norm\nfrom ..layers import act\n"),
        ("from .place import where\n", "from lib.models.place import where\n"),
        ("from . import place\n", "from lib.models import place\n"),
        ("from ..layers import unknown\n", "from lib.layers import unknown\n"),
        ("from ..layers.norm import *\n", "from ..layers.norm import *\n"),
        ("from lib.layers.norm import *\n", "from ..layers.norm import *\n"),
        ("import lib.layers.act as a\n", "from ..layers import act as a\n"),
        ("import lib.layers.act as a, os\n", "import os\nfrom ..layers import act as a\n"),
        ("import lib.layers.act\n", "import lib.layers.act\n"),
        ("import os; from lib import drop  # why\n", "import os; from ..layers.drop import drop  # why\n"),
        ("def f():\n    from ..layers import Norm, drop\n",
         "def f():\n    from ..layers.norm import Norm\n    from ..layers.drop import drop\n"),
        ("if True: from ..layers import Norm, drop\n",
         "if True: from ..layers.norm import Norm; from ..layers.drop import drop\n"),
        ("import torch\nfrom torch import nn\n", "import torch\nfrom torch import nn\n"),
    ],
)  # fmt: skip
def test_imports_are_adjusted(names: PackageNames, before: str, after: str) -> None:
    source = SourceFile.from_bytes("net.py", before.encode())
    assert adjusted(source, PackageModule("lib.models.net", is_package=False), names.find, VENDORED) == after


def test_what_is_needed_for_typing_alone_is_not_taken(names: PackageNames) -> None:
    found = closure(["lib.layers.act"], names.files, names.parse, names.find)
    assert found == ("lib.layers.act",)


def test_relative_names() -> None:
    place = PackageModule("lib.models.net", is_package=False)
    assert [relative(name, place) for name in ("lib.models.a", "lib.models", "lib", "lib.layers.b")] == [
        ".a", ".", "..", "..layers.b",
    ]  # fmt: skip
    assert relative("lib.models.a", PackageModule("lib", is_package=True)) == ".models.a"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = __file__", True),
        ("import torch\nL = torch.library.Library('a', 'DEF')", True),
        ("from torch.library import custom_op", True),
        ("y = '__file__'\nimport torch\ntorch.ops.aten", False),
    ],
)
def test_files_that_stay(text: str, expected: bool) -> None:
    assert stays(ast.parse(text)) is expected


def test_folders_between_are_packages() -> None:
    assert missing_packages(["a/b/c.py", "a/__init__.py", "d.py"]) == ["a/b/__init__.py"]
