"""Names lead to the files that Python would take, whatever the folders look like and however the import is written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from qprep.analysis.symbols.import_links import project_root
from qprep.analysis.symbols.module_resolver import Project
from qprep.analysis.values.abstract_values import ClassRef, External, FunctionRef
from qprep.cli import main

BASE = "from torch import nn\n\n\nclass Base(nn.Module):\n    pass\n"
# the file with the base class, the file that inherits from it, other files, and the ways in which that may import it
LAYOUTS: Mapping[str, tuple[str, str, Sequence[str], Sequence[str]]] = {
    "scripts": ("base.py", "net.py", (), ("base", ".base")),
    "namespace": ("models/base.py", "models/net.py", ("main.py",), ("models.base", "base", ".base")),
    "namespace, from above": ("models/base.py", "main.py", (), ("models.base", ".models.base")),
    "nested namespace": ("a/b/base.py", "a/c/net.py", ("main.py",), ("a.b.base", "..b.base")),
    "package": ("pkg/base.py", "pkg/net.py", ("pkg/__init__.py",), ("pkg.base", ".base", "base")),
    "package, from beside": ("pkg/base.py", "main.py", ("pkg/__init__.py",), ("pkg.base",)),
    "package in a namespace": ("n/p/base.py", "n/q/net.py", ("n/p/__init__.py", "main.py"), ("n.p.base", "..p.base")),
    "src": ("src/pkg/base.py", "tests/net.py", ("src/pkg/__init__.py", "pyproject.toml"), ("pkg.base", "src.pkg.base")),
    "src without packages": ("src/models/base.py", "scripts/net.py", ("setup.py",), ("models.base",)),
    "module beside a package": ("ops.py", "pkg/net.py", ("pkg/__init__.py", "pyproject.toml"), ("ops",)),
    "folder beside a package": ("ops/base.py", "pkg/net.py", ("pkg/__init__.py", "pyproject.toml"), ("ops.base",)),
}
WAYS = {
    "from": ("from {module} import Base", "Base"),
    "from as": ("from {module} import Base as Other", "Other"),
    "module": ("from {package} import {last}", "{last}.Base"),
    "star": ("from {module} import *", "Base"),
    "import as": ("import {module} as other", "other.Base"),
    "import": ("import {module}", "{module}.Base"),
}
CASES = [
    pytest.param(layout, module, way, id=f"{layout}: {module}, {way}")
    for layout, (*_, modules) in LAYOUTS.items()
    for module in modules
    for way in WAYS
    if not (way == "module" and not module.rpartition(".")[0].strip(".") and not module.startswith("."))
    if not (way.startswith("import") and module.startswith("."))
]


def write(folder: Path, files: Mapping[str, str]) -> list[Path]:
    paths = []
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        paths += [path] if name.endswith(".py") else []
    return paths


def project(paths: Sequence[Path]) -> Project:
    return Project(lambda path: path.read_text(), paths)


def names(found: Project) -> dict[str, str]:
    return {path.as_posix(): name for name, path in found.given.items()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("every", [True, False])
@pytest.mark.parametrize(("layout", "module", "way"), CASES)
def test_a_base_class_is_found(layout: str, module: str, way: str, every: bool, folder: Path) -> None:
    """With all files given; with the user's alone where a file marks the project's root."""
    base, user, others, _ = LAYOUTS[layout]
    statement, name = WAYS[way]
    last = module.rpartition(".")[2]
    package = module.removesuffix(last)
    package = package.removesuffix(".") if package.strip(".") else package  # the dots of `from . import` stay
    words = {"module": module, "package": package, "last": last}
    text = f"{statement.format(**words)}\n\n\nclass Net({name.format(**words)}):\n    pass\n"
    if not every:
        others = (*others, "pyproject.toml")
    paths = write(folder, {base: BASE, user: text, **dict.fromkeys(others, "")})
    known = project([Path(path) for path in paths] if every else [folder / user])
    called = names(known)
    mro = known.mro(ClassRef(called[(folder / user).as_posix()], "Net"))
    found = next(kind for kind in mro if getattr(kind, "name", "").endswith("Base"))
    assert isinstance(found, ClassRef), mro
    assert known.path(found.module) == folder / base
    assert mro[-1] == External("torch.nn.Module")
    if every:
        assert found.module == called[(folder / base).as_posix()]
        assert known.subclasses(found) == {ClassRef(called[(folder / user).as_posix()], "Net")}


def test_each_script_takes_what_is_beside_it(folder: Path) -> None:
    user = "from base import Base\n\n\nclass Net(Base):\n    pass\n"
    relative = user.replace("from base", "from .base")
    main_text = "from a.net import Net\nfrom b.net import Net as Other\n"
    files = {"a/base.py": BASE, "a/net.py": user, "b/base.py": BASE, "b/net.py": relative, "main.py": main_text}
    known = project(write(folder, files))
    called = names(known)
    for name in ("a", "b"):
        net = known.classes_named(f"{name}.net.Net")
        assert [known.path(ref.module) for ref in net] == [folder / name / "net.py"]
        base = known.mro(net[0])[1]
        assert base == ClassRef(called[(folder / name / "base.py").as_posix()], "Base")


@pytest.mark.parametrize("name", ["json", "types"])
def test_a_file_of_a_package_does_not_hide_the_standard_library(name: str, folder: Path) -> None:
    user = f"import {name}\n\n\nclass Net({name}.Base):\n    pass\n"
    known = project(write(folder, {"pkg/__init__.py": "", f"pkg/{name}.py": BASE, "pkg/net.py": user}))
    assert known.mro(ClassRef("pkg.net", "Net"))[1] == External(f"{name}.Base")


def test_what_is_not_there_stays_outside(folder: Path) -> None:
    user = "from elsewhere import Base\nfrom ...far import mix\n\n\nclass Net(Base):\n    pass\n"
    known = project(write(folder, {"pkg/__init__.py": "", "pkg/net.py": user}))
    assert known.mro(ClassRef("pkg.net", "Net"))[1] == External("elsewhere.Base")
    assert known.resolve("elsewhere.mix") == External("elsewhere.mix")


def test_a_function_of_a_folder(folder: Path) -> None:
    known = project(write(folder, {"ops/fuse.py": "def fuse(x):\n    return x\n", "main.py": "import ops.fuse\n"}))
    assert known.resolve("ops.fuse.fuse") == FunctionRef("fuse", "fuse")


def test_the_root_of_a_project(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "setup.cfg").write_text("")
    assert project_root(folder / "a" / "b") == folder / "a"


@pytest.mark.parametrize("root", ["", "src/"])
@pytest.mark.parametrize(
    ("statement", "call", "after"),
    [
        ("from models.ops import mix", "mix", "from models.ops import Mix"),
        ("from models import ops", "ops.mix", "= ops.Mix()"),
        ("import models.ops as o", "o.mix", "= o.Mix()"),
        ("import models.ops", "models.ops.mix", "= models.ops.Mix()"),
    ],
)
def test_a_rewrite_imports_as_the_file_does(root: str, statement: str, call: str, after: str, folder: Path) -> None:
    """The module made of a function is found where its caller finds the function."""
    user = (
        f"from torch import nn\n{statement}\n\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.fc = nn.Linear(4, 4)\n\n"
        f"    def forward(self, x):\n        return {call}(self.fc(x), x)\n"
    )
    ops = "import torch\n\n\ndef mix(x, y):\n    return torch.sigmoid(x) * y\n"
    write(folder, {f"{root}models/ops.py": ops, f"{root}models/net.py": user, "pyproject.toml": ""})
    assert main(["fix", "--no-cache", "."]) == 0
    assert "class Mix" in (folder / f"{root}models/ops.py").read_text()
    assert after in (folder / f"{root}models/net.py").read_text()
    assert os.listdir(folder / f"{root}models") == os.listdir(folder / f"{root}models")


MISSING = {
    "of its own name": {"pkg/__init__.py": "from .fast import fast\n"},
    "of each other's names": {"pkg/__init__.py": "from .first.second import first\nfrom .second.first import second\n"},
    "of a package": {"pkg/__init__.py": "from .core import fast\n", "pkg/core/__init__.py": "from .fast import fast\n"},
}


@pytest.mark.parametrize("files", MISSING.values(), ids=MISSING.keys())
def test_names_out_of_files_that_cannot_be_read_have_an_end(files: Mapping[str, str], folder: Path) -> None:
    run = "class Net(nn.Module):\n    def forward(self, x):\n        return fast(first(second(x))) + x\n"
    user = f"from torch import nn\nfrom pkg import fast, first, second\n\n\n{run}"
    known = project(write(folder, {**files, "pkg/net.py": user}))
    assert isinstance(known.resolve("pkg.fast"), External)
    assert isinstance(known.resolve("pkg.first"), External)
    assert main(["check", "--no-cache", "pkg"]) == 1  # the sum


@pytest.mark.parametrize("kind", ["site-packages", "dist-packages"])
def test_an_installed_package_belongs_to_no_project(tmp_path: Path, kind: str) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    package = tmp_path / ".venv" / "lib" / "python3.11" / kind / "zoo" / "models"
    package.mkdir(parents=True)

    assert project_root(package) is None
    assert project_root(tmp_path / ".venv") == tmp_path
