"""The passes on the CPU against torch's operators: equal values and gradients, ties and limits included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from qprep.quantizer.formats.affine import QParams, fake_quantize
from qprep.quantizer.formats.grid import by_passes
from qprep.quantizer.methods.qat.learned import lsq, tqt

LIMITS = [(0, 255), (-128, 127), (-127, 127), (0, 15), (-8, 7), (0, 3), (-2, 1), (-1, 0), (0, 1), (0, 65535)]


def values(generator: torch.Generator, scale: Tensor, low: int, high: int, zero: int) -> Tensor:
    """Half of them exactly between two levels, inside and outside of the grid."""
    wide = torch.randn(600, generator=generator) * scale * (high - low + 2)
    ties = (torch.randint(2 * low - 4, 2 * high + 5, (600,), generator=generator) - 2 * zero) * 0.5 * scale
    return torch.cat([wide, ties])


@pytest.mark.parametrize(("low", "high"), LIMITS)
def test_per_tensor_equals_torch(low: int, high: int) -> None:
    generator = torch.Generator().manual_seed(high)
    for zero in {low, high, (low + high) // 2, low + 1}:
        scale = torch.rand((), generator=generator) * 0.3 + 1e-3
        x, grad = values(generator, scale, low, high, zero), torch.randn(1200, generator=generator)
        mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
        zero_point = torch.tensor(zero, dtype=torch.int32)
        found = fake_quantize(mine, QParams(scale, zero_point, low, high))
        expected = torch.fake_quantize_per_tensor_affine(theirs, scale, zero_point, low, high)
        assert torch.equal(found, expected)
        assert torch.equal(torch.autograd.grad(found, mine, grad)[0], torch.autograd.grad(expected, theirs, grad)[0])


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("asymmetric", [False, True])
def test_per_channel_equals_torch(axis: int, asymmetric: bool) -> None:
    generator = torch.Generator().manual_seed(axis)
    scale = torch.rand(6, generator=generator) + 0.1
    zero = torch.randint(-3, 4, (6,), generator=generator, dtype=torch.int32) * asymmetric
    x = torch.randn(6, 6, 6, generator=generator) * 9
    mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    found = fake_quantize(mine, QParams(scale, zero.int(), -8, 7, axis))
    expected = torch.fake_quantize_per_channel_affine(theirs, scale, zero.int(), axis, -8, 7)
    assert torch.equal(found, expected)
    grad = torch.randn(x.shape, generator=generator)
    assert torch.equal(torch.autograd.grad(found, mine, grad)[0], torch.autograd.grad(expected, theirs, grad)[0])


def test_graph_capture_keeps_the_operator() -> None:
    class Rounds(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return fake_quantize(x, QParams(torch.tensor(0.1), torch.tensor(0, dtype=torch.int32), -8, 7))

    assert by_passes(torch.ones(1))
    graph = torch.export.export(Rounds(), (torch.randn(4),)).graph
    assert any("fake_quantize_per_tensor_affine" in str(node.target) for node in graph.nodes)


@pytest.mark.parametrize("learned", [lsq, tqt])
@pytest.mark.parametrize("shape", [(), (4, 1)])
def test_passes_and_kernel_agree(learned: Any, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(1)
    x, start = torch.randn(4, 500, generator=generator) * 2, torch.rand(shape, generator=generator) + 0.3
    grad = torch.randn(x.shape, generator=generator)
    results = []
    for passes in (True, False):
        monkeypatch.setattr("qprep.quantizer.methods.qat.learned.by_passes", lambda _, chosen=passes: chosen)
        mine, trained = x.clone().requires_grad_(), start.clone().requires_grad_()
        found = learned(mine, trained, 4)
        results.append((found, *torch.autograd.grad(found, (mine, trained), grad)))
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, atol=1e-4)
