"""The state of a slot is in buffers of final shape: averages, copies, a state_dict give the same model, or an error."""

from __future__ import annotations

import copy
from typing import Any, TypeGuard

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from qprep.quantizer import (
    AdaRoundQuantizer,
    DorefaQuantizer,
    LSQQuantizer,
    PostTrainingQuantizer,
    Quantizer,
    TensorQuantizer,
)
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer
from tests.quantizer.models import mlp
from tests.quantizer.training_methods import TRAINING_METHODS


def data(seed: int = 4) -> Tensor:
    return torch.randn(64, 8, generator=torch.Generator().manual_seed(seed))


def prepared(
    method: type[TrainingQuantizer], rows: int = 4, **settings: Any
) -> tuple[TrainingQuantizer, torch.optim.Optimizer]:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    quantizer = method(model, optimizer, 2, 2, **settings)
    quantizer.prepare_model(data()[:rows])
    quantizer.model.train()
    return quantizer, optimizer


def step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    optimizer.zero_grad()
    model(data(seed)).pow(2).mean().backward()
    optimizer.step()


def levels(model: nn.Module) -> dict[str, int]:
    """The number of different values of each activation's slot."""
    found: dict[str, int] = {}

    def count(slot: TensorQuantizer, _: object, out: Tensor) -> None:
        found[slot.name] = torch.unique(out).numel()

    slots = [each for each in model.modules() if isinstance(each, TensorQuantizer) and "weight" not in each.name]
    handles = [slot.register_forward_hook(count) for slot in slots]
    model.eval()(data())
    for each in handles:
        each.remove()
    return found


@pytest.mark.parametrize("buffers", [True, False])
@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_an_average_that_began_before_the_first_batch_is_quantized(
    method: type[TrainingQuantizer], buffers: bool
) -> None:
    quantizer, optimizer = prepared(method)
    mean: Any = get_ema_multi_avg_fn  # it has no annotations
    average = AveragedModel(quantizer.model, multi_avg_fn=mean(0.5), use_buffers=buffers)
    for seed in range(12):
        step(quantizer.model, optimizer, seed)
        average.update_parameters(quantizer.model)
    assert set(levels(average.module).values()) <= {1, 2, 3, 4}
    found, expected = average.module.eval()(data()), quantizer.model.eval()(data())
    assert (found - expected).abs().mean() < 0.3 * expected.abs().mean()


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_an_average_by_a_loop_over_the_state_dict(method: type[TrainingQuantizer]) -> None:
    """As timm does it: a copy of the unstarted model, every tensor of its state moved towards the trained one."""
    quantizer, optimizer = prepared(method)
    average = copy.deepcopy(quantizer.model)
    for seed in range(30):
        step(quantizer.model, optimizer, seed)
        for mine, its in zip(average.state_dict().values(), quantizer.model.state_dict().values(), strict=True):
            mine.copy_(0.9 * mine + 0.1 * its)
    assert set(levels(average).values()) <= {1, 2, 3, 4}


def _is_range(module: nn.Module) -> TypeGuard[TensorQuantizer]:
    return isinstance(module, TensorQuantizer) and "weight" not in module.name


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_a_slow_average_has_ranges_from_the_start(method: type[TrainingQuantizer]) -> None:
    """Usual averages hardly move in the first steps: what the example inputs gave has to be a range by itself."""
    quantizer, optimizer = prepared(method, rows=64)
    average = copy.deepcopy(quantizer.model)
    for seed in range(3):
        step(quantizer.model, optimizer, seed)
        for mine, its in zip(average.state_dict().values(), quantizer.model.state_dict().values(), strict=True):
            mine.copy_(0.999 * mine + 0.001 * its if mine.is_floating_point() else its)
    mine, its = ([each for each in model.modules() if _is_range(each)] for model in (average, quantizer.model))
    ratios = [float((one.grid.scale / other.grid.scale).max()) for one, other in zip(mine, its, strict=True)]
    assert ratios
    assert 0.4 < min(ratios) <= max(ratios) < 2.5


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_shapes_are_final_from_the_start(method: type[TrainingQuantizer]) -> None:
    quantizer, optimizer = prepared(method, granularity_weights="per-channel")
    before = {name: each.shape for name, each in quantizer.model.state_dict().items()}
    same = dict(quantizer.model.named_buffers())
    step(quantizer.model, optimizer, 0)
    assert {name: each.shape for name, each in quantizer.model.state_dict().items()} == before
    # In place, so that what holds a buffer (DistributedDataParallel's broadcast) holds it still.
    assert all(each is same[name] for name, each in quantizer.model.named_buffers())


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_a_state_dict_of_a_trained_model_makes_a_new_one_the_same(method: type[TrainingQuantizer]) -> None:
    quantizer, optimizer = prepared(method)
    for seed in range(3):
        step(quantizer.model, optimizer, seed)
    other, _ = prepared(method)
    other.model.load_state_dict(quantizer.model.state_dict(), strict=True)
    assert torch.equal(other.model.eval()(data()), quantizer.model.eval()(data()))
    assert torch.equal(other.convert()(data()), quantizer.convert()(data()))


def calibrated(method: type[Quantizer], **settings: Any) -> Quantizer:
    quantizer = method(mlp().eval(), **settings)
    quantizer.prepare_model(data()[:4])
    quantizer.calibrate([data()])
    return quantizer


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (PostTrainingQuantizer, {}),
        (PostTrainingQuantizer, {"scheme_activations": "power-of-two", "bits_activations": 4}),
        (PostTrainingQuantizer, {"granularity_weights": "per-group", "group_size": 4, "bits_weights": 4}),
        (AdaRoundQuantizer, {"bits_weights": 3, "iterations": 20}),
    ],
    ids=str,
)
def test_a_state_dict_of_a_calibrated_model_calibrates_another(method: Any, settings: dict[str, Any]) -> None:
    quantizer = calibrated(method, **settings)
    expected = quantizer.model(data())
    assert not torch.equal(expected, mlp().eval()(data()))
    other = method(mlp().eval(), **settings)
    other.prepare_model(data()[:4])
    other.model.load_state_dict(quantizer.model.state_dict(), strict=True)
    assert torch.equal(other.model(data()), expected)
    assert torch.equal(other.convert()(data()), quantizer.convert()(data()))


def test_a_state_dict_of_a_converted_model_is_not_rounded_again() -> None:
    quantizer, optimizer = prepared(DorefaQuantizer)  # whose formula changes what it has rounded
    step(quantizer.model, optimizer, 0)
    converted = quantizer.convert()
    other, _ = prepared(DorefaQuantizer)
    other.model.load_state_dict(converted.state_dict(), strict=True)
    assert torch.equal(other.model.eval()(data()), converted(data()))


def test_a_state_dict_with_other_shapes_is_an_error() -> None:
    quantizer, _ = prepared(LSQQuantizer, granularity_weights="per-channel")
    other, _ = prepared(LSQQuantizer)
    with pytest.raises(RuntimeError, match="size mismatch"):
        other.model.load_state_dict(quantizer.model.state_dict(), strict=True)


def test_copies_know_what_they_were_copied_from() -> None:
    quantizer, optimizer = prepared(LSQQuantizer)
    before = copy.deepcopy(quantizer.model)
    step(quantizer.model, optimizer, 0)
    after = copy.deepcopy(quantizer.model)
    assert torch.equal(before.eval()(data()), mlp().eval()(data()))
    assert torch.equal(after.eval()(data()), quantizer.model.eval()(data()))
    before.load_state_dict(after.state_dict())
    assert torch.equal(before(data()), after(data()))


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_an_average_of_floating_tensors_alone(method: type[TrainingQuantizer]) -> None:
    """As detectors' trainers do it: other tensors stay as they were in the copy of the unstarted model."""
    quantizer, optimizer = prepared(method)
    average = copy.deepcopy(quantizer.model)
    for seed in range(30):
        step(quantizer.model, optimizer, seed)
        for mine, its in zip(average.state_dict().values(), quantizer.model.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.mul_(0.5).add_(its, alpha=0.5)
    assert set(levels(average).values()) <= {1, 2, 3, 4}


def test_a_state_that_is_written_past_version_counters() -> None:
    quantizer, optimizer = prepared(LSQQuantizer)
    other = copy.deepcopy(quantizer.model)
    step(quantizer.model, optimizer, 0)
    for mine, its in zip(other.state_dict().values(), quantizer.model.state_dict().values(), strict=True):
        mine.data.copy_(its.data)
    assert torch.equal(other.eval()(data()), quantizer.model.eval()(data()))


@pytest.mark.parametrize(
    "settings", [{"bits_weights": 4}, {"bits_activations": 6}, {"scheme_activations": "symmetric"}]
)
def test_a_state_of_another_format_is_refused(settings: dict[str, Any]) -> None:
    made = []
    for given in ({}, settings, {}):
        torch.manual_seed(0)
        quantizer = PostTrainingQuantizer(nn.Sequential(nn.Linear(8, 8), nn.ReLU()).eval(), **given)
        quantizer.prepare_model(torch.randn(4, 8))
        made.append(quantizer)
    first, other, same = made
    first.calibrate([torch.randn(4, 8)])
    with pytest.raises(RuntimeError, match="expected the state of a slot with the format of"):
        other.model.load_state_dict(first.model.state_dict())
    same.model.load_state_dict(first.convert().state_dict())
    x = torch.randn(4, 8)
    assert torch.equal(same.model(x), first.model(x))
    other.model.load_state_dict(first.float_model.state_dict())
