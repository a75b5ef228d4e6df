"""Settings that a function takes and a constructor of torch.nn does not, and results that `out=` computes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.cases import module
from tests.rewrite.running import fix, fix_unharmed, write

_CALLS = {
    "equal limits": "F.hardtanh(x, 1, 1)",
    "equal limits by default": "F.hardtanh(x, min_val=1.0)",
    "limits of a branch": "F.hardtanh(x, 3, -3) if x.dim() == 9 else x",
    "probability of a branch": "F.dropout(x, 1.5, self.training) if x.dim() == 9 else x",
    "negative probability": "F.alpha_dropout(x, p=-1, training=self.training) if x.dim() == 9 else x",
    "probability of channels": "F.dropout2d(x[None], 2, self.training) if x.dim() == 9 else x",
    "norm of integers": "F.lp_pool1d((x * 9).long().unsqueeze(0), 2, 2)",
    "norm of integers, named": "F.lp_pool2d((x * 9).long().unsqueeze(0), norm_type=3, kernel_size=2)",
    "ratio": "F.fractional_max_pool2d(x.view(1, 1, 2, 4), 1, output_ratio=(1.0, 1.0))",
    "mean into wider": "torch.mean(x.detach().bfloat16(), 1, out=torch.zeros(2))",
    "sum into wider": "torch.sum(x.detach().bfloat16(), 1, out=torch.zeros(2))",
    "scan into wider": "torch.cumsum(x.detach().bfloat16(), 1, out=torch.zeros(2, 4))",
    "deviation into wider": "torch.std(x.detach().bfloat16(), 1, out=torch.zeros(2))",
    "logarithm into wider": "torch.logsumexp(x.detach().bfloat16(), dim=1, out=torch.zeros(2))",
}


@pytest.mark.parametrize("call", _CALLS.values(), ids=_CALLS.keys())
def test_computes_what_the_function_computes(call: str, tmp_path: Path) -> None:
    source = f"""
class Net(nn.Module):
    def forward(self, x):
        y = {call}
        return y, x * 2


def example():
    return Net(), (torch.randn(2, 4),)
"""
    fix_unharmed(module(source), tmp_path)


_KEPT = {
    "F.hardtanh(x, -2, 2)": "nn.Hardtanh(min_val=-2, max_val=2)",
    "F.hardtanh(x)": "nn.Hardtanh()",
    "F.dropout(x, 0.1, self.training)": "nn.Dropout(p=0.1)",
    "F.dropout(x, training=self.training)": "nn.Dropout()",
    "F.lp_pool1d(x[None], 2.0, 2)": "nn.LPPool1d(norm_type=2.0, kernel_size=2)",
    "F.lp_pool1d(x[None], 2, 2)": "FunctionalLPPool1d(norm_type=2, kernel_size=2)",
}


@pytest.mark.parametrize(("call", "made"), _KEPT.items(), ids=_KEPT.keys())
def test_the_module_of_ordinary_settings(call: str, made: str, tmp_path: Path) -> None:
    source = f"class Net(nn.Module):\n    def forward(self, x):\n        return {call} + x\n"
    fix(write(tmp_path, {"model.py": module(source)}), write=True)
    assert f" = {made}\n" in (tmp_path / "model.py").read_text(encoding="utf-8")
