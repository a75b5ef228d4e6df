"""Values that count as activations, across methods, helpers and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep import check_source
from qprep.engine import runs
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.rule_registry import all_rules

_FORWARD = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, n=2):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.n = n
        self.w = nn.Parameter(torch.ones(4))
        self.register_buffer("m", torch.ones(4))

    def forward(self, x, mask=None, scale: float = 1.0):
        {}
"""

ACTIVATIONS = {
    "input": "return x + x",
    "result-of-a-module": "return self.fc(x) + 1",
    "result-of-torch": "return x.flatten(1) * 2",
    "indexed": "return x[:, 0] - x[:, 1]",
    "unpacked": "a, b = x.chunk(2)\n        return a - b",
    "from-a-list": "xs = [x]\n        return xs[0] * 2",
    "from-a-dictionary": "xs = {'a': self.fc(x)}\n        return xs['a'] * 2",
    "through-a-loop": "for row in x:\n            y = row * 2\n        return y",
    "through-a-conditional": "y = x if self.n else None\n        return y * 2",
    "times-a-parameter": "return x * self.w",
    "times-a-number": "return x * scale",
    "times-a-size": "return x * x.size(0)",
    "through-a-lambda": "f = lambda t: t * 2\n        return f(x)",
    "moved": "return x.float().contiguous().to('cpu') * 2",
}
OTHERS = {
    "size": "return self.fc(x)[: x.size(0) // 2]",
    "setting": "return self.fc(x)[: self.n * 2]",
    "argument-that-is-a-number": "half = scale / 2\n        return self.fc(x), half",
    "parameter-alone": "return self.fc(x), self.w * 2",
    "buffer-and-parameter": "return self.fc(x), self.w + self.m",
    "positions": "return self.fc(x), torch.arange(4) * 2",
    "integers": "return self.fc(x), x.argmax(-1) + 1",
    "comparison": "return self.fc(x), (x > 0) & (x < 1)",
    "shape": "return self.fc(x).reshape(x.shape[:1] + (-1,))",
    "none-test": "return self.fc(x) if mask is None else x",
}


@pytest.mark.parametrize("body", [pytest.param(text, id=name) for name, text in ACTIVATIONS.items()])
def test_arithmetic_on_activations_is_found(body: str) -> None:
    assert [finding.code[:4] for finding in check_source(_FORWARD.format(body))] == ["QP10"]


@pytest.mark.parametrize("body", [pytest.param(text, id=name) for name, text in OTHERS.items()])
def test_other_arithmetic_is_not(body: str) -> None:
    assert check_source(_FORWARD.format(body)) == ()


def found(folder: Path, files: dict[str, str]) -> list[tuple[str, int]]:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    paths = sorted(folder.rglob("*.py"))
    result = runs.check(paths, SettingsResolver(all_rules(), Options(), isolated=True))
    return [(Path(finding.path).name, finding.start.line) for finding in result.findings]


HEAD = "from torch import nn\n"


def test_an_operation_in_a_helper_of_another_file_is_found_where_it_stands(tmp_path: Path) -> None:
    helper = "def twice(t):\n    return t * 2\n"
    net = HEAD + "from helper import twice\n\n\n" + _FORWARD.format("return twice(self.fc(x))").partition("\n\n\n")[2]
    assert found(tmp_path, {"helper.py": helper, "net.py": net.replace("torch.ones(4)", "None")}) == [("helper.py", 2)]


def test_a_helper_that_no_model_calls_is_no_finding(tmp_path: Path) -> None:
    assert found(tmp_path, {"helper.py": "import torch\n\n\ndef twice(t: torch.Tensor):\n    return t * 2\n"}) == []


def test_attributes_of_a_base_in_another_file_are_known(tmp_path: Path) -> None:
    base = HEAD + "\n\nclass Base(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    base += "        self.fc = nn.Linear(4, 4)\n        self.n = 2\n"
    net = "from base import Base\n\n\nclass Net(Base):\n    def forward(self, x):\n"
    net += "        k = self.n * 2\n        return self.fc(x) * k\n"
    assert found(tmp_path, {"base.py": base, "net.py": net}) == [("net.py", 7)]


def test_relative_imports_in_a_package_are_followed(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "from .net import Net\n",
        "pkg/helper.py": "def twice(t):\n    return t * 2\n",
        "pkg/net.py": HEAD + "from . import helper\n\n\nclass Net(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.fc = nn.Linear(4, 4)\n\n"
        "    def forward(self, x):\n        return helper.twice(self.fc(x))\n",
    }
    assert found(tmp_path, files) == [("helper.py", 2)]


def test_a_class_that_runs_one_operation_is_a_module_of_its_own() -> None:
    text = HEAD + "\n\nclass Add(nn.Module):\n    def forward(self, a, b):\n        return a + b\n"
    assert check_source(text) == ()
    assert len(check_source(text.replace("a + b", "a + b + a"))) == 2


def test_a_function_that_nests_its_arguments_without_end() -> None:
    source = _FORWARD.format("return wrap(x) * 2") + (
        "\n\ndef wrap(v):\n    if isinstance(v, dict):\n        return [wrap((v, w)) for w in v]\n"
        "    if isinstance(v, list):\n        return wrap([v, (v, v)])\n    return wrap([v, v]) or v\n"
    )
    assert [finding.code for finding in check_source(source)] == ["QP102"]


def test_a_parameter_added_to_what_nobody_knows_is_counted(tmp_path: Path) -> None:
    net = HEAD + "from foreign import make\n\n\nclass Net(nn.Module):\n    def __init__(self):\n"
    net += "        super().__init__()\n        self.p = nn.Parameter(make(2))\n\n    def forward(self, x):\n"
    (tmp_path / "net.py").write_text(net + "        return make(x) + self.p\n")
    result = runs.check([tmp_path / "net.py"], SettingsResolver(all_rules(), Options(), isolated=True))
    assert [site.start.line for site in result.unknown_sites] == [11]
