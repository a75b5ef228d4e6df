"""Files that know of each other are looked at together, the others apart; and that changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.dependencies import partitions
from qprep.analysis.inputs import Files
from qprep.engine import partitioning, runs
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.rule_registry import all_rules
from qprep.foundation.findings import Rejection

MODEL = """\
from torch import nn
{imports}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return {body}
"""


def tree(folder: Path, files: dict[str, str]) -> list[Path]:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return sorted(folder / name for name in files)


def groups(folder: Path, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The parts of a package called pkg, each file a part of its own where it can be."""
    monkeypatch.setattr(partitions, "UNIT_BYTES", 1)
    monkeypatch.setattr(partitioning, "UNIT_BYTES", 1)
    paths = tree(folder, {"pkg/__init__.py": "", **{f"pkg/{name}": text for name, text in files.items()}})
    found = partitioning.divide(paths, Files({}))
    return [{path.name for path in part.paths} - {"__init__.py"} for entry in found for part in entry.parts]


def together(parts: list[set[str]], *names: str) -> bool:
    return any(set(names) <= part for part in parts)


CLASS = MODEL.format(imports="", body="x")
JOINED = {
    "a base class": ("from .b import Net as Base\nclass Own(Base):\n    pass\n", CLASS),
    "a function": ("from pkg.b import helper\n", "def helper(x):\n    return x + x\n"),
    "a computed value": ("from .b import ACT\n", "from torch import nn\nACT = dict(relu=nn.ReLU)\n"),
    "a module that is handed on": ("from . import b\nNAMES = vars(b)\n", CLASS),
    "a class of a module": ("from . import b\nclass Own(b.Net):\n    pass\n", CLASS),
    "a class by its full name": ("import pkg.b\nclass Own(pkg.b.Net):\n    pass\n", CLASS),
    "a function of a module": (
        "def f(x):\n    from . import b\n    return b.helper(x)\n",
        "def helper(x):\n    return x\n",
    ),
    "what only the run knows of a module": ("from . import b\nNET = b.make()\n", CLASS),
    "an import inside a function": ("def f():\n    from .b import Net\n", CLASS),
    "all names": ("from .b import *\n", CLASS),
    "an unknown base": ("from .b import Net\n", "from elsewhere import Base\nclass Net(Base):\n    pass\n"),
}
APART = {
    "a plain class": ("from .b import Config\n", "class Config:\n    size = 3\n\ndef unused(x):\n    return x\n"),
    "a literal": ("from .b import MEAN\n", "MEAN = (0.5, -0.5)\n\ndef unused(x):\n    return x\n"),
    "a literal of a module": ("from . import b\nSIZE = b.SIZE\n", f"SIZE = 3\n{CLASS}"),
    "nothing": ("import torch\n", CLASS),
}


@pytest.mark.parametrize("case", JOINED)
def test_what_may_take_part_in_a_run_joins(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user, used = JOINED[case]
    found = groups(tmp_path, {"a.py": user + "\n\ndef own(x):\n    return x\n", "b.py": used}, monkeypatch)
    assert together(found, "a.py", "b.py")


@pytest.mark.parametrize("case", APART)
def test_what_takes_no_part_does_not(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user, used = APART[case]
    # Two names that fall into different parts of four.
    names = ("a.py", "b.py", "c.py", "d.py")
    files = {name: MODEL.format(imports="", body=f"x + {name!r}") for name in names}
    found = groups(tmp_path, {**files, "a.py": user + "\n\ndef own(x):\n    return x\n", "b.py": used}, monkeypatch)
    assert sum(map(len, found)) == 4
    assert not together(found, "a.py", "b.py")


def test_names_are_followed_through_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "sub/__init__.py": "from .inner import *\n",
        "sub/inner.py": CLASS,
        "a.py": "from .sub import Net\n\nclass Own(Net):\n    pass\n",
    }
    assert together(groups(tmp_path, files, monkeypatch), "a.py", "inner.py")


def test_files_that_take_all_names_of_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "a.py": "from pkg.b import *\n",
        "b.py": "from pkg.a import *\nfrom pkg.c import *\n",
        "c.py": "def shared(x):\n    return x + 1\n",
        "net.py": MODEL.format(imports="from pkg.a import missing, shared", body="shared(missing(x))"),
        "other.py": MODEL.format(imports="", body="x"),
    }
    found = groups(tmp_path, files, monkeypatch)
    assert together(found, "net.py", "c.py")
    assert not together(found, "net.py", "other.py")


def test_a_value_brings_in_what_it_is_computed_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "a.py": "from .values import ACT\n\ndef f(x):\n    return ACT()(x)\n",
        "values.py": "from .b import Net\nACT = dict(net=Net)\n",
        "b.py": CLASS,
    }
    assert together(groups(tmp_path, files, monkeypatch), "a.py", "b.py")


def test_findings_do_not_depend_on_the_division(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"pkg/m{n}.py": MODEL.format(imports="", body="self.fc(x) + x") for n in range(6)}
    files["pkg/asks.py"] = "def has(block):\n    return hasattr(block, 'add')\n"
    files["pkg/user.py"] = MODEL.format(imports="from .m0 import Net as First\n", body="x * First()(x)")
    paths = tree(tmp_path, {"pkg/__init__.py": "", **files})
    resolver = SettingsResolver(all_rules(), isolated=True)
    one = runs.check(paths, resolver)
    fixed = runs.fix(paths, resolver, write=False)
    monkeypatch.setattr(partitions, "UNIT_BYTES", 1)
    monkeypatch.setattr(partitioning, "UNIT_BYTES", 1)
    assert len(partitioning.divide(paths, Files({}))[0].parts) > 1
    assert runs.check(paths, resolver).findings == one.findings
    assert [file.new_text for file in runs.fix(paths, resolver, write=False).changed] == [
        file.new_text for file in fixed.changed
    ]
    assert all("self.add = " not in file.new_text for file in fixed.changed)  # asks.py would meet it


def test_classes_that_a_file_hands_on_count_in_parts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = MODEL.format(imports="", body="self.mix(self.fc(x))") + (
        "\n    @staticmethod\n    def mix(x):\n        return x + x\n"
    )
    changer = (
        "from .net import Net\n\ndef change(name, other):\n    for cls in [Net]:\n        setattr(cls, name, other)\n"
    )
    files = {"pkg/__init__.py": "", "pkg/net.py": net, "pkg/changer.py": changer, "pkg/more.py": CLASS}
    paths, resolver = tree(tmp_path, files), SettingsResolver(all_rules(), isolated=True)
    one = runs.check(paths, resolver)
    reasons = [finding.fix.reason for finding in one.findings if isinstance(finding.fix, Rejection)]
    assert any("may replace it" in reason for reason in reasons)
    monkeypatch.setattr(partitions, "UNIT_BYTES", 1)
    monkeypatch.setattr(partitioning, "UNIT_BYTES", 1)
    assert runs.check(paths, resolver).findings == one.findings
