"""Small packages in a folder of their own, and a way to run code beside them in a fresh process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import qprep

ROOT = Path(qprep.__file__).parent.parent

BLOCKS = '''"""Blocks."""

import torch
from torch import nn

from .helpers import doubled


class Block(nn.Module):
    """A block with a shortcut."""

    def __init__(self, width=4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()

    def forward(self, x):
        y = self.relu(self.conv(x))
        y = self.norm(y) + y
        return self.relu(torch.cat([y, y], dim=1))


REGISTRY = {}


def register(function):
    if function.__name__ in REGISTRY:
        raise ValueError("registered twice")
    REGISTRY[function.__name__] = function
    return function


@register
def small(width=4):
    return Block(width)


def create(name, **options):
    return REGISTRY[name](**options)


def uses_helper(x):
    return doubled(x)
'''

HELPERS = """from pathlib import Path

TEXT = (Path(__file__).parent / "data.txt").read_text()


def doubled(x):
    return 2 * x
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package `zoo` with a module that can be prepared, one that reads a data file, and one that is not needed."""
    folder = tmp_path / "zoo"
    (folder / "layers").mkdir(parents=True)
    (folder / "__init__.py").write_text("from .layers import Block, create, small\n")
    (folder / "layers" / "__init__.py").write_text("from .blocks import Block, create, small\n")
    (folder / "layers" / "blocks.py").write_text(BLOCKS)
    (folder / "layers" / "helpers.py").write_text(HELPERS)
    (folder / "layers" / "data.txt").write_text("data")
    (folder / "layers" / "unused.py").write_text("raise RuntimeError('nobody needs this')\n")
    (folder / "LICENSE").write_text("Do as you like.\n")
    return folder


Child = Callable[..., str]


@pytest.fixture
def child(tmp_path: Path) -> Child:
    """Run a program in a fresh process in `tmp_path`, and return what it prints; its errors fail the test."""

    def run(program: str, *, code: int = 0) -> str:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("QPREP_")}
        environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(ROOT)])
        outcome = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert outcome.returncode == code, outcome.stdout + outcome.stderr
        return outcome.stdout + (outcome.stderr if code else "")

    return run
