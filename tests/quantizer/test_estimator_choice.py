"""`choose_estimator` takes the estimator that gives the least noise on batches that it has not seen."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import PostTrainingQuantizer
from qprep.quantizer.formats.tensor_quantizers import ActivationQuantizer


def prepared(model: nn.Module, x: Tensor, **settings: object) -> PostTrainingQuantizer:
    quantizer = PostTrainingQuantizer(model, **settings)  # type: ignore[arg-type]
    quantizer.prepare_model(x)
    return quantizer


def layer() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))


def with_outliers(number: int, largest: float) -> list[Tensor]:
    torch.manual_seed(1)
    batches = [torch.randn(64, 16) for _ in range(number)]
    for each in batches:
        each[0, 0] = largest
    return batches


def low_bits(largest: float, **settings: object) -> tuple[PostTrainingQuantizer, str]:
    batches = with_outliers(4, largest)
    quantizer = prepared(layer(), batches[0], bits_activations=4, **settings)
    return quantizer, quantizer.choose_estimator(batches)


def test_the_better_one_is_chosen_and_used() -> None:
    quantizer, chosen = low_bits(12.0)
    assert chosen == "mse"
    (slot, *_) = (each for each in quantizer.quantizers if isinstance(each, ActivationQuantizer))
    assert slot.range is not None
    assert slot.range[1] < 11, "the outlier is clipped"
    assert slot.spec.estimator == "mse"


def test_what_is_measured_was_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = with_outliers(5, 3.0)
    quantizer, seen = prepared(layer(), batches[0]), list[set[int]]()
    calibrate, numbers = quantizer.calibrate, {id(each): at for at, each in enumerate(batches)}

    def observing(loader: list[Tensor]) -> None:
        seen.append({numbers[id(each)] for each in loader})
        calibrate(loader)

    monkeypatch.setattr(quantizer, "calibrate", observing)
    quantizer.choose_estimator(batches)
    folds = [{1, 2, 3}, {0, 2, 3, 4}, {0, 1, 3, 4}, {0, 1, 2, 4}]
    assert seen == [*(each for each in folds for _ in ("min-max", "mse")), {0, 1, 2, 3, 4}]


def test_names_are_tried_in_order_and_one_needs_no_trial() -> None:
    batches = with_outliers(3, 3.0)
    quantizer = prepared(layer(), batches[0])
    assert quantizer.choose_estimator(iter(batches), ["percentile"]) == "percentile"
    assert quantizer.choose_estimator(batches, "entropy") == "entropy"
    assert all(each.is_active for each in quantizer.quantizers)


def test_the_float_model_is_left_as_it_was() -> None:
    model = layer().train()
    batches = with_outliers(2, 3.0)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    quantizer = prepared(model, batches[0])
    quantizer.choose_estimator(batches)
    assert model.training
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())


def test_what_was_chosen_is_saved(tmp_path: Path) -> None:
    quantizer, _ = low_bits(12.0)
    x = torch.randn(5, 16)
    quantizer.save(tmp_path / "q.pt")
    again = PostTrainingQuantizer.load(tmp_path / "q.pt", layer(), x)
    assert torch.equal(again.convert()(x), quantizer.convert()(x))


@pytest.mark.parametrize(
    ("number", "names", "found"),
    [
        (1, ("mse", "min-max"), "expected two batches or more to choose an estimator on, found 1"),
        (3, (), "expected names of estimators to choose from, found none"),
        (3, ("msee",), "found 'msee'"),
        (3, "msee", "found 'msee'"),
    ],
)
def test_refused(number: int, names: str | tuple[str, ...], found: str) -> None:
    batches = with_outliers(number, 3.0)
    quantizer = prepared(layer(), batches[0])
    with pytest.raises(QprepError, match=found):
        quantizer.choose_estimator(batches, names)


def test_needs_preparation() -> None:
    with pytest.raises(QprepError, match="expected prepare_model before"):
        PostTrainingQuantizer(layer()).choose_estimator(with_outliers(2, 3.0))
