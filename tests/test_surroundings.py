"""Some files of a project are given: the others are read for what they do, and neither reported nor changed."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import qprep
from qprep.analysis.dependencies.partitions import ALONE, Partition
from qprep.analysis.inputs import Files
from qprep.analysis.interpreter.open_names import OpenNames
from qprep.cli import main
from qprep.engine import snapshot
from qprep.engine import surroundings as module
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.partitioning import Division
from qprep.engine.rule_registry import all_rules
from qprep.engine.surroundings import Beside, Surroundings, surround, surroundings
from qprep.foundation.source import display_path

NET = """\
import torch
import torch.nn.functional as F
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()

    def forward(self, x):
        return F.relu(self.act(self.act(self.fc(x)) + x))
"""
# What another file does to the model; each forbids something in net.py, or makes it keep a name.
FORBID: Mapping[str, Mapping[str, str]] = {
    "positional children": {
        "train.py": "from torch import nn\nfrom net import Net\n\nm = nn.Sequential(*Net().children())\n"
    },
    "through another file": {
        "zoo.py": "from net import Net\n\n\ndef make():\n    return Net()\n",
        "train.py": "from torch import nn\nfrom zoo import make\n\nm = nn.Sequential(*list(make().children()))\n",
    },
    "through a value": {
        "zoo.py": "from net import Net\n\nmodel = Net()\n",
        "train.py": "from torch import nn\nfrom zoo import model\n\nm = nn.Sequential(*model.children())\n",
    },
    "in a helper": {
        "strip.py": "from torch import nn\n\n\ndef strip(m):\n    return nn.Sequential(*list(m.children())[:-1])\n",
        "train.py": "from net import Net\nfrom strip import strip\n\nm = strip(Net())\n",
    },
    **{
        f"imported by name: {name}": {
            "train.py": f"{load}\nfrom torch import nn\n\nm = nn.Sequential(*list(Net().children()))\n"
        }
        for name, load in {
            "import_module": "import importlib\nNet = importlib.import_module('net').Net",
            "a variable": "from importlib import import_module\nname = 'net'\nNet = import_module(name).Net",
            "__import__": "Net = __import__('net').Net",
            "getattr": "import importlib\nNet = getattr(importlib.import_module('net'), 'Net')",
        }.items()
    },
    "imported by a helper": {
        "find.py": "import importlib\n\n\ndef find(path):\n    module, _, name = path.rpartition('.')\n"
        "    return getattr(importlib.import_module(module), name)\n",
        "train.py": "from torch import nn\nfrom find import find\n\nNet = find('net.Net')\n"
        "m = nn.Sequential(*list(Net().children()))\n",
    },
    "a subclass without the constructor": {
        "sub.py": "from torch import nn\nfrom net import Net\n\n\nclass Sub(Net):\n    def __init__(self):\n"
        "        nn.Module.__init__(self)\n        self.fc, self.act = nn.Linear(4, 4), nn.GELU()\n"
    },
    "a subclass that numbers its children": {
        "sub.py": "from net import Net\n\n\nclass Sub(Net):\n    def forward(self, x):\n"
        "        for child in self.children():\n            x = child(x)\n        return x\n"
    },
}


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def texts(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.py")}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fix(*arguments: str) -> int:
    return main(["fix", "-q", *arguments])


def beside(*given: str) -> list[str]:
    found = surroundings([Path(name) for name in given], SettingsResolver(all_rules()))
    return sorted(map(display_path, found.paths))


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize("others", [pytest.param(files, id=name) for name, files in FORBID.items()])
def test_no_new_child_where_a_file_beside_would_meet_it(
    others: Mapping[str, str], cache: bool, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, {"net.py": NET, **others, "pyproject.toml": ""})
    before = texts(folder)
    more = [] if cache else ["--no-cache"]
    assert fix(*more, "net.py") == 1
    assert texts(folder) == before
    out = capsys.readouterr().out
    assert "outside the paths given" in out or "making `Sub`, a subclass of it, does not run the constructor" in out
    assert fix(*more, "net.py") == 1
    for name in others:
        (folder / name).unlink()
    assert fix(*more, "net.py") == 0
    assert "self.act_1" in (folder / "net.py").read_text()


@pytest.mark.parametrize(
    "statement", ["from net import F", "import net\n\nprint(net.F)", "from net import *\n\nprint(F)"]
)
def test_an_import_that_a_file_beside_takes_stays(statement: str, folder: Path) -> None:
    write(folder, {"net.py": NET, "user.py": f"{statement}\n"})
    assert fix("net.py") == 0
    assert "import torch.nn.functional as F\n" in (folder / "net.py").read_text()
    write(folder, {"net.py": NET, "user.py": "import json\n"})
    assert fix("net.py") == 0
    assert "import torch.nn.functional as F\n" not in (folder / "net.py").read_text()


@pytest.mark.parametrize(
    ("entry", "make"),
    [
        ("@register\nclass Net", "from registry import create\nimportlib.import_module('net')"),
        ("@register()\nclass Net", "from registry import create\n__import__('net')"),
        ("class Net", "from registry import create\nimportlib.import_module('net')"),
    ],
)
def test_no_new_child_where_a_file_beside_gets_the_class_from_a_registry(
    entry: str, make: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = (
        "found = {}\n\n\ndef register(cls=None):\n    if cls is None:\n        return register\n"
        "    found[cls.__name__] = cls\n    return cls\n\n\ndef create(name):\n    return found[name]()\n"
    )
    net = NET.replace("class Net", entry).replace("import torch\n", "import torch\nfrom registry import register\n", 1)
    net += "" if "@" in entry else "\n\nregister(Net)\n"
    train = f"import importlib\nfrom torch import nn\n{make}\nm = nn.Sequential(*list(create('Net').children()))\n"
    write(folder, {"net.py": net, "registry.py": registry, "train.py": train, "pyproject.toml": ""})
    before = texts(folder)
    assert fix("--no-cache", "net.py") == 1
    assert texts(folder) == before
    assert "outside the paths given" in capsys.readouterr().out


def test_nothing_is_reported_or_changed_beside(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = NET.replace("class Net(nn.Module)", "class Other(Net)").replace("import torch\n", "from net import Net\n")
    broken = "from net import Net\n\ndef f(:\n"
    write(folder, {"net.py": NET, "other.py": other, "broken.py": broken, "pyproject.toml": ""})
    main(["check", "--output-format", "concise", "net.py"])
    out = capsys.readouterr().out
    assert {line.partition(":")[0] for line in out.splitlines() if ": QP" in line} == {"net.py"}
    fix("net.py")
    assert (folder / "other.py").read_text() == other
    assert (folder / "broken.py").read_text() == broken


def test_a_function_that_a_file_beside_calls_stays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ops = "import torch\n\n\ndef mix(x, y):\n    return torch.sigmoid(x) * y\n"
    user = NET.replace("import torch\n", "from ops import mix\n", 1).replace("F.relu(", "mix(x, ")
    write(folder, {"ops.py": ops, "net.py": user, "other.py": user.replace("Net", "Other"), "setup.py": ""})
    assert fix("net.py", "ops.py") == 1
    assert "it is in `mix`: other, outside the paths given, calls it" in capsys.readouterr().out
    now = texts(folder)
    assert "def mix(x, y):" in now["ops.py"]
    assert "class Mix" in now["ops.py"]
    assert "self.mix(" in now["net.py"]
    assert now["other.py"] == user.replace("Net", "Other")


def test_a_change_beside_counts_in_the_cache(folder: Path) -> None:
    write(folder, {"net.py": NET, "train.py": "from net import Net\n\nm = Net()\n", "pyproject.toml": ""})
    arguments = ["check", "--output-format", "json", "-o", "out.json", "net.py"]
    main(arguments)
    before = (folder / "out.json").read_text()
    main(arguments)
    assert (folder / "out.json").read_text() == before
    write(folder, FORBID["positional children"])
    main(arguments)
    assert "outside the paths given" in (folder / "out.json").read_text()
    assert "outside the paths given" not in before


def test_in_worker_processes(folder: Path) -> None:
    write(folder, {f"{place}/{name}": text for place in "ab" for name, text in FORBID["positional children"].items()})
    write(folder, {f"{place}/net.py": NET for place in "ab"})
    write(folder, {"pyproject.toml": ""})
    before = texts(folder)
    assert fix("--jobs", "2", "a/net.py", "b/net.py") == 1
    assert texts(folder) == before


@pytest.mark.parametrize("mark", ["pyproject.toml", "setup.py", "setup.cfg", ".git"])
def test_the_project_ends_at_its_root(mark: str, folder: Path) -> None:
    write(folder, dict.fromkeys(("p/a/x.py", "p/a/y.py", "p/b/z.py", "q/w.py", f"p/{mark}"), ""))
    assert [name for name in beside("p/a/x.py") if name != f"p/{mark}"] == ["p/a/y.py", "p/b/z.py"]


def test_without_a_root_the_files_of_the_folder_and_the_package_count(folder: Path) -> None:
    write(folder, dict.fromkeys(("a/x.py", "a/y.py", "a/b/z.py", "w.py"), ""))
    assert beside("a/x.py") == ["a/y.py"]
    write(folder, {"a/__init__.py": "", "a/b/__init__.py": ""})
    assert beside("a/b/z.py") == ["a/__init__.py", "a/b/__init__.py", "a/x.py", "a/y.py", "w.py"]


def test_what_is_excluded_is_not_read(folder: Path) -> None:
    write(folder, dict.fromkeys(("x.py", "y.py", "build/z.py", "old/w.py"), ""))
    write(folder, {"pyproject.toml": '[tool.qprep]\nextend-exclude = ["old"]\n'})
    assert beside("x.py") == ["y.py"]


def test_the_limit_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 3)
    write(folder, {f"f{number}.py": "" for number in range(9)})
    write(folder, {"pyproject.toml": "", "net.py": NET})
    found = surroundings([Path("net.py")], SettingsResolver(all_rules()))
    assert len(found.paths) == 3
    assert found.note == "only the first 3 files or 20 MB of the other files in . are read"
    main(["check", "net.py"])
    assert f"note: {found.note}\n" in capsys.readouterr().err
    main(["check", "-q", "net.py"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("named", "fixed"), [(["--stdin-filename", "net.py"], False), ([], True)])
def test_a_text_on_standard_input_has_files_beside_it_where_it_is_named(
    named: list[str],
    fixed: bool,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(folder, {"net.py": "", **FORBID["positional children"]})
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=BytesIO(NET.encode())))
    main(["fix", "-q", "-", *named])
    assert ("Elt" in capsys.readouterr().out) is fixed


def test_all_files_given_have_nothing_beside_them(folder: Path) -> None:
    write(folder, {"net.py": NET, "pyproject.toml": "", "a/b.py": ""})
    files = [Path("net.py"), Path("a/b.py")]
    assert surroundings(files, SettingsResolver(all_rules())) == Surroundings(())


def test_the_hooks_hand_over_changed_files_and_say_so() -> None:
    root = Path(qprep.__file__).parent.parent
    hooks = yaml.safe_load((root / ".pre-commit-hooks.yaml").read_text())
    for hook in hooks:
        assert hook.get("pass_filenames", True)
        assert hook["require_serial"]
        assert "the project's other files" in hook["description"]


# Files that are looked at only where they may matter

UNSAFE_NET = NET.replace("        return ", '        self.shown = f"{self}"\n        return ')
OPS = "import torch\n\n\ndef mix(x, y):\n    return torch.sigmoid(x) * y\n"
USER = NET.replace("import torch\n", "import torch\nfrom ops import mix\n", 1).replace("F.relu(", "mix(x, ")


def looked_beside(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The calls that evaluate other files, from now on."""
    calls: list[object] = []
    surround = module.surround

    def noted(*arguments: Any) -> list[Division]:
        calls.append(arguments)
        return surround(*arguments)

    monkeypatch.setattr(module, "surround", noted)
    return calls


@pytest.mark.parametrize("cache", [True, False])
def test_other_files_are_not_evaluated_where_nothing_can_be_fixed(
    cache: bool, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, {"net.py": UNSAFE_NET, "train.py": "from net import Net\n\nm = Net()\n", "pyproject.toml": ""})
    calls = looked_beside(monkeypatch)
    more = ["net.py"] if cache else ["--no-cache", "net.py"]
    for _ in range(2):
        assert main(["check", *more]) == 1
        assert "not proven" in capsys.readouterr().out
        assert fix(*more) == 1
    assert not calls
    assert (folder / "net.py").read_text() == UNSAFE_NET
    main(["check", "--unsafe-fixes", *more])  # then each of them may be applied
    assert calls


def test_other_files_are_evaluated_where_something_can_be_fixed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, {"net.py": NET, "train.py": "from net import Net\n\nm = Net()\n", "pyproject.toml": ""})
    calls = looked_beside(monkeypatch)
    main(["check", "--no-cache", "net.py"])
    assert len(calls) == 1


@pytest.mark.parametrize("cache", [True, False])
def test_a_function_that_only_another_file_calls_is_reported(
    cache: bool, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, {"ops.py": OPS, "net.py": USER, "pyproject.toml": ""})
    more = [] if cache else ["--no-cache"]
    for _ in range(2):
        assert main(["check", *more, "ops.py"]) == 1
        assert "torch.sigmoid" in capsys.readouterr().out
    (folder / "net.py").unlink()
    assert main(["check", *more, "ops.py"]) == 0
    write(folder, {"net.py": USER})
    assert main(["check", *more, "ops.py"]) == 1


_TOOL = "class Tool:\n    def {method}(self, a, b=0):\n        return a + b\n\n\ntool = Tool()\n{use}\n"
_MODEL = """\
import torch.nn as nn
from ops import {name}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return {call}
"""
CALLED_WITH_NUMBERS = {
    "function": ("def mix(a, b=0):\n    return a + b\n\n\nK = mix(2, 3)\n", "mix", "mix(self.fc(x), x)"),
    "method": (_TOOL.format(method="mix", use="tool.mix(2, 3)"), "tool", "tool.mix(self.fc(x), x)"),
    "call of an object": (_TOOL.format(method="__call__", use="tool(2, 3)"), "tool", "tool(self.fc(x), x)"),
}


@pytest.mark.parametrize(("ops", "name", "call"), CALLED_WITH_NUMBERS.values(), ids=CALLED_WITH_NUMBERS.keys())
def test_a_function_that_this_file_calls_with_numbers_is_reported_where_another_gives_it_tensors(
    ops: str, name: str, call: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, {"ops.py": ops, "net.py": _MODEL.format(name=name, call=call), "pyproject.toml": ""})
    assert main(["check", "ops.py"]) == 1
    assert "QP101" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("from net import Block\n\nb = Block(act)\n", True),
        ("import net\n\nb = net.Block (act)\n", True),
        ("from net import Block\n\nclass Sub(Block):\n    pass\n\nb = Sub(act)\n", True),
        ("from net import Block\n\nclass Sub(Block):\n    pass\n", False),
        ("from net import Block\n\nprint(Block.__name__)\n", False),
        ("class Block(Base):\n    pass\n", False),
        ("b = MyBlock(act)\n", False),
    ],
)
def test_a_file_may_make_an_open_class(text: str, may: bool, folder: Path) -> None:
    write(folder, {"user.py": text})
    assert Beside([folder / "user.py"], Files({})).may_use(OpenNames(("Block",), ())) is may


@pytest.mark.parametrize(
    ("text", "may"), [("y = ops.mix(x)\n", True), ("table = [mix]\n", True), ("y = remix(x)\n", False), ("", False)]
)
def test_a_file_may_call_an_open_function(text: str, may: bool, folder: Path) -> None:
    write(folder, {"user.py": text})
    assert Beside([folder / "user.py"], Files({})).may_use(OpenNames((), ("mix",))) is may


REGISTRY = "found = {}\n\n\ndef register(cls):\n    found[cls.__name__] = cls\n    return cls\n"
TAKING = f"{REGISTRY}\n\ndef create(name):\n    return found[name]()\n"
REGISTERED = NET.replace("class Net", "@register\nclass Net").replace(
    "import torch\n", "import torch\nfrom registry import register\n", 1
)
OTHER = REGISTERED.replace("Net", "Other")
LOADER = "import importlib\n\n\ndef load(name):\n    return importlib.import_module(name)\n"
NEIGHBOURS = {
    "one that registers its own": ({"other.py": OTHER}, set()),
    "one that makes a registered one": (
        {"use.py": "from registry import create\nm = create('Net')\nm.relu\n"},
        {"use"},
    ),
    "one through a helper": (
        {
            "make.py": "from registry import create\n\n\ndef make():\n    return create('Net').relu\n",
            "use.py": "from make import make\nm = make()\nm.relu\n",
            "other.py": OTHER,
        },
        {"make", "use"},
    ),
    "a function for code that a user runs": (
        {
            "bus.py": REGISTRY.replace("register", "on")
            + "\n\ndef emit(m):\n    return [f(m) for f in found.values()]\n",
            "last.py": "from bus import on\n\n\n@on\ndef last(m):\n    return list(m.children())[-1]\n",
            "use.py": "import bus\nfrom net import Net\n\nbus.emit(Net())\n",
        },
        {"use", "last"},
    ),
    "a helper that fetches by names": (
        {
            "tools.py": "def hook(m):\n    for n in 'act c'.split():\n        getattr(m, n).p = 1\n",
            "use.py": "from tools import hook\nfrom net import Net\n\nhook(Net())\n",
        },
        {"use", "tools"},
    ),
    "a text that nothing loads": ({"notes.py": "names = ['net']\nrelu = 1\n"}, set()),
    "a text, and a loader that it does not use": ({"notes.py": "names = ['net']\n", "load.py": LOADER}, {"load"}),
    "a text for a loader": (
        {"use.py": "from load import load\nm = load('net').Net()\n", "load.py": LOADER},
        {"use", "load"},
    ),
    "a word in a comment": ({"notes.py": "# locate the relu of the net\nrelu = 'net'\n"}, set()),
}


@pytest.mark.parametrize(("others", "expected"), NEIGHBOURS.values(), ids=NEIGHBOURS.keys())
def test_neighbours_are_the_files_that_may_get_the_class(
    others: Mapping[str, str], expected: set[str], folder: Path
) -> None:
    write(folder, {"net.py": REGISTERED, "registry.py": TAKING, **others})
    given, rest = folder / "net.py", [folder / name for name in ("registry.py", *others)]
    division = Division((given,), (Partition((given,), ALONE),), None)
    part = surround([division], rest, Files({}))[0].parts[0]
    assert {path.stem for path in part.context} - {"registry"} == expected


LISTED = (
    "import importlib, os\nfrom .registry import create\n\nfor file in sorted(os.listdir(os.path.dirname(__file__))):\n"
    "    if not file.startswith('_'):\n        importlib.import_module('.' + file[:-3], __name__)\n"
)
ITERATED = (
    "import importlib, pkgutil\nfrom .registry import create\n\nfor _, name, _ in pkgutil.iter_modules(__path__):\n"
    "    importlib.import_module(f'{__name__}.{name}')\n"
)


@pytest.mark.parametrize("load", [LISTED, ITERATED])
def test_no_new_child_where_a_package_imports_each_of_its_files(
    load: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = (
        "found = {}\n\n\ndef register(cls):\n    found[cls.__name__] = cls\n    return cls\n\n\n"
        "def create(name):\n    return found[name]()\n"
    )
    net = NET.replace("class Net", "@register\nclass Net").replace(
        "import torch\n", "import torch\nfrom .registry import register\n", 1
    )
    train = "from torch import nn\nfrom pkg import create\n\nm = nn.Sequential(*list(create('Net').children()))\n"
    files = {"pkg/__init__.py": load, "pkg/net.py": net, "pkg/registry.py": registry, "train.py": train}
    write(folder, {**files, "pyproject.toml": ""})
    before = texts(folder)
    assert fix("--no-cache", "pkg/net.py") == 1
    assert texts(folder) == before
    assert "outside the paths given" in capsys.readouterr().out


USED = """\
from other.tools import scale
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return scale(self.fc(x)) + x
"""


@pytest.mark.parametrize(
    "statement", ["from other.tools import scale", "from other import tools", "import other.tools", "import other"]
)
def test_an_unchanged_file_is_not_looked_at_again(
    statement: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file takes something of a package beside its own, in a folder above, as many projects do."""
    uses = USED.replace("from other.tools import scale", statement)
    tools = {"other/__init__.py": "", "other/tools.py": "def scale(x):\n    return x\n"}
    write(
        folder, {"setup.py": "", "pkg/__init__.py": "", "pkg/net.py": uses, "pkg/use.py": "import pkg.net\n", **tools}
    )
    assert main(["check", "-q", "pkg/net.py"]) == 1

    def look(*_: object) -> object:
        raise AssertionError

    monkeypatch.setattr(snapshot, "Survey", look)
    monkeypatch.setattr(module, "_neighbours", look)
    assert main(["check", "-q", "pkg/net.py"]) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("other/tools.py", "def scale(x):\n    return x * 2\n"),
        ("other.py", "tools = None\n"),
        ("pkg/use.py", "from torch import nn\nfrom pkg.net import Net\n\nm = nn.Sequential(*Net().children())\n"),
        ("late.py", "from torch import nn\nfrom pkg.net import Net\n\nm = nn.Sequential(*Net().children())\n"),
        ("pkg/net.py", NET),
    ],
)
def test_what_is_around_a_file_is_looked_for_again_after_a_change(
    name: str, text: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = {"other/__init__.py": "", "other/tools.py": "def scale(x):\n    return x\n"}
    write(
        folder, {"setup.py": "", "pkg/__init__.py": "", "pkg/net.py": USED, "pkg/use.py": "import pkg.net\n", **tools}
    )
    assert main(["check", "-q", "pkg/net.py"]) == 1
    write(folder, {name: text})
    found: list[object] = []
    real = module._neighbours

    def look(*arguments: Any) -> object:
        found.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(module, "_neighbours", look)
    assert main(["check", "-q", "pkg/net.py"]) == 1
    assert found
