"""Code that lists the names of a file, or asks which classes have a constructor of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.cases import module
from tests.rewrite.running import fix, write

_MODEL = """
class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)


class Net(Base):
    def forward(self, x):
        return {operation}


{code}
"""
_USE = "import inspect\nimport sys\nfrom torch import nn\nimport model\n\n"
_ADD = "self.fc(x) + x"
INSIDE = {
    "dir": '__all__ = [n for n in dir() if not n.startswith("_")]',
    "locals": "TABLE = dict(locals())",
    "vars": "TABLE = {k: v for k, v in vars().items() if callable(v)}",
    "globals": "def names():\n    return sorted(globals())",
    "own-module": "import sys\ndef names():\n    return dir(sys.modules[__name__])",
    "own-table": "import sys\ndef names():\n    return list(sys.modules[__name__].__dict__)",
}
OUTSIDE = {
    "dict": "names = sorted(n for n in model.__dict__ if n.islower())",
    "dir": "names = dir(model)",
    "vars": "names = list(vars(model))",
    "members": "names = inspect.getmembers(model)",
    "subclasses": "classes = nn.Module.__subclasses__()",
    "constructor-in-a-table": 'own = "__init__" in vars(model.Net)',
    "constructor-in-a-dict": 'own = "__init__" in model.Net.__dict__',
    "constructor-of-a-dict": 'own = model.Net.__dict__.get("__init__")',
    "constructor-compared": "own = model.Net.__init__ is not model.Base.__init__",
    "constructor-in-a-decorator": 'def mark(cls):\n    return "__init__" in cls.__dict__\n\nmark(model.Net)',
}
SAFE = {
    "one-name": 'net = vars(model)["Net"]',
    "one-name-asked": 'known = "Net" in model.__dict__',
    "other-module": "names = dir(sys)",
    "own-subclasses": "classes = model.Base.__subclasses__()",
    "other-constructor": "class Other:\n    pass\n\nown = Other.__init__ is object.__init__",
    "its-own-names": "names = dir()",
}


@pytest.mark.parametrize("code", INSIDE.values(), ids=INSIDE.keys())
def test_a_file_that_lists_its_names_gets_no_import(code: str, tmp_path: Path) -> None:
    text = module(_MODEL.format(operation=_ADD, code=code))
    assert not fix(write(tmp_path, {"model.py": text}), write=False).fixed


@pytest.mark.parametrize("code", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_a_file_whose_names_or_constructors_are_listed_is_left(code: str, tmp_path: Path) -> None:
    text = module(_MODEL.format(operation=_ADD, code=""))
    assert not fix(write(tmp_path, {"model.py": text, "use.py": _USE + code}), write=False).fixed


@pytest.mark.parametrize("code", SAFE.values(), ids=SAFE.keys())
def test_code_that_asks_for_one_name_or_others_keeps_nothing(code: str, tmp_path: Path) -> None:
    text = module(_MODEL.format(operation=_ADD, code=""))
    assert fix(write(tmp_path, {"model.py": text, "use.py": _USE + code}), write=False).fixed


def test_an_import_that_would_be_removed_is_kept_where_names_are_listed(tmp_path: Path) -> None:
    text = module(_MODEL.format(operation="F.gelu(self.fc(x))", code=""))
    assert not fix(write(tmp_path, {"model.py": text, "use.py": _USE + OUTSIDE["dir"]}), write=False).fixed
