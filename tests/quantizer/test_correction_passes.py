"""Cross-layer equalization changes no function; bias correction takes the mean error away."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import PostTrainingQuantizer, bias_correction, cross_layer_equalization
from tests.quantizer.models import mlp, snr


def images(seed: int = 0) -> Tensor:
    return torch.rand(32, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) + 0.5


def skewed() -> nn.Sequential:
    """Convolutions of all kinds whose channels differ by up to 2^8."""
    torch.manual_seed(0)
    depthwise, transposed = nn.Conv2d(8, 8, 3, groups=8, bias=False), nn.ConvTranspose2d(12, 6, 2, groups=2)
    layers = (nn.Conv2d(3, 8, 3), nn.ReLU(), depthwise, nn.Conv2d(8, 12, 1), nn.LeakyReLU(), transposed)
    model = nn.Sequential(*layers, nn.ReLU(), nn.Conv2d(6, 4, 3))
    with torch.no_grad():
        factor = torch.exp2(torch.arange(8).float())
        layers[0].weight.mul_(factor.view(-1, 1, 1, 1))
        layers[0].bias.mul_(factor)  # type: ignore[union-attr]
        depthwise.weight.div_(factor.view(-1, 1, 1, 1))
    return model.eval()


def prepared(model: nn.Module, example: Tensor, name: str, function: Any, **settings: Any) -> PostTrainingQuantizer:
    quantizer = PostTrainingQuantizer(model, **{"bits_weights": None, "bits_activations": None, **settings})
    quantizer.passes.insert_after("fold-batch-norm", name, function)
    quantizer.prepare_model(example)
    return quantizer


def test_equalization_keeps_the_function_and_evens_channels_out() -> None:
    model = skewed()
    quantizer = prepared(model, images(), "equalize", cross_layer_equalization)
    assert torch.allclose(quantizer.model(images()), model(images()), rtol=1e-4, atol=1e-4)
    first, second = quantizer.model[0].weight, quantizer.model[2].weight  # type: ignore[index]
    made = first.detach().abs().amax((1, 2, 3))
    read = second.detach().abs().amax((1, 2, 3))
    assert torch.allclose(made, read, rtol=1e-2)


def test_equalization_helps_one_scale_per_tensor() -> None:
    settings = {"bits_weights": 8, "granularity_weights": "per-tensor"}
    found = []
    for function in (lambda _: None, cross_layer_equalization):
        quantizer = prepared(skewed(), images(), "equalize", function, **settings)
        quantizer.calibrate([images()])
        found.append(snr(skewed()(images()), quantizer.convert()(images())))
    assert found[1] > found[0] + 6


class Turned(nn.Module):
    """Two layers with a transposition of equal sizes between."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 5), nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 5, 6) to (B, 5, 5)."""
        return self.second(self.first(x).transpose(1, 2))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (Turned(), (2, 5, 6)),
        (nn.Sequential(nn.Linear(6, 5), nn.ReLU6(), nn.Linear(5, 5)), (2, 6)),
        (nn.Sequential(nn.Conv1d(6, 5, 1), nn.Linear(5, 5)), (2, 6, 5)),
    ],
    ids=["turned", "relu6", "another kind"],
)
def test_equalization_declines(model: nn.Module, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    before = copy.deepcopy(model.state_dict())
    quantizer = prepared(model, x, "equalize", cross_layer_equalization)
    after = quantizer.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize("with_bias", [True, False])
def test_correction_takes_the_mean_error_away(with_bias: bool) -> None:
    torch.manual_seed(1)
    layers = (nn.Conv2d(3, 8, 3, padding=1, bias=with_bias), nn.ReLU(), nn.Conv2d(8, 6, 3, bias=with_bias))
    model = nn.Sequential(*layers).eval()
    errors = []
    for function in (lambda _: None, bias_correction([images(seed) for seed in range(4)])):
        quantizer = prepared(model, images(), "correct", function, bits_weights=3)
        quantizer.calibrate([images()])
        errors.append((quantizer.convert()(images(9)) - model(images(9))).mean((0, 2, 3)).abs().mean().item())
    assert errors[1] < 0.3 * errors[0]


def test_correction_leaves_what_is_not_quantized_and_needs_data() -> None:
    x = torch.randn(4, 8)
    model = mlp().eval()
    assert torch.equal(prepared(model, x, "correct", bias_correction([x])).model(x), model(x))
    with pytest.raises(QprepError, match="empty loader"):
        prepared(model, x, "correct", bias_correction([]), bits_weights=4)
