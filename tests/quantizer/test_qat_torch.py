"""Training-time methods against torch's own operators, and in every module of a model."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.quantizer.formats.spec import Granularity, Scheme, Spec
from qprep.quantizer.methods.qat.dorefa import dorefa_weights, unit_activations, wrpn_weights
from qprep.quantizer.methods.qat.learned import LSQQuantize, TQTQuantize, lsq
from qprep.quantizer.methods.qat.linear_qat import MovingRange, OwnRange
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer
from qprep.runtime_modules import EltwiseAdd, convert_compound
from tests.quantizer.models import mlp
from tests.quantizer.training_methods import TRAINING_METHODS

CUDA, DEVICE = torch.cuda.is_available(), "cuda"


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_moving_ranges_equal_torchs_fused_observer() -> None:
    quantizer = MovingRange("", Spec(8)).train()
    low, high = torch.tensor([math.inf]), torch.tensor([-math.inf])
    scale, zero = torch.ones(1), torch.zeros(1, dtype=torch.int32)
    on = torch.ones(1, dtype=torch.long)
    for seed in range(6):
        x = normal(64, 9, seed=seed) * (seed + 1) + seed
        mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
        # 0.01 of the newest range, integers from 0 to 255
        expected = torch.fused_moving_avg_obs_fake_quant(theirs, on, on, low, high, scale, zero, 0.01, 0, 255, 0)
        found = quantizer(mine)
        assert quantizer.low.item() == pytest.approx(low.item(), rel=1e-5)
        assert quantizer.high.item() == pytest.approx(high.item(), rel=1e-5)
        assert torch.allclose(found, expected, atol=1e-4)
        grads = [torch.autograd.grad(out.sum(), leaf)[0] for out, leaf in ((found, mine), (expected, theirs))]
        assert torch.equal(*grads)


def test_own_ranges_have_as_many_levels_on_either_side() -> None:
    weight = normal(6, 40)
    spec = Spec(8, Scheme.RESTRICTED, Granularity.CHANNEL)
    found = OwnRange("", spec)(weight)
    scale = weight.abs().amax(1) / 127
    zero = torch.zeros(6, dtype=torch.int32)
    assert torch.equal(found, torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -127, 127))
    assert (found / scale[:, None]).round().abs().max() == 127


def test_steps_of_lsq_equal_torchs_inside_of_the_grid() -> None:
    step = torch.tensor([0.3], requires_grad=True)
    x = normal(5000)
    x = x[(x / 0.3 > -7.9) & (x / 0.3 < 6.9)].requires_grad_()
    factor = 1 / math.sqrt(x.numel() * 7)
    found = lsq(x, step.squeeze(), 4)
    mine = torch.autograd.grad(found.square().sum(), (x, step))
    zero = torch.zeros(1)
    expected = torch._fake_quantize_learnable_per_tensor_affine(x, step, zero, -8, 7, factor)
    theirs = torch.autograd.grad(expected.square().sum(), (x, step))
    assert torch.allclose(found, expected)
    assert torch.allclose(mine[0], theirs[0])
    assert mine[1].item() == pytest.approx(theirs[1].item(), rel=1e-3)


@pytest.mark.parametrize("shift", [0.0, 10.0])
def test_first_steps_are_the_papers(shift: float) -> None:
    x = normal(400) + shift
    quantizer = LSQQuantize("", Spec(4)).train()
    quantizer(x)
    assert quantizer.trained.item() == pytest.approx(2 * x.abs().mean().item() / math.sqrt(15 if shift else 7))
    threshold = TQTQuantize("", Spec(4)).train()
    threshold(x)
    spread = 3 * x.square().mean().sqrt().item()
    assert 2 ** threshold.trained.item() == pytest.approx(min(spread, x.abs().max().item()), rel=1e-5)


def test_gradients_of_the_fixed_formulas() -> None:
    weight = torch.tensor([-1.5, -1.0, -0.2, 0.4, 1.0, 3.0], requires_grad=True)
    (grad,) = torch.autograd.grad(wrpn_weights(weight, 3).sum(), weight)
    assert grad.tolist() == [0, 1, 1, 1, 1, 0]
    (grad,) = torch.autograd.grad(dorefa_weights(weight, 1).sum(), weight)
    assert grad.tolist() == [1] * 6
    x = torch.tensor([-0.1, 0.0, 0.3, 1.0, 1.1], requires_grad=True)
    (grad,) = torch.autograd.grad(unit_activations(x, 4).sum(), x)
    assert grad.tolist() == [0, 1, 1, 1, 0]
    assert unit_activations(x, 4).tolist() == pytest.approx([0, 0, 4 / 15, 1, 1])


class Everything(nn.Module):
    """Embedding, norm, attention, a sum, an activation that is no ReLU, a recurrent layer, a linear one."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.norm = nn.Embedding(20, 8), nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.add, self.gelu = EltwiseAdd(), nn.GELU()
        self.lstm, self.head = nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, words: Tensor) -> Tensor:
        """(B, T) to (B, T, 3)."""
        x = self.embedding(words)
        y = self.norm(x)
        x = self.gelu(self.add(x, self.attention(y, y, y, need_weights=False)[0]))
        return self.head(self.lstm(x)[0])  # type: ignore[no-any-return]


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_every_activation_and_weight_is_quantized(method: type[TrainingQuantizer]) -> None:
    torch.manual_seed(0)
    words = torch.randint(20, (2, 5))
    quantizer = method(convert_compound(Everything()), bits_activations=6, bits_weights=6)
    quantizer.prepare_model(words)
    quantizer.model.train()
    quantizer.model(words).sum().backward()
    names = {each.name for each in quantizer.quantizers}
    expected = {node.path for node in quantizer.graph.nodes if node.treatment in ("output", "fixed-range")}
    assert expected <= names
    assert {"embedding.weight", "attention.in_proj_weight", "lstm.weight_ih_l0", "lstm.weight_hh_l0"} <= names
    assert "lstm.stages.l0.steps.0.cell_add" in names
    assert len(quantizer.convert()(words).unique()) <= 64


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_bits_differ_by_layer(method: type[TrainingQuantizer]) -> None:
    overrides: dict[str, Any] = {
        "1": {"bits_activations": 2},
        "2": {"bits_weights": None, "bits_activations": "bfloat16"},
    }
    quantizer = method(mlp(), bits_activations=5, bits_weights=3, overrides=overrides)
    x = normal(64, 8)
    float_model: Any = mlp()
    quantizer.prepare_model(x)
    quantizer.model.train()
    quantizer.model(x)
    converted: Any = quantizer.convert()
    seen: list[Tensor] = []
    converted[1].register_forward_hook(lambda *args: seen.append(args[2]))
    out = converted(x)
    weight = converted[0].module.weight
    assert max(len(row.unique()) for row in weight) <= 8
    assert len(set(seen[0].flatten().tolist())) <= 4
    assert torch.equal(out, out.bfloat16().float())
    assert torch.equal(converted[2].module.weight, float_model[2].weight)


@pytest.mark.skipif(not CUDA, reason="needs a GPU")
@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_on_a_gpu(method: type[TrainingQuantizer]) -> None:
    layers = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    torch.manual_seed(0)
    model, x = nn.Sequential(*layers), normal(4, 3, 6, 6)
    losses = []
    for device in ("cpu", DEVICE):
        quantizer = method(copy.deepcopy(model).to(device), bits_activations=4, bits_weights=4, fold_batch_norm=True)
        quantizer.prepare_model(x.to(device))
        optimizer = torch.optim.SGD(quantizer.model.parameters(), lr=0.01)
        quantizer.model.train()
        for _ in range(2):
            loss = quantizer.model(x.to(device)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
        assert all(each.device.type == device for each in quantizer.model.state_dict().values())
        assert quantizer.convert()(x.to(device)).device.type == device
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
