"""The flow that all methods share, as it is first tried: names, defaults, spellings, and what a loader may be."""

from __future__ import annotations

import copy
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import qprep
from qprep.foundation.errors import QprepError
from qprep.quantizer import (
    DynamicQuantizer,
    LayerSettings,
    LinearQATQuantizer,
    LSQQuantizer,
    PostTrainingQuantizer,
    Quantizer,
    WeightOnlyQuantizer,
    collect_statistics,
)
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from tests.quantizer.models import mlp, snr
from tests.quantizer.training_methods import TRAINING_METHODS


def data() -> list[Tensor]:
    return list(torch.randn(4, 32, 8, generator=torch.Generator().manual_seed(7)))


def prepared(model: nn.Module | None = None, *inputs: Any, **settings: Any) -> PostTrainingQuantizer:
    quantizer = PostTrainingQuantizer(mlp() if model is None else model, **settings)
    quantizer.prepare_model(*(inputs or (data()[0],)))
    return quantizer


@pytest.mark.parametrize("method", [PostTrainingQuantizer, DynamicQuantizer, WeightOnlyQuantizer, *TRAINING_METHODS])
def test_one_flow_for_all_methods(method: Callable[[nn.Module], Any]) -> None:
    model = mlp()
    quantizer = method(model)
    quantizer.prepare_model(data()[0])
    quantizer.calibrate(data())
    quantized = quantizer.convert()
    assert not torch.equal(quantized(data()[0]), mlp()(data()[0]))
    assert not quantized.training
    found = quantizer.report(data())
    assert "0      Linear  8 bit" in str(found)
    assert {slot.bits for slot in found.slots} == {8}


def test_the_base_observes_and_converts_too() -> None:
    quantizer = Quantizer(mlp(), None, 8, 8)
    quantizer.prepare_model(data()[0])
    quantizer.calibrate(data())
    assert snr(mlp()(data()[0]), quantizer.convert()(data()[0])) > 30


@pytest.mark.parametrize("method", [PostTrainingQuantizer, DynamicQuantizer, WeightOnlyQuantizer, *TRAINING_METHODS])
def test_calibrate_wants_a_loader(method: Callable[[nn.Module], Any]) -> None:
    quantizer = method(mlp())
    with pytest.raises(QprepError, match="expected prepare_model before"):
        quantizer.calibrate(data())
    quantizer.prepare_model(data()[0])
    for loader in (None, 3, "data"):
        with pytest.raises(QprepError, match=f"expected an iterable of batches, found {type(loader).__name__}"):
            quantizer.calibrate(loader)


@pytest.mark.parametrize("whole", [lambda: data()[0], lambda: {"input": data()[0]}, lambda: iter(data()[:1])])
def test_a_tensor_or_a_mapping_is_one_batch(whole: Callable[[], Any]) -> None:
    expected = prepared()
    expected.calibrate(data()[:1])
    quantizer = prepared()
    quantizer.calibrate(whole())
    assert torch.equal(quantizer.convert()(data()[1]), expected.convert()(data()[1]))
    assert str(quantizer.report(whole())) == str(expected.report(data()[:1]))


def test_report_wants_calibration() -> None:
    with pytest.raises(QprepError, match="expected calibrate before report"):
        prepared().report(data())


class Whole(nn.Module):
    """Takes one list, tuple or dict."""

    def __init__(self, key: Any) -> None:
        super().__init__()
        self.fc, self.key = nn.Linear(8, 4), key

    def forward(self, batch: Any) -> Tensor:
        return self.fc(batch[self.key])  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("key", "batch"),
    [
        ("x", {"x": data()[0]}),
        (1, [data()[1], data()[0]]),
        (1, (data()[1], data()[0])),
    ],
)
def test_a_model_may_take_its_batch_whole(key: Any, batch: Any) -> None:
    model = Whole(key)
    for loader in ([batch], [(batch, torch.zeros(32))]):
        quantizer = prepared(model, batch)
        quantizer.calibrate(loader)
        assert snr(model(batch), quantizer.convert()(batch)) > 30


def test_inputs_that_cannot_be() -> None:
    quantizer = PostTrainingQuantizer(mlp())
    with pytest.raises(QprepError, match="expected example inputs for input of Sequential, found none"):
        quantizer.prepare_model()
    with pytest.raises(QprepError, match="found a tensor on the meta device"):
        quantizer.prepare_model(data()[0].to("meta"))
    quantizer.prepare_model(data()[0])


def test_values_that_are_not_finite_are_not_reported() -> None:
    quantizer = prepared()
    quantizer.calibrate(data())
    with pytest.raises(QprepError, match="expected finite values"):
        quantizer.report([data()[0] * float("nan")])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LSQQuantizer(mlp(), "sgd"), "expected an optimizer of torch.optim, found str"),  # type: ignore[arg-type]
        (lambda: LSQQuantizer(mlp(), train_with_fp_copy=False), "expected train_with_fp_copy=True"),
        (
            lambda: PostTrainingQuantizer(mlp(), optimizer=torch.optim.SGD(mlp().parameters(), 0.1)),
            "expected neither an optimizer",
        ),
        (lambda: WeightOnlyQuantizer(mlp(), bits_activations=8), "expected no bits_activations"),
        (lambda: PostTrainingQuantizer(mlp(), overrides={"fc": {}}), "'fc' matches no module among 0, 1, 2, 0.weight"),
        (lambda: PostTrainingQuantizer(mlp(), bits_weight=8), "did you mean 'bits_weights'"),
    ],
)
def test_arguments_that_cannot_be_meant(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(QprepError, match=message):
        make()


def test_arguments_that_say_what_is_so_anyway() -> None:
    PostTrainingQuantizer(mlp(), optimizer=None, train_with_fp_copy=True)
    LSQQuantizer(mlp(), train_with_fp_copy=True)
    WeightOnlyQuantizer(mlp(), bits_activations=None)


@pytest.mark.parametrize(
    "settings",
    [
        {"estimator_activations": "EMA"},
        {"estimator_activations": "N_STD"},
        {"estimator_weights": "MSE"},
        {"estimator_weights": "ACIQ"},
        {"scheme_weights": "power_of_two"},
        {"granularity_weights": "per_tensor"},
    ],
)
def test_names_are_read_in_other_spellings(settings: dict[str, Any]) -> None:
    quantizer = prepared(**settings)
    quantizer.calibrate(data())
    assert snr(mlp()(data()[0]), quantizer.convert()(data()[0])) > 25


@pytest.mark.parametrize("method", [PostTrainingQuantizer, DynamicQuantizer, LinearQATQuantizer])
@pytest.mark.parametrize("estimator", ["min-max", "mse"])
def test_powers_of_two_have_a_sign_where_values_have(
    method: Callable[..., Any], estimator: str, tmp_path: Path
) -> None:
    quantizer = method(mlp(), scheme_activations="power-of-two", estimator_activations=estimator)
    quantizer.prepare_model(data()[0])
    quantizer.calibrate(data())
    assert snr(mlp()(data()[0]), quantizer.convert()(data()[0])) > 25
    if method is PostTrainingQuantizer:
        signs = {each.name: each.spec.signed for each in quantizer.quantizers if "weight" not in each.name}
        assert signs == {"input 0": True, "1": False, "2": True}
        quantizer.save(tmp_path / "model.pt")
        loaded = method.load(tmp_path / "model.pt", mlp(), data()[0])
        assert torch.equal(loaded.convert()(data()[1]), quantizer.convert()(data()[1]))


def test_overrides_are_ordered_and_stay_the_callers() -> None:
    overrides = OrderedDict([("0", {"bits_weights": 4}), (".*", {"bits_weights": 6})])
    before = copy.deepcopy(overrides)
    quantizer = prepared(overrides=overrides)
    assert {each.name: each.spec.bits for each in quantizer.quantizers if "weight" in each.name} == {
        "0.weight": 4,
        "2.weight": 6,
    }
    assert overrides == before


class Shared(nn.Module):
    """A decoder with the embedding's weight, and one layer under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.first = nn.Linear(8, 8)
        self.second = self.first
        self.decode = nn.Linear(8, 20, bias=False)
        self.decode.weight = self.embed.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.decode(self.second(self.embed(tokens)))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("pattern", "name"), [("decode", "embed.weight"), ("embed", "embed.weight"), ("second", "first.weight")]
)
def test_what_has_two_names_is_quantized_once_as_either_says(pattern: str, name: str) -> None:
    tokens = torch.randint(20, (4, 5))
    quantizer = prepared(Shared(), tokens, overrides={pattern: {"bits_weights": 4}})
    weights = {each.name: each.spec.bits for each in quantizer.quantizers if each.name.endswith("weight")}
    assert weights == {"embed.weight": 8, "first.weight": 8, name: 4}


def binary(parameter: Tensor, quantizer: TensorQuantizer) -> Tensor:
    assert quantizer.spec.bits == 1
    return parameter.sign() * parameter.abs().mean() + parameter - parameter.detach()


@pytest.mark.parametrize("as_method", [False, True])
def test_a_function_for_parameters_works_with_copies_in_float(as_method: bool) -> None:
    class Binary(Quantizer):
        def param_quantization_fn(self, parameter: Tensor, quantizer: TensorQuantizer) -> Tensor:
            return binary(parameter, quantizer)

    made = (Binary if as_method else Quantizer)(mlp(), bits_weights=1, train_with_fp_copy=True)
    if not as_method:
        made.param_quantization_fn = binary  # type: ignore[method-assign]
    made.prepare_model(data()[0])
    layer: Any = made.model[0]  # type: ignore[index]
    assert len(layer.module.weight.unique()) == 8 * 16
    made.model(data()[0]).sum().backward()
    assert layer.module.weight.grad is not None
    converted = made.convert()
    rounded: Any = converted[0]  # type: ignore[index]
    assert len(torch.unique((rounded.module.weight * 1000).round())) == 2
    assert torch.equal(converted(data()[0]), made.model(data()[0]))


def test_groups_of_an_optimizer_may_be_listed_in_full() -> None:
    class Listed(LSQQuantizer):
        def _get_updated_optimizer_params_groups(self) -> list[dict[str, Any]]:
            scales = [each for quantizer in self.quantizers for each in quantizer.parameters()]
            others = [each for each in self.model.parameters() if all(each is not scale for scale in scales)]
            return [{"params": others}, {"params": scales, "weight_decay": 0.5}]

    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    Listed(model, optimizer).prepare_model(data()[0])
    assert [(len(group["params"]), group["weight_decay"]) for group in optimizer.param_groups] == [(4, 0.1), (5, 0.5)]


def test_replacements_in_all_their_forms() -> None:
    made: list[tuple[str, object]] = []

    def same(module: nn.Module, path: str, settings: LayerSettings) -> nn.Module:
        made.append((path, settings.bits_weights))
        return module

    quantizer = PostTrainingQuantizer(
        nn.Sequential(mlp(), nn.Linear(4, 4)), overrides={"1": {"bits_activations": None, "bits_weights": None}}
    )
    quantizer.replacement_factory.default = same
    quantizer.replacement_factory[nn.Linear] = None
    quantizer.prepare_model(data()[0])
    assert made == [("0.1", 8)]  # Linear is left to the wrapper; the last is left as it is
    assert quantizer.replacement_factory[nn.Module] is same


@pytest.mark.parametrize(
    ("key", "function", "message"),
    [
        ("relu", lambda *_: nn.ReLU(), "expected a class of modules to replace, found 'relu'"),
        (nn.ReLU, 3, "expected a function that replaces ReLU, found 3"),
        (nn.ReLU, lambda *_: None, "expected the replacement of 1 .ReLU. to be an nn.Module, found NoneType"),
    ],
)
def test_replacements_that_cannot_be(key: Any, function: Any, message: str) -> None:
    quantizer = PostTrainingQuantizer(mlp())
    quantizer.replacement_factory[key] = function
    with pytest.raises(QprepError, match=message):
        quantizer.prepare_model(data()[0])


def test_the_last_passes_insert_and_quantize() -> None:
    quantizer = PostTrainingQuantizer(mlp())
    assert quantizer.passes.names[-2:] == ["insert-observers", "quantize"]
    quantizer.passes.drop("insert-observers")
    quantizer.prepare_model(data()[0])
    assert list(quantizer.quantizers) == []


def test_statistics_are_read_by_module() -> None:
    found = collect_statistics(mlp(), data()[0])
    assert found["0"]["output"]["shape"] == "(32, 16)"
    assert str(found) == found.to_yaml()
    pairs = collect_statistics(nn.Bilinear(8, 8, 4), [(data()[0], data()[1], "label")])
    assert list(pairs[""]["inputs"]) == [0, 1]
    yaml = pytest.importorskip("yaml")
    read = yaml.safe_load(found.to_yaml(histograms=True))
    histogram = read["2"]["output"].pop("histogram")
    assert sum(histogram["counts"]) == 32 * 4
    assert histogram["limit"] >= max(-read["2"]["output"]["min"], read["2"]["output"]["max"])
    assert {**read["2"]["output"]} == found["2"]["output"]


def test_the_package_is_found_by_attribute() -> None:
    found = vars(qprep)["__getattr__"]  # what answers before the package is imported
    assert found("quantizer") is sys.modules["qprep.quantizer"]


class TwoSums(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layer(x)
        return found + x + 1.0


def test_operations_of_one_line_are_one_note() -> None:
    quantizer = PostTrainingQuantizer(TwoSums())
    quantizer.prepare_model(torch.randn(2, 4), allow_unprepared=True)
    assert sum(": add in " in note for note in quantizer.notes) == 1
