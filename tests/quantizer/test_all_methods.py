"""Odd input, the same for every method: a clear error, or the right behaviour."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import (
    AdaRoundQuantizer,
    DorefaQuantizer,
    DynamicQuantizer,
    LinearQATQuantizer,
    LSQQuantizer,
    NotPreparedError,
    PACTQuantizer,
    PostTrainingQuantizer,
    QuantizationReport,
    TQTQuantizer,
    WeightOnlyQuantizer,
    WRPNQuantizer,
)
from qprep.runtime_modules import Concat
from tests.quantizer.models import TiedDecoder, TwoInputs, mlp

Method = Callable[..., Any]
METHODS: dict[str, Method] = {
    "dynamic": DynamicQuantizer,
    "static": PostTrainingQuantizer,
    "weight-only": WeightOnlyQuantizer,
    "adaround": partial(AdaRoundQuantizer, iterations=3, samples=64),
    "linear": LinearQATQuantizer,
    "dorefa": DorefaQuantizer,
    "wrpn": WRPNQuantizer,
    "pact": PACTQuantizer,
    "tqt": TQTQuantizer,
    "lsq": LSQQuantizer,
}
LEARNING = ("linear", "tqt", "lsq")  # whose ranges start with the first tensor

every = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def data() -> list[Tensor]:
    return list(torch.randn(2, 16, 8, generator=torch.Generator().manual_seed(7)))


def flow(method: Method, model: nn.Module, batches: Any, *inputs: Any) -> tuple[nn.Module, QuantizationReport]:
    """The converted model and its report; nothing in either is NaN."""
    quantizer = method(model)
    quantizer.prepare_model(*inputs)
    quantizer.calibrate(batches)
    converted = quantizer.convert()
    report = quantizer.report(batches)
    assert not any(torch.isnan(each).any() for each in converted.state_dict().values() if each.is_floating_point())
    return converted, report


@every
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite(method: Method, value: float) -> None:
    with pytest.raises(QprepError, match="finite"):
        flow(method, mlp(), [data()[0] * value], data()[0])
    broken: Any = mlp()
    nn.init.constant_(broken[0].weight, value)
    with pytest.raises(QprepError, match="finite"):
        flow(method, broken, data(), data()[0])


@every
@pytest.mark.parametrize("value", [0.0, -2.0, 3.5])
def test_constants(method: Method, value: float) -> None:
    model: Any = mlp()
    nn.init.constant_(model[0].weight, value)
    nn.init.zeros_(model[2].weight[0])
    converted, _ = flow(method, model, [torch.full((4, 8), value)], data()[0])
    assert torch.isfinite(converted(data()[0])).all()


@every
def test_batches_without_a_sample(method: Method) -> None:
    converted, _ = flow(method, mlp(), [torch.empty(0, 8), *data()], data()[0])
    assert converted(torch.empty(0, 8)).shape == (0, 4)


@every
def test_no_batches(method: Method) -> None:
    quantizer = method(mlp())
    quantizer.prepare_model(data()[0])
    if method in (DynamicQuantizer, WeightOnlyQuantizer):
        quantizer.calibrate([])  # nothing is observed
        quantizer.convert()
        return
    with pytest.raises(QprepError, match="expected data to calibrate with"):
        quantizer.calibrate([])


class Pixels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.float() / 255)  # type: ignore[no-any-return]


@every
def test_integers_as_input(method: Method) -> None:
    pixels = torch.randint(256, (16, 8))
    quantizer = method(Pixels())
    quantizer.prepare_model(pixels, allow_unprepared=True)
    quantizer.calibrate([pixels])
    assert quantizer.convert()(pixels).shape == (16, 4)


@every
def test_tied_weights_are_quantized_once(method: Method) -> None:
    tokens = torch.randint(20, (4, 5))
    converted, report = flow(method, TiedDecoder(), [tokens], tokens)
    assert [slot.name for slot in report.slots if slot.kind == "weight"] == ["embed.weight"]
    assert sum(1 for name, _ in converted.named_parameters() if name.endswith("embed.module.weight")) == 1


class Joined(nn.Module):
    """Takes a list, returns a list of a tensor within a pair with None."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.cat = nn.Linear(8, 8), Concat(dim=1)

    def forward(self, pair: list[Tensor]) -> tuple[list[Tensor], None]:
        return [self.cat([self.fc(input=pair[0]), pair[1]])], None


@every
def test_keywords_scalars_and_lists(method: Method) -> None:
    quantizer = method(TwoInputs())
    quantizer.prepare_model(x=data()[0], skip=data()[1])
    quantizer.calibrate([{"x": data()[0], "skip": data()[1], "label": 3}])
    assert quantizer.convert()(x=data()[0], skip=data()[1])["number"] == 3
    converted, _ = flow(method, TwoInputs(), [(data()[0], 2.0)], data()[0], 2.0)
    assert isinstance(converted(data()[0], 2.0)["pair"], tuple)
    converted, _ = flow(method, Joined(), [data()], data())
    assert converted(data())[0][0].shape == (16, 16)


@every
def test_a_model_in_training_mode(method: Method) -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4)).train()
    norm: Any = model[2]
    before = norm.running_mean.clone()
    converted, _ = flow(method, model, data(), data()[0])
    assert torch.equal(norm.running_mean, before)
    assert model.training
    assert not any(each.training for each in converted.modules())
    assert torch.equal(converted(data()[0]), converted(data()[0]))


@every
def test_a_layer_that_never_runs(method: Method) -> None:
    class Either(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.often, self.seldom = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: Tensor, seldom: bool = False) -> Tensor:
            y: Tensor = self.often(x)
            return self.seldom(y) if seldom else y

    batches = [(batch, False) for batch in data()]
    converted, report = flow(method, Either(), batches, data()[0], True)
    assert torch.isfinite(converted(data()[0], True)).all()
    assert "seldom" not in [layer.path for layer in report.layers_to_widen]
    if method not in (DynamicQuantizer, WeightOnlyQuantizer, DorefaQuantizer, WRPNQuantizer, PACTQuantizer):
        assert any(str(each).startswith("seldom: did not run in") for each in report.in_float)


@every
def test_models_that_cannot_be(method: Method) -> None:
    with pytest.raises(QprepError, match="weight on the meta device"):
        method(nn.Linear(2, 2, device="meta"))
    for wrong in (3, None, nn.Linear, "model"):
        with pytest.raises(QprepError, match="expected an nn.Module to quantize"):
            method(wrong)
    quantizer = method(nn.Sequential(nn.Linear(8, 8), Square()))
    with pytest.raises(NotPreparedError, match=r"test_all_methods\.py:\d+: mul in 1 \(Square\)"):
        quantizer.prepare_model(data()[0])


class Square(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x * x).relu()


@every
def test_a_second_time(method: Method) -> None:
    quantizer = method(mlp())
    quantizer.prepare_model(data()[0])
    with pytest.raises(QprepError, match="expected one prepare_model for each quantizer, found a second"):
        quantizer.prepare_model(data()[0])
    quantizer.calibrate(data())
    with pytest.raises(QprepError, match="expected a model in float, found Sequential quantized already"):
        method(quantizer.convert())


@every
def test_half_precision(method: Method) -> None:
    converted, _ = flow(method, mlp().half(), [batch.half() for batch in data()], data()[0].half())
    assert converted(data()[0].half()).dtype == torch.float16


@pytest.mark.parametrize("name", LEARNING)
def test_ranges_that_have_not_started(name: str) -> None:
    quantizer = METHODS[name](mlp())
    quantizer.prepare_model(data()[0])
    with pytest.raises(QprepError, match="expected a training step or calibrate before convert"):
        quantizer.convert()
    with pytest.raises(QprepError, match="expected a training step or calibrate before report"):
        quantizer.report(data())
