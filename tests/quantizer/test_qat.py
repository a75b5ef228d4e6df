"""Training-time methods on small models."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import (
    LinearQATQuantizer,
    LSQQuantizer,
    PACTQuantizer,
    TQTQuantizer,
    WRPNQuantizer,
)
from qprep.quantizer.methods.qat.linear_qat import MovingRange
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer
from tests.quantizer.models import TiedDecoder, mlp, snr
from tests.quantizer.training_methods import TRAINING_METHODS


def task() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(256, 8, generator=generator)
    return x, (x[:, 0] * x[:, 1] > 0).long() + 2 * (x[:, 2] > 0).long()


def trained(method: type[TrainingQuantizer], steps: int = 150, **settings: Any) -> tuple[TrainingQuantizer, float]:
    model, (x, y) = mlp(), task()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    quantizer = method(model, optimizer, **settings)
    quantizer.prepare_model(x[:4])
    model.train()
    loss = torch.tensor(0.0)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(quantizer.model(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return quantizer, loss.item()


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_training_lowers_the_loss_and_convert_simulates(method: type[TrainingQuantizer]) -> None:
    quantizer, loss = trained(method, bits_activations=4, bits_weights=4)
    assert loss < 0.75  # log 4 = 1.386 at the start
    converted = quantizer.convert()
    x, y = task()
    quantizer.model.eval()
    assert torch.allclose(converted(x), quantizer.model(x), atol=1e-5)
    assert (converted(x).argmax(1) == y).float().mean() > 0.7
    rows = 1 if method in (LSQQuantizer, TQTQuantizer) else 16  # scales of the weight
    assert len(converted[0].module.weight.unique()) <= 16 * rows  # type: ignore[index]


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_evaluation_before_the_first_step_is_float(method: type[TrainingQuantizer]) -> None:
    model = mlp().eval()
    x, _ = task()
    expected = model(x)
    quantizer = method(model)
    quantizer.prepare_model(x[:4])
    if method in (LinearQATQuantizer, TQTQuantizer, LSQQuantizer):
        assert torch.equal(quantizer.model(x), expected)
        with pytest.raises(QprepError, match="ranges that have not started"):
            quantizer.convert()
    else:  # formulas without a range quantize at once
        assert not torch.equal(quantizer.model(x), expected)
        assert quantizer.model(x).abs().sum() > 0


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_training_resumes_bit_equal(method: type[TrainingQuantizer]) -> None:
    x, y = task()

    def start() -> tuple[TrainingQuantizer, torch.optim.Optimizer]:
        model = mlp()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        quantizer = method(model, optimizer, bits_activations=4, bits_weights=4)
        quantizer.prepare_model(x[:4])
        quantizer.model.train()
        return quantizer, optimizer

    def train(quantizer: TrainingQuantizer, optimizer: torch.optim.Optimizer, steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            nn.functional.cross_entropy(quantizer.model(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    whole, first, second = start(), start(), start()
    train(*whole, 6)
    train(*first, 3)
    second[0].model.load_state_dict(copy.deepcopy(first[0].model.state_dict()))
    second[1].load_state_dict(copy.deepcopy(first[1].state_dict()))
    train(*second, 3)
    expected, found = whole[0].model.state_dict(), second[0].model.state_dict()
    assert list(expected) == list(found)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_pact_learns_alpha_in_a_group_of_its_own() -> None:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.3)
    quantizer = PACTQuantizer(model, optimizer, alpha_decay=0.002)
    largest = model[:2](task()[0][:4]).max().item()
    quantizer.prepare_model(task()[0][:4])
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.002]
    (alpha,) = optimizer.param_groups[1]["params"]
    assert alpha.item() == pytest.approx(largest)
    assert not any(alpha is each for each in optimizer.param_groups[0]["params"])


@pytest.mark.parametrize("method", [TQTQuantizer, LSQQuantizer])
def test_learned_scales_are_trained_without_decay(method: type[TrainingQuantizer]) -> None:
    quantizer, _ = trained(method, steps=5, granularity_weights="per-channel")
    assert quantizer.optimizer is not None
    group = quantizer.optimizer.param_groups[1]
    assert group["weight_decay"] == 0
    assert sorted(each.numel() for each in group["params"]) == [1, 1, 1, 4, 16]
    assert all(each.grad is not None and bool((each.grad != 0).any()) for each in group["params"])


def test_tqt_scales_are_powers_of_two_unless_free() -> None:
    for free in (False, True):
        quantizer, _ = trained(TQTQuantizer, steps=5, power_of_two=not free, bits_activations=4)
        values = quantizer.convert()(task()[0]).unique()
        exponent = torch.log2(values.diff().min()).item()
        assert (abs(exponent - round(exponent)) < 1e-4) is not free


def test_calibrate_starts_ranges_and_trains_nothing() -> None:
    model, (x, _) = mlp(), task()
    before = copy.deepcopy(model.state_dict())
    quantizer = LSQQuantizer(model)
    quantizer.prepare_model(x[:4])
    quantizer.calibrate([x])
    assert torch.equal(model[0].module.weight, before["0.weight"])  # type: ignore[union-attr, arg-type]
    assert snr(mlp()(x), quantizer.convert()(x)) > 15  # the paper's start clips much
    with pytest.raises(QprepError, match="empty loader"):
        quantizer.calibrate([])


def test_distillation_pulls_towards_the_teacher() -> None:
    teacher, x = mlp(5), task()[0]
    quantizer = LinearQATQuantizer(mlp(), teacher=teacher)
    quantizer.prepare_model(x[:4])
    assert quantizer.distillation_loss(teacher(x), x).item() == pytest.approx(0, abs=1e-6)
    assert quantizer.distillation_loss(quantizer.model(x), x, temperature=2.0).item() > 1e-3
    with pytest.raises(QprepError, match="expected a teacher"):
        LinearQATQuantizer(mlp()).distillation_loss(x)


def test_tied_weights_train_as_one() -> None:
    tokens = torch.randint(20, (4, 6))
    model = TiedDecoder()
    quantizer = LSQQuantizer(model, bits_weights=3)
    quantizer.prepare_model(tokens)
    model.train()
    nn.functional.cross_entropy(quantizer.model(tokens).flatten(0, 1), tokens.flatten()).backward()  # type: ignore[no-untyped-call]
    weight: Tensor = model.embed.module.weight  # type: ignore[assignment, union-attr]
    assert weight.grad is not None
    assert torch.allclose(quantizer.convert()(tokens), quantizer.model.eval()(tokens), atol=1e-5)


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_weights_of_norms_are_not_squashed(method: type[TrainingQuantizer]) -> None:
    quantizer = method(nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8), nn.BatchNorm1d(8)))
    quantizer.prepare_model(task()[0])
    assert [each.name for _, each in quantizer.parameters_with_quantizers()] == ["0.weight"]


def test_batch_norm_trains_on_unquantized_sums() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    quantizer = LinearQATQuantizer(model)
    quantizer.prepare_model(torch.randn(2, 3, 6, 6))
    places = {each.name for each in quantizer.quantizers if "weight" not in each.name}
    assert places == {"input 0", "2"}
    assert any(isinstance(each, nn.BatchNorm2d) for each in quantizer.model.modules())


def test_impossible_methods() -> None:
    with pytest.raises(QprepError, match="2 bits or more for WRPN"):
        WRPNQuantizer(mlp(), bits_weights=1).prepare_model(task()[0])
    with pytest.raises(QprepError, match="found per group"):
        LSQQuantizer(mlp(), granularity_weights="per-group", group_size=4).prepare_model(task()[0])


@pytest.mark.parametrize("method", [LinearQATQuantizer, LSQQuantizer])
def test_values_that_are_not_finite(method: type[TrainingQuantizer]) -> None:
    quantizer = method(mlp())
    quantizer.prepare_model(task()[0])
    quantizer.model.train()
    with pytest.raises(QprepError, match="NaN or infinity, at input 0"):
        quantizer.model(torch.full((2, 8), float("nan")))


def test_linear_training_asks_the_estimator_for_each_batch() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 8)
    x[0, 0] = 50.0

    def first_range(estimator: str) -> tuple[float, float]:
        model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        quantizer = LinearQATQuantizer(model, optimizer, 4, 4, estimator_activations=estimator)
        quantizer.prepare_model(x)
        model.train()
        model(x).sum().backward()
        slot = next(each for each in quantizer.quantizers if each.name == "input 0")
        assert isinstance(slot, MovingRange)
        return float(slot.low), float(slot.high)

    assert first_range("min-max") == (float(x.min()), 50.0)
    low, high = first_range("aciq-laplace")
    assert -6 < low < -1
    assert 1 < high < 6
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    LinearQATQuantizer(model, optimizer, 4, 4, estimator_activations="mse").prepare_model(x)
    model.train()
    model(x)
    with pytest.raises(QprepError, match=r"found NaN or infinity, at .*input 0"):
        model(x * float("nan"))
