"""A function of one's own that an attribute may hold runs operations that no module of its own stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.engine import runs
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.rule_registry import all_rules
from qprep.foundation.findings import Rejection

MODEL = """\
from functools import partial

import torch.nn.functional as F
from torch import nn


def scaled(t, by=2):
    return (t * by).exp()


class Net(nn.Module):
    def __init__(self, by=None):
        super().__init__()
        self.make = {} if by is not None else F.sigmoid

    def forward(self, x):
        return self.make(x)
"""


@pytest.mark.parametrize("held", ["scaled", "partial(scaled, by=by)", "(lambda t: (t * by).exp())"])
def test_a_function_of_ones_own_is_not_called_fixed(held: str, tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(MODEL.format(held))
    result = runs.fix([path], SettingsResolver(all_rules(), isolated=True), write=False)
    assert result.changed == ()
    reasons = [finding.fix.reason for finding in result.remaining if isinstance(finding.fix, Rejection)]
    assert "`make` may be a custom function, whose operations would stay in it" in reasons
