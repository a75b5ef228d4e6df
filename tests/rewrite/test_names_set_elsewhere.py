"""Names that other code sets on objects of unknown class: new attributes get others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.cases import module
from tests.rewrite.running import fix_unharmed

_MODEL = """
class Block(nn.Module):
    def __init__(self, pad=True):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.pad = pad

    def forward(self, x):
        return self.fc(x) * (2 if self.pad else 3)


class Wrap(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(2):
            each = copy.deepcopy(layer)
            {code}
            self.layers.append(each)

    def forward(self, x):
        for layer in self.layers:
            x = layer(F.pad(x, (1, 1))[:, 1:-1])
        return x


def example():
    return Wrap(Wrap(Block())), (torch.randn(2, 4),)
"""
_CODES = {
    "set": "each.pad = False",
    "setattr": 'setattr(each, "pad", False)',
    "setattr method": 'each.__setattr__("pad", False)',
    "augmented": "each.pad = 0\n            each.pad |= 1",
    "tuple": "each.pad, each.kind = False, 'x'",
    "table": 'each.__dict__["pad"] = False',
}


@pytest.mark.parametrize("code", _CODES.values(), ids=_CODES.keys())
def test_a_name_that_is_set_elsewhere_is_not_taken(code: str, tmp_path: Path) -> None:
    result = fix_unharmed("import copy\n" + module(_MODEL.format(code=code)), tmp_path)
    text = (tmp_path / "after" / "model.py").read_text(encoding="utf-8")
    assert "F.pad(" not in text, result.remaining
