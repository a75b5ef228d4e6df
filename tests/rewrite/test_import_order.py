"""Imports of rewritten code stay in isort's order, as ruff checks it, where the file had it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import qprep
from qprep import fix_source

BODY = """

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) + x
"""
SORTED = {
    "from torch": "from torch import nn\n",
    "import torch before": "import torch\nfrom torch import nn\n\nprint(torch)\n",
    "names around": "from accelerate import Accelerator\nfrom torch import nn\nfrom yaml import safe_load\n",
    "torch last": "from accelerate import Accelerator\nfrom torch import nn\n",
    "import torch.nn as nn": "import torch.nn as nn\n",
    "sections": "import os\n\nimport numpy as np\nfrom torch import nn\n\nfrom .base import Base\n",
    "its own import": "from qprep.runtime_modules import Concat\nfrom torch import nn\n\nCAT = Concat()\n",
    "its own import, other names": (
        "from qprep.runtime_modules import LSTM, MatMul, another\nfrom torch import nn\n\nX = LSTM, MatMul, another\n"
    ),
    "numbers": "from layers2 import a\nfrom layers10 import b\nfrom torch import nn\n",
    "docstring": '"""A model."""\n\nfrom torch import nn\n',
}
UNSORTED = {
    "from before import": "from torch import nn\nimport torch\n\nprint(torch)\n",
    "two in one": "import torch, numpy\nfrom torch import nn\n\nprint(torch, numpy)\n",
    "relative in the group": "from .a import b\nfrom torch import nn\n",
}
WITHOUT_TORCH = {
    "relative": "from .base import Base\n",
    "future and relative": "from __future__ import annotations\n\nfrom .base import Base\n",
    "standard library": "import math\n",
}


def complaints(text: str) -> str:
    """The findings of ruff's isort rules."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "I", "--quiet"]
    command += ["--output-format", "concise", "--config", 'src=["elsewhere"]', "--stdin-filename", "net.py", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False).stdout


def fixed(head: str) -> str:
    """The text of the model behind `head`, rewritten."""
    text = fix_source(head + BODY)[0]
    assert "EltwiseAdd" in text
    return text


@pytest.mark.parametrize("head", [pytest.param(text, id=name) for name, text in SORTED.items()])
def test_sorted_imports_stay_sorted(head: str) -> None:
    pytest.importorskip("ruff")
    assert complaints(head + BODY) == ""
    assert complaints(fixed(head)) == ""


@pytest.mark.parametrize("head", [pytest.param(text, id=name) for name, text in UNSORTED.items()])
def test_other_imports_keep_their_order(head: str) -> None:
    lines = list(filter(None, head.splitlines()))
    new = fixed(head).splitlines()
    assert new.index("from qprep.runtime_modules import EltwiseAdd") > new.index("from torch import nn")
    assert [line for line in new if line in lines] == lines


@pytest.mark.parametrize("head", [pytest.param(text, id=name) for name, text in WITHOUT_TORCH.items()])
def test_a_new_group_is_in_its_section(head: str, tmp_path: Path) -> None:
    pytest.importorskip("ruff")
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "base.py").write_text("from torch import nn" + BODY.replace("Net", "Base"))
    if ".base" not in head:
        head += "\nfrom .base import Base\n"
    path = tmp_path / "net.py"
    path.write_text(head + "\n\nclass Net(Base):\n    def forward(self, x):\n        return super().forward(x) + x\n")
    qprep.fix(tmp_path)
    text = path.read_text()
    assert "from qprep.runtime_modules import EltwiseAdd\n\nfrom .base" in text
    assert complaints(text) == ""


def test_long_imports_have_one_name_a_line() -> None:
    """Also where the file has some of the names already; ruff and Black keep this form in every line length."""
    head = "from torch import nn\nfrom qprep.runtime_modules import Concat, EltwiseMul, MatMul, Pow, PerCall, another\n"
    text = fixed(head)
    lines = [line for line in text.splitlines() if line.startswith("    ") and line.endswith(",")]
    assert lines == [
        f"    {name}," for name in ("Concat", "EltwiseMul", "MatMul", "Pow", "PerCall", "another", "EltwiseAdd")
    ]


def test_comments_in_an_import_stay() -> None:
    head = "from qprep.runtime_modules import (\n    Concat,  # joins\n)\nfrom torch import nn\n\nCAT = Concat()\n"
    text = fixed(head)
    assert "    Concat,  # joins\n" in text
    assert "from qprep.runtime_modules import EltwiseAdd\n" in text
