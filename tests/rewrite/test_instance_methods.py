"""A second instance runs what torch and Python run for each: methods with effects on other objects forbid one."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.rewrite.running import fix, write

NET = """\
import copy
import torch
from torch import nn

seen = []


class Act(nn.ReLU):
    count = 0

{method}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = Act()

    def forward(self, x):
        return self.act(self.fc(self.act(x)))
"""
ACTING = {
    "draw in train": "def train(self, mode=True):\n    torch.rand(1)\n    return super().train(mode)",
    "list in train": "def train(self, mode=True):\n    seen.append(1)\n    return super().train(mode)",
    "print in train": "def train(self, mode=True):\n    print(mode)\n    return super().train(mode)",
    "helper of train": "def train(self, mode=True):\n    self.note()\n    return super().train(mode)\n\n"
    "def note(self):\n    seen.append(1)",
    "counter in a copy": "def __deepcopy__(self, memo):\n    Act.count += 1\n    return Act()",
    "global in a pickle": "def __getstate__(self):\n    global seen\n    seen = [1]\n    return self.__dict__",
    "text": "def extra_repr(self):\n    seen.append(1)\n    return ''",
    "conversion": "def _apply(self, fn, recurse=True):\n    seen.append(1)\n    return super()._apply(fn, recurse)",
}
SILENT = {
    "train": "def train(self, mode=True):\n    return super().train(False)",
    "own attribute": "def train(self, mode=True):\n    self.inplace = not mode\n    return super().train(mode)",
    "text": "def extra_repr(self):\n    return f'{self.inplace}'",
    "other method": "def reset(self):\n    seen.append(1)",
}


def fixed(method: str, folder: Path) -> str:
    paths = write(folder, {"net.py": NET.format(method=textwrap.indent(method, "    "))})
    return "".join(each.new_text for each in fix(paths, write=False).changed)


@pytest.mark.parametrize("method", ACTING.values(), ids=ACTING.keys())
def test_no_second_instance_of_a_class_whose_methods_affect_others(method: str, tmp_path: Path) -> None:
    assert "self.act_1" not in fixed(method, tmp_path)


@pytest.mark.parametrize("method", SILENT.values(), ids=SILENT.keys())
def test_a_second_instance_where_methods_stay_with_it(method: str, tmp_path: Path) -> None:
    assert "self.act_1" in fixed(method, tmp_path)
