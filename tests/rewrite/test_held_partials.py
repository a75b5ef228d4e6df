"""A partial of one's own function, held as an activation, is no operation that a module of its own stands for."""

from __future__ import annotations

from pathlib import Path

from qprep import engine
from qprep.config import SettingsResolver
from qprep.findings import Unfixable
from qprep.registry import all_rules

MODEL = """\
from functools import partial

import torch.nn.functional as F
from torch import nn


def scaled(t, *, by):
    return (t * by).exp()


class Net(nn.Module):
    def __init__(self, by=None):
        super().__init__()
        self.make = partial(scaled, by=by) if by is not None else F.sigmoid

    def forward(self, x):
        return self.make(x)
"""


def test_a_partial_of_ones_own_function_is_not_called_fixed(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(MODEL)
    result = engine.fix([path], SettingsResolver(all_rules(), isolated=True), write=False)
    assert result.changed == ()
    (finding,) = result.remaining
    assert isinstance(finding.fix, Unfixable)
    assert "may be a partial of `scaled`" in finding.fix.reason
