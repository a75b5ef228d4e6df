"""Functions with operands of which the analysis knows nothing before they become modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.cases import module
from tests.rewrite.running import fix_unharmed

_MODEL = """
def exists(value):
    return value is not None


def pooled(parts: list[torch.Tensor], mask=None, weight=1.0):
    x = 0.0
    for part in parts:
        x = x + part.logsumexp(dim=-1)
    x = torch.square(x)
    if not exists(mask):
        return x.mean() * weight
    x = {value}
    return x * weight


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x, mask=None):
        kept = SimpleNamespace(parts=[self.fc(x)])
        return pooled(kept.parts, mask=mask)


def example():
    return Net(), (torch.randn(2, 4), torch.tensor([True, False]))
"""
_VALUES = (
    "x[mask].sum() / mask.sum().clamp(min=1)",
    "x[mask].sum() - mask.sum()",
    "mask.sum() * x[mask].mean()",
    "(x[mask].sum() + mask.sum()).abs()",
)


@pytest.mark.parametrize("value", _VALUES)
def test_the_rest_of_the_file_is_prepared(value: str, tmp_path: Path) -> None:
    fix_unharmed("from types import SimpleNamespace\n\n" + module(_MODEL.format(value=value)), tmp_path)
    assert "self.pooled = Pooled()" in (tmp_path / "after" / "model.py").read_text(encoding="utf-8")
