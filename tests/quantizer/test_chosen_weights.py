"""GPTQ and AWQ: weights alone, in groups, chosen on data; and bits chosen under a budget."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import (
    AWQQuantizer,
    GPTQQuantizer,
    PostTrainingQuantizer,
    Quantizer,
    WeightOnlyQuantizer,
    load_config,
)
from qprep.quantizer.methods.knapsack import cheapest
from qprep.quantizer.methods.method_names import METHODS, OPTIONS
from tests.quantizer.models import snr

GROUPS: dict[str, Any] = {"bits_weights": 4, "granularity_weights": "per-group", "group_size": 24}
METHODS_OF_WEIGHTS = [GPTQQuantizer, AWQQuantizer]


def words(seed: int) -> Tensor:
    """Features that depend on each other, one of them large: (64, 5, 32)."""
    made = torch.Generator().manual_seed(seed)
    mixed = torch.randn(6, 32, generator=torch.Generator().manual_seed(7))
    found = torch.randn(64, 5, 6, generator=made) @ mixed + 0.1 * torch.randn(64, 5, 32, generator=made)
    found[..., 3] *= 10
    return found


def feed_forward() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 16)).eval()


def convolutions() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(4, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3, groups=4), nn.ReLU(), nn.Conv2d(16, 8, 1)
    return nn.Sequential(*layers).eval()


def images(seed: int) -> Tensor:
    return torch.randn(8, 4, 10, 10, generator=torch.Generator().manual_seed(seed)).cumsum(-1)


def chosen(method: Any, model: nn.Module, seen: Tensor, **settings: Any) -> Any:
    quantizer = method(model, **settings)
    quantizer.prepare_model(seen[:2])
    quantizer.calibrate([seen[:4], seen[4:]])
    return quantizer


@pytest.mark.parametrize("method", METHODS_OF_WEIGHTS)
@pytest.mark.parametrize(
    ("make", "data"), [(feed_forward, words), (convolutions, images)], ids=["linear", "convolution"]
)
@pytest.mark.parametrize(
    "settings", [GROUPS, {"bits_weights": 3, "granularity_weights": "per-channel"}, {**GROUPS, "bits_weights": 8}]
)
def test_less_is_lost_than_by_rounding_to_nearest(method: Any, make: Any, data: Any, settings: dict[str, Any]) -> None:
    model, held = make(), data(1)
    rounded = chosen(WeightOnlyQuantizer, model, data(0), **settings).convert()
    found = chosen(method, model, data(0), **settings).convert()
    gain = snr(model(held), found(held)) - snr(model(held), rounded(held))
    assert gain > (1.5 if settings["bits_weights"] < 8 and method is GPTQQuantizer else -0.1)
    if settings["bits_weights"] < 8:
        assert gain > 1.0


@pytest.mark.parametrize("method", METHODS_OF_WEIGHTS)
def test_weights_are_on_the_grid_in_files_too(method: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = feed_forward()
    quantizer = chosen(method, model, words(0), **GROUPS)
    converted = quantizer.convert()
    assert torch.allclose(converted(words(1)), quantizer.model(words(1)), atol=1e-5)
    levels = {each.name: each for each in quantizer.quantizers if "weight" in each.name}
    weight = converted.get_submodule("1.module").weight.reshape(-1, 32)
    rows = torch.nn.functional.pad(weight, (0, 16)).reshape(-1, 24)
    steps = rows / levels["1.weight"].scale[:, None]
    assert torch.allclose(steps, steps.round(), atol=1e-3)
    assert steps.abs().max() <= 7.001
    quantizer.export_onnx(tmp_path / "model.onnx")  # compared with the simulation before it is written
    quantizer.save(tmp_path / "model.pt")
    again = method.load(tmp_path / "model.pt", model, words(0)[:2])
    assert torch.equal(again.convert()(words(1)), converted(words(1)))


@pytest.mark.parametrize("method", METHODS_OF_WEIGHTS)
def test_a_second_calibration_starts_from_the_float_weights(method: Any) -> None:
    once, twice = (chosen(method, feed_forward(), words(0), **GROUPS) for _ in range(2))
    twice.calibrate([words(0)[:4], words(0)[4:]])
    assert torch.equal(once.convert()(words(1)), twice.convert()(words(1)))


@pytest.mark.parametrize("method", METHODS_OF_WEIGHTS)
def test_data_is_needed(method: Any) -> None:
    quantizer = method(feed_forward())
    quantizer.prepare_model(words(0)[:2])
    with pytest.raises(QprepError, match="expected calibrate before convert, found no weight that data was seen for"):
        quantizer.convert()
    with pytest.raises(QprepError, match="empty loader"):
        quantizer.calibrate([])


def test_one_exponent_of_awq_leaves_the_float_model_as_it_is() -> None:
    quantizer = chosen(AWQQuantizer, feed_forward(), words(0), **GROUPS)
    norm = quantizer.graph.nodes[0].weights[0].parameter
    assert not torch.allclose(norm, torch.ones(32))  # factors went into the normalization
    layer = quantizer.graph.nodes[1].weights[0].parameter
    assert torch.allclose(layer * norm, feed_forward()[1].weight, rtol=1e-4)  # type: ignore[index]


def test_methods_are_found_by_their_files(tmp_path: Path) -> None:
    assert set(METHODS) == {"adaround", "awq", "dynamic", "gptq", "lapq", "ptq", "weight-only"}
    assert METHODS["gptq"] is GPTQQuantizer
    assert OPTIONS["gptq"] == {"samples": 4096, "seed": 0, "damping": 0.01}
    path = tmp_path / "quant.yaml"
    path.write_text("method: gptq\noptions: {damping: 0.1}\ndefaults: {bits_weights: 8}\n")
    quantizer: Any = load_config(path).quantizer(feed_forward())
    assert (type(quantizer), quantizer.damping, quantizer.settings.defaults.bits_weights) == (GPTQQuantizer, 0.1, 8)


@pytest.mark.parametrize("method", [PostTrainingQuantizer, WeightOnlyQuantizer, GPTQQuantizer])
def test_bits_under_a_budget(method: type[Any], tmp_path: Path) -> None:
    model, held = feed_forward(), words(1)
    quantizer = method(model, overrides={"3": {"granularity_weights": "per-tensor"}})
    quantizer.prepare_model(words(0)[:2])
    bits = quantizer.fit([words(0)], bits_budget=5.0)
    sizes = {"1.weight": 32 * 64, "3.weight": 64 * 16}
    assert bits.keys() == sizes.keys()
    assert sum(sizes[name] * number for name, number in bits.items()) <= 5.0 * sum(sizes.values())
    spec = {each.name: each.spec for each in quantizer.quantizers}
    assert {name: spec[name].bits for name in sizes} == bits
    assert spec["3.weight"].granularity.value == "per-tensor"  # what else was asked stays
    quantizer.save(tmp_path / "model.pt")
    again = method.load(tmp_path / "model.pt", model, words(0)[:2])
    assert torch.equal(again.convert()(held), quantizer.convert()(held))


def fitted(budget: float, **more: Any) -> tuple[dict[str, int], Quantizer]:
    quantizer = WeightOnlyQuantizer(feed_forward())
    quantizer.prepare_model(words(0)[:2])
    return quantizer.fit([words(0)], bits_budget=budget, **more), quantizer


def test_a_metric_decides_what_is_widened() -> None:
    def first_layer(model: nn.Module) -> float:
        weight = model.get_submodule("1.module")
        return -float((model.get_submodule("1")(words(0)) - weight(words(0))).detach().pow(2).sum())

    bits, _ = fitted(5.0, metric=first_layer)  # nothing depends on the second one
    assert bits["1.weight"] > bits["3.weight"]


@pytest.mark.parametrize("budget", [1.0, float("nan"), float("inf"), "4"])
def test_budgets_that_cannot_be_met(budget: Any) -> None:
    with pytest.raises(QprepError, match="expected a budget of 2 bits for a value or more"):
        fitted(budget)


def test_the_cheapest_choices_are_those_of_a_search_through_all() -> None:
    made = torch.Generator().manual_seed(3)
    for _ in range(20):
        sizes = (torch.rand(4, 3, generator=made) * 10).tolist()
        prices = torch.rand(4, 3, generator=made).tolist()
        budget = sum(min(each) for each in sizes) * 1.5
        picks = [
            each
            for each in product(range(3), repeat=4)
            if sum(s[at] for s, at in zip(sizes, each, strict=True)) <= budget
        ]
        least = min(sum(p[at] for p, at in zip(prices, each, strict=True)) for each in picks)
        found = cheapest(sizes, prices, budget)
        assert sum(s[at] for s, at in zip(sizes, found, strict=True)) <= budget * 1.000001
        assert sum(p[at] for p, at in zip(prices, found, strict=True)) <= least + 0.02
