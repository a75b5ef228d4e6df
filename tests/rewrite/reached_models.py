"""Programs that change a module from outside its class, with what they compute before and after `qprep fix`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

import torch

from qprep.engine.results import FixResult
from tests.equivalence import importing_from
from tests.rewrite.running import fix, write

IMPORTS = """\
import copy
from functools import partial
from operator import attrgetter

import torch
from torch import nn
"""

NET = """

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.act = {activation}

    def forward(self, x):
        x = self.act(self.conv(x))
        return self.act(self.norm(x))
"""


def computed(folder: Path) -> list[torch.Tensor]:
    """The tensors that `outcome()` of `model.py` in a folder returns, under one seed."""
    with importing_from(folder):
        module = importlib.import_module("model")
        torch.manual_seed(0)
        return [value.detach().clone() for value in module.outcome()]


def fixed_outcomes(files: Mapping[str, str], folder: Path) -> tuple[FixResult, list[torch.Tensor], list[torch.Tensor]]:
    """Safe fixes of a program, with what it computes before and after them."""
    write(folder / "before", files)
    paths = write(folder / "after", files)
    result = fix(paths, write=True)
    return result, computed(folder / "before"), computed(folder / "after")


def assert_bit_equal(before: list[torch.Tensor], after: list[torch.Tensor]) -> None:
    """Fail unless two lists hold the same tensors, bit for bit."""
    assert len(before) == len(after) > 0
    for old, new in zip(before, after, strict=True):
        assert (old.dtype, old.shape) == (new.dtype, new.shape)
        assert torch.equal(old.contiguous().view(torch.int32), new.contiguous().view(torch.int32))
