"""Code that people really have: each operation in it is a finding, or is counted as one on values of unknown kind."""

# ruff: noqa: E501  (each program is one line of a table)

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional

from qprep.engine import runs
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.rule_registry import all_rules
from qprep.foundation.catalogue.lookup import load

_HEAD = "import contextlib\nimport functools\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n\n"
_NET = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

"""


def found(folder: Path, text: str, options: Options | None = None) -> tuple[list[tuple[str, int]], list[int]]:
    """The codes with their lines, counted from behind the imports, and the lines of unknown kind."""
    path = folder / "net.py"
    path.write_text(_HEAD + text)
    settings = SettingsResolver(all_rules(), options or Options(), isolated=True)
    result = runs.check([path], settings)
    offset = _HEAD.count("\n")
    codes = sorted((finding.code, finding.start.line - offset) for finding in result.findings)
    return codes, sorted(finding.start.line - offset for finding in result.unknown_sites)


def method(text: str) -> str:
    """A module of one layer with these methods, which begin in line 6."""
    return _NET + "".join(f"    {line}\n" for line in text.splitlines())


FOUND = {
    "values-of-a-dict": (
        "def forward(self, feats):\n    a, b = feats.values()\n    return F.relu(a + b)",
        [("QP101", 8), ("QP301", 8)],
    ),
    "items-of-a-dict": (
        "def forward(self, feats):\n    out = 0\n    for name, f in feats.items():\n        out = out + f\n    return out",
        [("QP101", 9)],
    ),
    "attribute-of-an-object-in-a-layer": (
        "def forward(self, data):\n    return self.fc(data.x) * 2",
        [("QP102", 7)],
    ),
    "attribute-of-an-object-in-torch": ("def forward(self, batch):\n    return torch.sin(batch.pos)", [("QP103", 7)]),
    "method-of-a-tensor-on-an-attribute": (
        "def forward(self, batch):\n    return self.fc(batch.pos.flatten(1)).exp() + batch.x.softmax(-1)",
        [("QP101", 7), ("QP104", 7), ("QP301", 7)],
    ),
    "optional-in-a-layer": (
        "def forward(self, x, cond=None):\n    if cond is not None:\n        x = self.fc(cond) + cond * 2\n    return x",
        [("QP101", 8), ("QP102", 8)],
    ),
    "optional-in-torch": (
        "def forward(self, x, cond=None):\n    return self.fc(x if cond is None else torch.relu(cond))",
        [("QP301", 7)],
    ),
    "any-number-of-inputs": ("def forward(self, *xs):\n    return self.fc(xs[0]) + xs[1]", [("QP101", 7)]),
    "inputs-by-name": ("def forward(self, **batch):\n    return self.fc(batch['x']) * 2", [("QP102", 7)]),
    "coroutine": ("async def forward(self, x):\n    return await self.run(x)\nasync def run(self, x):\n    return x * 2", [("QP102", 9)]),
    "asynchronous-with": ("async def forward(self, x):\n    async with self.gate() as g:\n        return x * 2", [("QP102", 8)]),
    "forward-is-a-lambda": ("forward = lambda self, x: self.fc(x) * 2", [("QP102", 6)]),
    "called-through-call": ("def forward(self, x):\n    return x\ndef __call__(self, x):\n    return super().__call__(x) * 2", [("QP102", 9)]),
    "inference": ("def forward(self, x):\n    return x\ndef inference(self, x):\n    return self.fc(x) * 2", [("QP102", 9)]),
    "sample": (
        "def forward(self, x):\n    return x\ndef sample(self, z, n=3):\n    for _ in range(n):\n        z = z - self.fc(z)\n    return z",
        [("QP101", 10), ("QP202", 10)],
    ),
    "generate": ("def forward(self, x):\n    return self.fc(x)\ndef generate(self, ids):\n    return self(ids) / 2", [("QP102", 9)]),
    "context-manager": (
        "@contextlib.contextmanager\ndef scope(self, x):\n    yield x * 2\ndef forward(self, x):\n    with self.scope(x) as k:\n        return self.fc(k) * k",
        [("QP101", 11), ("QP102", 8)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_it_is_found(name: str, tmp_path: Path) -> None:
    text, expected = FOUND[name]
    assert found(tmp_path, method(text)) == (expected, [])


def test_a_function_that_is_the_forward(tmp_path: Path) -> None:
    text = "def run(self, x):\n    return self.fc(x) * 2\n\n\n" + _NET + "    forward = run\n"
    assert found(tmp_path, text)[0] == [("QP102", 2)]


def test_a_class_that_type_makes(tmp_path: Path) -> None:
    text = "def start(self):\n    nn.Module.__init__(self)\n    self.fc = nn.Linear(4, 4)\n\n\n"
    text += "def run(self, x):\n    return self.fc(x) * 2\n\n\n"
    text += "Net = type('Net', (nn.Module,), dict(__init__=start, forward=run))\n"
    assert found(tmp_path, text)[0] == [("QP102", 7)]


@pytest.mark.parametrize("factory", [False, True])
def test_the_wrapper_of_a_decorator(tmp_path: Path, factory: bool) -> None:
    text = (
        "def scaled(fn):\n    def inner(*args, **kwargs):\n        return fn(*args, **kwargs) * 2\n    return inner\n"
    )
    if factory:
        text = "def factory():\n" + "".join(f"    {line}\n" for line in text.splitlines()) + "    return scaled\n"
    text += (
        _NET
        + f"    @{'factory()' if factory else 'scaled'}\n    def forward(self, x):\n        return self.fc(x) + 1\n"
    )
    last = text.count("\n")
    assert found(tmp_path, text)[0] == [("QP102", 4 if factory else 3), ("QP102", last)]


UNKNOWN = {
    "optional": "def forward(self, x, scale=None):\n    n = scale * 2\n    return self.fc(x)",
    "attribute": "def forward(self, data):\n    n = data.a + data.b\n    return self.fc(data.x)",
    "minus": "def forward(self, data):\n    n = -data.a\n    return self.fc(data.x)",
    "sum": "def forward(self, data):\n    n = sum(data.a)\n    return self.fc(data.x)",
    "unknown-method": "def forward(self, x):\n    n = torch.relu(self.fc.thing)\n    return self.fc(x)",
    "method-of-lists-too": "def forward(self, data):\n    n = data.a.index_put(1) if 0 else data.a.add(1)\n    return n",
    "no-layer-runs": "def forward(self, x):\n    return x\ndef encode(self, xy):\n    return torch.sin(xy)",
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_it_is_counted_as_unknown(name: str, tmp_path: Path) -> None:
    codes, unknown = found(tmp_path, method(UNKNOWN[name]))
    assert not codes
    assert len(unknown) == 1


@pytest.mark.parametrize(
    "text",
    [
        "def forward(self, x):\n    return x\ndef resize(self, size):\n    self.side = size * 2",
        "def forward(self, x, stride=None):\n    return self.fc(x)[: x.size(0) // 2]",
        "def forward(self, x, *, mode='a', **flags):\n    return self.fc(x) if flags else x",
    ],
)
def test_nothing_is_said_of_settings(text: str, tmp_path: Path) -> None:
    assert found(tmp_path, method(text)) == ([], [])


def test_functions_of_torch_that_the_catalogue_lacks_are_counted(tmp_path: Path) -> None:
    catalogue = load()
    homes = {
        "torch": torch,
        "F": torch.nn.functional,
        "torch.fft": torch.fft,
        "torch.linalg": torch.linalg,
        "torch.sparse": torch.sparse,
    }
    homes |= {"torch.special": torch.special, "torch.nested": torch.nested}
    known = {"F": "torch.nn.functional"}
    lacking = [
        f"{home}.{name}"
        for home, namespace in homes.items()
        for name, value in sorted(vars(namespace).items())
        if callable(value) and not isinstance(value, type) and not name.startswith(("_", "is_")) and name.islower()
        if catalogue.function(f"{known.get(home, home)}.{name}") is None
        and getattr(value, "__module__", "torch") != "typing"
        and f"{home}.{name}" != "torch.compile"
    ]
    assert len(lacking) > 100
    lines = "".join(f"        {name}(x)\n" for name in lacking)
    codes, unknown = found(tmp_path, _NET + "    def forward(self, x):\n" + lines, Options(include_losses=True))
    silent = {name for line, name in enumerate(lacking, start=7) if line not in unknown}
    assert (codes, silent) == ([], set())


UNREGISTERED = {
    "list": ("self.a = [nn.Linear(4, 4)]", 1),
    "made-in-a-loop": ("self.a = []\nfor _ in range(2):\n    self.a.append(nn.Linear(4, 4))", 0),
    "dict-under-a-local-name": ("d = {}\nd['x'] = nn.Linear(4, 4)\nself.a = list(d.values())", 1),
    "tuple": ("self.a = (nn.Linear(4, 4), nn.Linear(4, 4))", 1),
    "list-that-a-module-list-takes": ("self.a = [nn.Linear(4, 4)]\nself.b = nn.ModuleList(self.a)", 0),
    "added-one-by-one": (
        "self.a = [nn.Linear(4, 4)]\nfor i, m in enumerate(self.a):\n    setattr(self, f'l{i}', m)",
        0,
    ),
    "named-one-by-one": ("self.c = nn.Linear(4, 4)\nself.a = [self.c]", 0),
    "module-list": ("self.a = nn.ModuleList([nn.Linear(4, 4)])", 0),
}


@pytest.mark.parametrize("name", UNREGISTERED)
def test_layers_that_nothing_registers(name: str, tmp_path: Path) -> None:
    made, expected = UNREGISTERED[name]
    lines = "".join(f"        {line}\n" for line in made.splitlines())
    text = _NET.rstrip("\n") + "\n" + lines + "\n    def forward(self, x):\n        return self.a[0](x)\n"
    assert [code for code, _ in found(tmp_path, text)[0]].count("QP206") == expected


_STUBS = """\
class Wrapped(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.quant, self.dequant = torch.ao.quantization.QuantStub(), torch.ao.quantization.DeQuantStub()
        self.model = model

    def forward(self, x):
        return self.dequant(self.model(self.quant(x)))


"""
_SEQUENTIAL = "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
_SEQUENTIAL += "        self.body = nn.Sequential(nn.Conv2d(3, 4, 1))\n\n    def forward(self, x):\n"
_SEQUENTIAL += "        return self.body(x)\n\n\n"
WHOLE = {
    "sequentials-alone": (_SEQUENTIAL, True),
    "wrapped": (_SEQUENTIAL + _STUBS + "def make():\n    return Wrapped(Net())\n", False),
    "wrapped-under-a-name": (
        _SEQUENTIAL + _STUBS + "def make():\n    net = Net()\n    return Wrapped(model=net)\n",
        False,
    ),
    "wrapped-by-somebody-else": (_SEQUENTIAL + _STUBS, False),
    "wrapped-by-torch": (_SEQUENTIAL + "def make():\n    return torch.ao.quantization.QuantWrapper(Net())\n", False),
    "another-one-is-wrapped": (
        _SEQUENTIAL + _SEQUENTIAL.replace("Net", "Other") + _STUBS + "def make():\n    return Wrapped(Other())\n",
        True,
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_stubs_are_for_whole_models(name: str, tmp_path: Path) -> None:
    text, is_whole = WHOLE[name]
    codes, _ = found(tmp_path, text, Options(target="torch-ao"))
    assert ("QP510" in [code for code, _ in codes]) == is_whole


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("30.0 * self.fc(x)", "self.mul.mul_scalar(self.fc(x), 30.0)"),
        ("-1 + (x * x)", "self.add.add_scalar(self.mul.mul(x, x), -1)"),
        ("(0.5) * x + 1", "self.add.add_scalar(self.mul.mul_scalar(x, 0.5), 1)"),
        ("1 - self.fc(x)", "self.quant_1(1 - self.dequant_1(self.fc(x)))"),
    ],
)
def test_numbers_before_tensors_change_places_where_that_is_the_same(before: str, after: str, tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(_HEAD + method(f"def forward(self, x):\n    return {before}"))
    settings = SettingsResolver(all_rules(), Options(target="torch-ao", select=("QP1",)), isolated=True)
    runs.fix([path], settings, write=True)
    new = path.read_text()
    assert f"        return {after}\n" in new


def test_outputs_that_are_written_out_are_dequantized_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(_HEAD + method("def forward(self, *xs):\n    x = self.fc(xs[0])\n    return [x, self.fc.bias + x]"))
    settings = SettingsResolver(all_rules(), Options(target="torch-ao", select=("QP510",)), isolated=True)
    runs.fix([path], settings, write=True)
    new = path.read_text()
    assert "        xs = (self.quant(xs[0]), *xs[1:])\n" in new
    assert "        return [self.dequant(x), self.dequant(self.fc.bias + x)]\n" in new
