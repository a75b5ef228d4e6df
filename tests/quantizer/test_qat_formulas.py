"""Training-time methods: published formulas as vectors."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from qprep.quantizer.methods.qat.dorefa import dorefa_weights, unit_activations, wrpn_weights
from qprep.quantizer.methods.qat.learned import lsq, tqt
from qprep.quantizer.methods.qat.pact import pact


def gradients(output: Tensor, *leaves: Tensor) -> list[list[float] | float]:
    return [grad.tolist() for grad in torch.autograd.grad(output.sum(), leaves)]


def test_pact_reference() -> None:
    x = torch.tensor([-1, 0.3, 4, 7.9, 8, 9, 20], requires_grad=True)
    alpha = torch.tensor(8.0, requires_grad=True)
    y = pact(x, alpha, 4)
    assert y.tolist() == pytest.approx([0, 0.53333, 4.26667, 8, 8, 8, 8], abs=1e-5)
    dx, dalpha = gradients(y, x, alpha)
    assert dx == [0, 1, 1, 1, 0, 0, 0]
    assert dalpha == 3


def test_tqt_gradient() -> None:
    # s = 2^ceil(log2 3) / 8 = 0.5 at 4 bits: integers from -8 to 7, values from -4 to 3.5.
    x = torch.tensor([-5.0, -4.2, 0.3, 3.6, 3.8, 9.0], requires_grad=True)
    log2_t = torch.tensor(math.log2(3.0), requires_grad=True)
    y = tqt(x, log2_t, 4)
    assert y.tolist() == [-4, -4, 0.5, 3.5, 3.5, 3.5]
    dx, dt = gradients(y, x, log2_t)
    assert dx == [0, 1, 1, 1, 0, 0]  # -8.4 and 7.2 round into the range
    inside = (-8 + 8.4) + (1 - 0.6) + (7 - 7.2)
    assert dt == pytest.approx(0.5 * math.log(2) * (-8 + inside + 7 + 7), rel=1e-5)


def test_lsq_gradient() -> None:
    x = torch.tensor([-5.0, -4.2, 0.3, 3.4, 3.5, 9.0], requires_grad=True)
    step = torch.tensor(0.5, requires_grad=True)
    y = lsq(x, step, 4)
    assert y.tolist() == [-4, -4, 0.5, 3.5, 3.5, 3.5]
    dx, ds = gradients(y, x, step)
    assert dx == [0, 0, 1, 1, 0, 0]
    assert ds == pytest.approx((-8 - 8 + (1 - 0.6) + (7 - 6.8) + 7 + 7) / math.sqrt(6 * 7), rel=1e-5)


def test_lsq_per_channel_has_a_step_for_each_row() -> None:
    x = torch.tensor([[0.3, 9.0], [0.3, 9.0]], requires_grad=True)
    step = torch.tensor([[0.5], [2.0]], requires_grad=True)
    y = lsq(x, step, 4)
    assert y.tolist() == [[0.5, 3.5], [0.0, 8.0]]
    _, ds = gradients(y, x, step)
    factor = 1 / math.sqrt(2 * 7)
    assert torch.tensor(ds).flatten().tolist() == pytest.approx(
        [(0.4 + 7) * factor, (-0.15 + 4 - 4.5) * factor], rel=1e-5
    )


def test_tqt_finds_the_optimum_of_a_normal_distribution() -> None:
    """Jain et al., figure 2: squared error of 4 bits on N(0, 1), free scale."""
    data = torch.special.ndtri((torch.arange(20_000) + 0.5) / 20_000)

    def error(log2_t: Tensor) -> Tensor:
        return nn.functional.mse_loss(tqt(data, log2_t, 4, power_of_two=False), data)

    log2_t = torch.tensor(3.0, requires_grad=True)
    optimizer = torch.optim.Adam([log2_t], lr=0.02)
    for _ in range(400):
        optimizer.zero_grad()
        error(log2_t).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    found = 2 ** log2_t.item()
    best = min(error(torch.tensor(math.log2(t))).item() for t in torch.linspace(1.5, 4.5, 151).tolist())
    assert found == pytest.approx(2.71, abs=0.06)
    assert error(log2_t).item() == pytest.approx(0.01187, abs=1e-4)
    assert error(log2_t).item() <= best * 1.01


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_dorefa_weights(bits: int) -> None:
    weight = torch.randn(200, generator=torch.Generator().manual_seed(bits), requires_grad=True)
    found = dorefa_weights(weight, bits)
    half = torch.tanh(weight) / (2 * torch.tanh(weight).abs().max()) + 0.5
    expected = 2 * torch.round(half * (2**bits - 1)) / (2**bits - 1) - 1
    assert torch.allclose(found, expected, atol=1e-6)
    assert len(set(found.tolist())) <= 2**bits
    (grad,) = torch.autograd.grad(found.sum(), weight)
    assert torch.allclose(grad, (1 - torch.tanh(weight) ** 2) / torch.tanh(weight).abs().max(), atol=1e-6)


def test_dorefa_with_one_bit_is_sign_times_mean() -> None:
    assert dorefa_weights(torch.tensor([-3.0, 0.0, 1.0]), 1).tolist() == pytest.approx([-4 / 3, 4 / 3, 4 / 3])


@pytest.mark.parametrize(("bits", "levels"), [(2, 3), (3, 7), (4, 15)])
def test_wrpn_levels(bits: int, levels: int) -> None:
    found = wrpn_weights(torch.linspace(-2, 2, 1001), bits)
    assert len(set(found.tolist())) == levels
    assert (found.min().item(), found.max().item()) == (-1, 1)


def test_unit_activations() -> None:
    x = torch.tensor([-0.5, 0.2, 0.6, 1.5], requires_grad=True)
    found = unit_activations(x, 1)
    assert found.tolist() == [0, 0, 1, 1]
    assert gradients(found, x) == [[0, 1, 1, 0]]
