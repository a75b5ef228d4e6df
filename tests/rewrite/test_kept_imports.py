"""An import that the rewritten code needs no more stays where a text or another file may use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.cli import main
from tests.rewrite.cases import module
from tests.rewrite.running import fix, write

_IMPORT = "import torch.nn.functional as F\n"
_NET = """
class Net(nn.Module):
    {doc}

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.fc(x))
"""
# a text in the file itself, and whether the import must stay
TEXTS = {
    "doctest": ('"""\n    >>> F.relu(torch.zeros(1))\n    tensor([0.])\n    """', True),
    "indented doctest": ('"""Text.\n\n        >>> y = 1 + F.relu(x).sum()\n    """', True),
    "markdown": ('"""\n    ```python\n    F.relu(x)\n    ```\n    """', True),
    "kept text": ('code = "y = F.relu(x)\\n"', True),
    "joined text": ('code = "y = " "F.relu(x)"', True),
    "formatted text": ('code = f"y = F.{nn.__name__}(x)"', True),
    "name": ('used = "F.relu"', True),
    "prose": ('"""It applies F.relu behind a layer."""', False),
    "another word": ('"""\n    >>> Final(1)\n    """', False),
}
# another file of the project, and whether the import must stay
USERS = {
    "import": ("from model import F", True),
    "import of several": ("from model import (Net,\n    F as functional)", True),
    "star": ("from model import *", True),
    "in a function": ("def f(x):\n    from model import F\n    return F.relu(x)", True),
    "attribute": ("import model\n\ny = model.F.relu", True),
    "import_module": ("import importlib\n\ny = importlib.import_module('model').F", True),
    "computed import": ("import importlib\n\nname = 'model'\nm = importlib.import_module(name)\ny = m.F.relu", True),
    "__import__": ("y = __import__('model').F", True),
    "getattr": ("import model\n\ny = getattr(model, 'F')", True),
    "run_path": ("import runpy\n\ny = runpy.run_path('model.py')['F']", True),
    "patch": ("from unittest import mock\n\npatched = mock.patch('model.F.gelu')", True),
    "doctest": ('import model\n\n\ndef f():\n    """\n    >>> model.F.relu(x)\n    """', True),
    "its own": ("import torch.nn.functional as F\n\ny = F.relu", False),
    "torch's": ("import torch\n\ny = torch.F", False),
    "module": ("import model\n\nnet = model.Net()", False),
}


@pytest.mark.parametrize(("doc", "stays"), TEXTS.values(), ids=TEXTS.keys())
def test_a_text_of_the_file_keeps_an_import(doc: str, stays: bool, tmp_path: Path) -> None:
    paths = write(tmp_path, {"model.py": module(_NET.format(doc=doc))})
    assert fix(paths, write=True).changed
    assert (_IMPORT in (tmp_path / "model.py").read_text()) is stays


@pytest.mark.parametrize("given", ["all", "one"])
@pytest.mark.parametrize(("user", "stays"), USERS.values(), ids=USERS.keys())
def test_a_use_in_another_file_keeps_an_import(user: str, stays: bool, given: str, tmp_path: Path) -> None:
    write(tmp_path, {"model.py": module(_NET.format(doc="pass")), "user.py": f"{user}\n", "pyproject.toml": ""})
    main(["fix", "-q", "--no-cache", str(tmp_path if given == "all" else tmp_path / "model.py")])
    text = (tmp_path / "model.py").read_text()
    assert "self.relu(" in text
    assert (_IMPORT in text) is stays
