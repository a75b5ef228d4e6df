"""The same files give the same report in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FAMILY = """
import torch
from torch import nn


def norm(x):
    return torch.sqrt(x * x)


class Zero(nn.Module):
    def forward(self, x):
        return norm(x) + 0


class One(Zero):
    def forward(self, x):
        return norm(x) + 1


class Two(One):
    def forward(self, x):
        return norm(x) + 2


class Net(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.block = Zero() if kind == 0 else One() if kind == 1 else Two()

    def forward(self, x):
        return self.block(x)
"""


BRANCHES = """
import torch
from torch import nn

if torch.__version__:
    def norm(x):
        return x * x
    class Part(nn.Module):
        def forward(self, x):
            return norm(x) + 1
else:
    norm = torch.tanh
    class Part(nn.Module):
        def forward(self, x):
            return norm(x) - 1


class Left:
    def __add__(self, other):
        return other * 2


class Right:
    def __add__(self, other):
        return other / 2


class Net(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.part = Part()
        self.side = Left() if kind else Right()

    def forward(self, x):
        return norm(self.part(self.side + x)).mean(1)
"""


@pytest.mark.parametrize("source", [FAMILY, BRANCHES])
def test_order_of_sets_does_not_matter(source: str, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(source)
    command = [sys.executable, "-m", "qprep", "check", "--isolated", "--no-cache", "--output-format", "json"]
    command += ["--show-unknown"]
    outputs = set()
    for seed in range(6):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
        assert done.returncode == 1, done.stderr
        outputs.add(done.stdout)
    assert len(outputs) == 1
