"""Variables of a module through which code names an operation, and that other code gives another value."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.running import fix, write

_MODEL = """\
import sys
import types
from unittest import mock

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.functional import relu


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return {operation}


{code}
"""
_USE = "import sys\nfrom unittest import mock\n\nimport model\nimport pytest\n\n"
_FAKE = "types.SimpleNamespace(gelu=abs)"
# in the file itself
INSIDE = {
    "global": f"def use():\n    global F\n    F = {_FAKE}",
    "globals-item": f'def use():\n    globals()["F"] = {_FAKE}',
    "globals-by-variable": f'def use():\n    table = globals()\n    table["F"] = {_FAKE}',
    "globals-update": f"def use():\n    globals().update(F={_FAKE})",
    "globals-update-dictionary": f'def use():\n    globals().update({{"F": {_FAKE}}})',
    "globals-or": f'def use():\n    table = globals()\n    table |= {{"F": {_FAKE}}}',
    "globals-pop": 'def use():\n    globals().pop("F")',
    "globals-deletion": 'def use():\n    del globals()["F"]',
    "of-a-method": f'def use():\n    Net.forward.__globals__["F"] = {_FAKE}',
    "of-a-method-by-variable": f'def use():\n    g = Net.forward.__globals__\n    g["F"] = {_FAKE}',
    "own-module": f"def use():\n    sys.modules[__name__].F = {_FAKE}",
    "own-module-by-variable": f"def use():\n    me = sys.modules[__name__]\n    me.F = {_FAKE}",
    "own-module-setattr": f'def use():\n    setattr(sys.modules[__name__], "F", {_FAKE})',
    "patch-own": 'def use():\n    with mock.patch(__name__ + ".F"):\n        pass',
    "patch-own-formatted": 'def use():\n    with mock.patch(f"{__name__}.F.gelu"):\n        pass',
}
# in another file
OUTSIDE = {
    "attribute": "model.F = None",
    "setattr": 'setattr(model, "F", None)',
    "delattr": 'delattr(model, "F")',
    "dict": 'vars(model)["F"] = None',
    "patch-object": 'def test():\n    with mock.patch.object(model, "F"):\n        pass',
    "patch-object-by-keyword": 'def test():\n    with mock.patch.object(model, attribute="F"):\n        pass',
    "patch-multiple": "def test():\n    with mock.patch.multiple(model, F=None):\n        pass",
    "patch-dict": 'def test():\n    with mock.patch.dict(model.__dict__, {"F": None}):\n        pass',
    "patch-decorator": '@mock.patch("model.F")\ndef test(fake):\n    pass',
    "patch-function": 'def test():\n    with mock.patch("model.F.gelu"):\n        pass',
    "fixture": 'def test(monkeypatch):\n    monkeypatch.setattr(model, "F", None)',
    "fixture-by-path": 'def test(monkeypatch):\n    monkeypatch.setattr("model.F", None)',
    "fixture-deletion": 'def test(monkeypatch):\n    monkeypatch.delattr("model.F")',
    "mocker": 'def test(mocker):\n    mocker.patch("model.F.gelu")',
    "mocker-object": 'def test(mocker):\n    mocker.patch.object(model, "F")',
}
SAFE_INSIDE = {
    "other-name": 'def use():\n    globals()["G"] = None',
    "other-names": "def use():\n    globals().update(G=None, H=None)",
    "local": "def use():\n    F = None\n    return F",
    "read": 'def use():\n    return globals()["F"], Net.forward.__globals__["F"]',
    "other-global": "def use():\n    global G\n    G = None",
    "own-module-other-name": "def use():\n    sys.modules[__name__].G = None",
    "computed-name-of-a-function": "def use(function):\n    globals()[function.__name__] = torch.compile(function)",
    "computed-other-names": 'def use():\n    for n in range(3):\n        globals()[f"net{n}"] = Net',
}
SAFE_OUTSIDE = {
    "other-attribute": "model.G = None",
    "other-module": "sys.F = None",
    "patch-other": 'def test():\n    with mock.patch("model.G"):\n        pass',
    "patch-of-a-service": 'def test(client, url):\n    client.patch(url, json={})\n    client.patch("/models/F")',
}
_GELU = "F.gelu(self.fc(x))"


def _is_fixed(folder: Path, operation: str, code: str, other: str = "") -> bool:
    files = {"model.py": _MODEL.format(operation=operation, code=code), "use.py": _USE + other}
    result = fix(write(folder, files), write=False)
    assert len(result.fixed) + len([f for f in result.remaining if f.stands_in_the_way]) == 1
    return bool(result.fixed)


@pytest.mark.parametrize("code", INSIDE.values(), ids=INSIDE.keys())
def test_a_file_that_replaces_its_own_variable_keeps_the_function(code: str, tmp_path: Path) -> None:
    assert not _is_fixed(tmp_path, _GELU, code)


@pytest.mark.parametrize("code", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_a_variable_that_another_file_replaces_keeps_the_function(code: str, tmp_path: Path) -> None:
    assert not _is_fixed(tmp_path, _GELU, "", code)


@pytest.mark.parametrize("code", SAFE_INSIDE.values(), ids=SAFE_INSIDE.keys())
def test_code_that_sets_other_variables_of_the_file_keeps_nothing(code: str, tmp_path: Path) -> None:
    assert _is_fixed(tmp_path, _GELU, code)


@pytest.mark.parametrize("code", SAFE_OUTSIDE.values(), ids=SAFE_OUTSIDE.keys())
def test_another_file_that_sets_other_names_keeps_nothing(code: str, tmp_path: Path) -> None:
    assert _is_fixed(tmp_path, _GELU, "", code)


@pytest.mark.parametrize(
    ("operation", "name"),
    [("relu(self.fc(x))", "relu"), ("torch.relu(self.fc(x))", "torch"), ("nn.functional.relu(self.fc(x))", "nn")],
)
def test_every_spelling_goes_through_its_own_variable(operation: str, name: str, tmp_path: Path) -> None:
    assert not _is_fixed(tmp_path / "replaced", operation, "", f"model.{name} = None")
    assert _is_fixed(tmp_path / "other", operation, "", "model.F = None")


_FUNCTION = "\n\ndef block(x):\n    x = F.gelu(x)\n    x += 1\n    return x\n\n\n"


@pytest.mark.parametrize(
    "code",
    [
        'def use():\n    globals()["block"] = abs',
        "def use():\n    sys.modules[__name__].block = abs",
        'def use():\n    with mock.patch(__name__ + ".block"):\n        pass',
        'def use():\n    block.__kwdefaults__["x"] = 1',
    ],
)
def test_a_function_that_may_be_replaced_becomes_no_module(code: str, tmp_path: Path) -> None:
    text = _MODEL.format(operation="block(self.fc(x))", code=_FUNCTION + code)
    assert not fix(write(tmp_path / "replaced", {"model.py": text}), write=False).fixed
    text = _MODEL.format(operation="block(self.fc(x))", code=_FUNCTION)
    assert fix(write(tmp_path / "plain", {"model.py": text}), write=False).fixed
