"""`qprep.quantize`: the four steps in one call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import qprep
from qprep.quantizer import AdaRoundQuantizer, NotPreparedError, PostTrainingQuantizer
from tests.quantizer.models import mlp

DATA = list(torch.randn(3, 16, 8, generator=torch.Generator().manual_seed(1)))


def by_hand(model: nn.Module) -> nn.Module:
    made = PostTrainingQuantizer(model, bits_weights=4)
    made.prepare_model(DATA[0])
    made.calibrate(DATA)
    return made.convert()


def batches() -> Iterator[tuple[Tensor, int]]:
    yield from ((each, 1) for each in DATA)


@pytest.mark.parametrize("data", [DATA, batches, batches()], ids=["list", "function", "generator"])
def test_it_is_the_same_as_the_steps_by_hand(data: object) -> None:
    made = qprep.quantize(mlp(), data, bits_weights=4)
    assert torch.equal(made.convert()(DATA[1]), by_hand(mlp())(DATA[1]))


def test_a_method_has_its_own_settings() -> None:
    made = qprep.quantize(mlp(), DATA, method="adaround", iterations=5, bits_weights=3)
    assert isinstance(made, AdaRoundQuantizer)


@pytest.mark.parametrize("method", ["ptq", "dynamic"])
def test_biases_are_corrected_on_the_same_data(method: str) -> None:
    data = [each.abs() for each in DATA]  # the mean error of a weight counts where its inputs have a mean

    def shift(**settings: bool) -> float:
        converted = qprep.quantize(mlp(), batches(), method=method, bits_weights=3, **settings).convert()
        return float(torch.cat([converted(each) - mlp()(each) for each in data]).mean(0).norm().detach())

    def batches() -> Iterator[Tensor]:
        yield from data

    assert shift(correct_biases=True) < 0.5 * shift()


@pytest.mark.parametrize("method", ["gptq", "awq"])
def test_methods_that_compensate_correct_no_biases(method: str) -> None:
    with pytest.raises(qprep.QprepError, match=f"rounds to nearest for correct_biases, found {method}"):
        qprep.quantize(mlp(), DATA, method=method, correct_biases=True)


def test_what_is_wrong_is_an_error() -> None:
    with pytest.raises(qprep.QprepError, match="expected one of adaround, .*found 'adaruond'"):
        qprep.quantize(mlp(), DATA, method="adaruond")
    with pytest.raises(qprep.QprepError, match="data: expected an iterable of batches, found int"):
        qprep.quantize(mlp(), 3)
    with pytest.raises(qprep.QprepError, match="found an empty loader"):
        qprep.quantize(mlp(), [])

    class Adds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x) + 1  # type: ignore[no-any-return]

    with pytest.raises(NotPreparedError):
        qprep.quantize(Adds(), DATA)
    assert qprep.quantize(Adds(), DATA, allow_unprepared=True).notes != []
