"""SmoothQuant changes no function, and lets activations with outliers keep more of their values."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import PostTrainingQuantizer, smooth_quant
from qprep.runtime_modules import EltwiseAdd, convert_compound
from tests.quantizer.models import snr


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.wide, self.gelu, self.narrow, self.add = nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16), EltwiseAdd()
        self.last, self.head = nn.LayerNorm(16), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = self.add(x, self.attention(y, y, y, need_weights=False)[0])
        return self.head(self.last(self.narrow(self.gelu(self.wide(self.norm2(x))))))  # type: ignore[no-any-return]


def outliers() -> nn.Module:
    """As language models have them: a few channels behind LayerNorm are a hundred times as large."""
    torch.manual_seed(0)
    model = Block().eval()
    with torch.no_grad():
        for norm in (model.norm1, model.norm2):
            norm.weight[::5] = 60.0
        model.attention.in_proj_weight[:, ::5].div_(60)
        model.wide.weight[:, ::5].div_(60)
    return convert_compound(model)


def data() -> Tensor:
    return torch.randn(16, 6, 16, generator=torch.Generator().manual_seed(2))


def quantized(smooth: bool) -> tuple[PostTrainingQuantizer, float]:
    model = outliers()
    quantizer = PostTrainingQuantizer(model)
    if smooth:
        quantizer.passes.insert_after("fold-batch-norm", "smooth-quant", smooth_quant([data()]))
    quantizer.prepare_model(data())
    expected = model(data())
    assert torch.allclose(quantizer.model(data()), expected, atol=1e-4)  # in float the same
    quantizer.calibrate([data()])
    return quantizer, snr(expected, quantizer.convert()(data()))


def test_outliers_cost_less() -> None:
    plain, smoothed = quantized(False), quantized(True)
    assert smoothed[1] > plain[1] + 2
    wide: Any = smoothed[0].model.wide
    largest = wide.module.weight.abs().amax(0)
    assert largest.max() / largest.min() < 20


def test_what_else_reads_a_normalization_keeps_it() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.fc, self.add = nn.LayerNorm(8), nn.Linear(8, 8), EltwiseAdd()

        def forward(self, x: Tensor) -> Tensor:
            y = self.norm(x)
            return self.add(self.fc(y), y)  # type: ignore[no-any-return]

    model = Twice().eval()
    quantizer = PostTrainingQuantizer(model)
    quantizer.passes.insert_after("fold-batch-norm", "smooth-quant", smooth_quant([torch.randn(4, 8)]))
    quantizer.prepare_model(torch.randn(4, 8))
    assert torch.equal(quantizer.model.norm.module.weight, torch.ones(8))  # type: ignore[union-attr,arg-type]


def test_bad_arguments() -> None:
    with pytest.raises(QprepError, match="alpha from 0 to 1, found 2"):
        smooth_quant([data()], alpha=2)
    quantizer = PostTrainingQuantizer(outliers())
    quantizer.passes.insert_after("fold-batch-norm", "smooth-quant", smooth_quant([]))
    with pytest.raises(QprepError, match="found an empty loader"):
        quantizer.prepare_model(data())
