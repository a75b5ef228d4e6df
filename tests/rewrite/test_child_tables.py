"""A class that calls each child that `_modules` has, and keeps the results in a variable that gets another value."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.cases import module
from tests.rewrite.running import fix_unharmed

_MODEL = """
class Branches(nn.Sequential):
    def forward(self, x):
        out = []
        for {target} in {listing}:
            out.append({call})
        if self.training:
            out = torch.stack(tuple(out), dim=1).sum(1)
        else:
            out = torch.cat(tuple(out), dim=1)
        return out


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.branches = Branches(nn.Linear(4, 4), nn.Linear(4, 4))

    def forward(self, x):
        return self.branches(x)


def model():
    return Net(), (torch.randn(2, 4),)
"""
LOOPS = {
    "values": ("part", "self._modules.values()", "part(x)"),
    "items": ("name, part", "self._modules.items()", "part(x)"),
    "keys": ("name", "self._modules.keys()", "self._modules[name](x)"),
    "list": ("part", "list(self._modules.values())", "part(x)"),
    "children": ("part", "self.children()", "part(x)"),
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS.keys())
def test_results_of_the_children_in_a_table_are_no_modules(loop: tuple[str, str, str], tmp_path: Path) -> None:
    target, listing, call = loop
    result = fix_unharmed(module(_MODEL.format(target=target, listing=listing, call=call)), tmp_path)
    assert {finding.code for finding in result.fixed} >= {"QP103"}
    assert not [finding for finding in result.remaining if finding.code == "QP103"]
