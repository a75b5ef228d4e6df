"""The same files give the same report in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


def test_order_of_sets_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(FAMILY)
    command = [sys.executable, "-m", "qprep", "check", "--isolated", "--no-cache", "--output-format", "json"]
    command += ["--show-unknown"]
    outputs = set()
    for seed in range(6):
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
        assert done.returncode == 1, done.stderr
        outputs.add(done.stdout)
    assert len(outputs) == 1
