"""Code that lists the names of a file: a fix that adds an import to it, or removes one, is unsafe."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.running import fix, write

_ADDS = "self.act(self.fc(x) + 1)"
_MARKS = "self.act(self.out(self.act(self.fc(x))))"
_MODEL = """\
import inspect

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()
        self.out = nn.Linear(4, 4)

    def forward(self, x):
        return {operation}


def last(net):
    return list(net.children())[-1]


print(last(Net()))
{code}
"""
INSIDE = {
    "globals": "print(sorted(n for n in globals() if n.islower()))",
    "locals": "MODELS = {k: v for k, v in list(locals().items()) if isinstance(v, type)}",
    "dir": '__all__ = [n for n in dir() if not n.startswith("_")]',
    "vars": "print(len(vars()))",
}
OUTSIDE = {
    "dict": "sorted(n for n in model.__dict__ if n.islower() and callable(model.__dict__[n]))",
    "vars": "len(vars(model))",
    "dir": "[n for n in dir(model) if n[0].isupper()]",
    "members": "inspect.getmembers(model, inspect.isfunction)",
    "of-all-modules": 'len(vars(sys.modules["model"]))',
}
ONE_NAME = {
    "item": 'model.__dict__["Net"]',
    "get": 'vars(model).get("Net")',
    "in": '"Net" in vars(model)',
    "attribute": "model.Net",
    "another-module": "sorted(vars(torch))",
}


def _left(folder: Path, operation: str, inside: str, outside: str) -> list[str]:
    """The codes of the findings that stay."""
    files = {
        "model.py": _MODEL.replace("{operation}", operation).replace("{code}", inside),
        "use.py": f"import inspect\nimport sys\n\nimport model\nimport torch\n\nprint({outside})\n",
    }
    result = fix(write(folder, files), write=False)
    return [finding.code for finding in result.remaining]


@pytest.mark.parametrize("operation", [_ADDS, _MARKS], ids=["imports-a-module", "imports-the-mark"])
@pytest.mark.parametrize("code", INSIDE.values(), ids=INSIDE.keys())
def test_code_of_the_file_that_lists_its_names_stops_the_fix(code: str, operation: str, tmp_path: Path) -> None:
    assert "QP205" in (left := _left(tmp_path, operation, code, "0"))
    assert len(left) == 2


@pytest.mark.parametrize("operation", [_ADDS, _MARKS], ids=["imports-a-module", "imports-the-mark"])
@pytest.mark.parametrize("code", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_code_of_another_file_that_lists_the_names_stops_the_fix(code: str, operation: str, tmp_path: Path) -> None:
    assert "QP205" in (left := _left(tmp_path, operation, "", code))
    assert len(left) == 2


@pytest.mark.parametrize("operation", [_ADDS, _MARKS], ids=["imports-a-module", "imports-the-mark"])
@pytest.mark.parametrize("code", ONE_NAME.values(), ids=ONE_NAME.keys())
def test_a_use_of_one_name_sees_no_import(code: str, operation: str, tmp_path: Path) -> None:
    assert _left(tmp_path, operation, "", code) == []
