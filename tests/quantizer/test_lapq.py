"""LAPQ: the joint search lowers the loss that it is given."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import LAPQQuantizer, PostTrainingQuantizer
from tests.quantizer.models import mlp

pytest.importorskip("scipy")


def loader() -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(96, 8, generator=generator), torch.randint(4, (96,), generator=generator))]


def calibrated(evaluations: int, **settings: Any) -> LAPQQuantizer:
    quantizer = LAPQQuantizer(mlp(), 3, 3, evaluations=evaluations, **settings)
    quantizer.prepare_model(loader()[0][0])
    quantizer.calibrate(loader())
    return quantizer


def test_each_step_lowers_the_error_against_float() -> None:
    without, with_search = calibrated(0), calibrated(60)
    assert with_search.best_loss < 0.98 * without.best_loss
    model, x = mlp(), torch.cat([batch for batch, _ in loader()])
    found = with_search.convert()(x).detach()
    relative = float((found - model(x)).detach().pow(2).sum() / model(x).detach().pow(2).sum())
    assert relative == pytest.approx(with_search.best_loss, rel=1e-3)


def test_a_loss_on_labels_and_progress() -> None:
    def loss(output: Tensor, batch: tuple[Tensor, Tensor]) -> Tensor:
        return nn.functional.cross_entropy(output, batch[1])

    seen: list[tuple[int, int]] = []
    quantizer = LAPQQuantizer(mlp(), 3, 3, loss=loss, evaluations=30)
    quantizer.prepare_model(loader()[0][0])
    quantizer.calibrate(loader(), progress=lambda done, total: seen.append((done, total)))
    assert len(seen) >= 6
    assert all(0 < done <= total == 37 for done, total in seen)
    converted = quantizer.convert()
    (batch,) = loader()
    expected = float(loss(converted(batch[0]), batch).detach())
    assert expected == pytest.approx(quantizer.best_loss, rel=1e-5)


def test_a_loss_that_is_never_a_number() -> None:
    with pytest.raises(QprepError, match="found NaN for every candidate"):
        calibrated(0, loss=lambda output, batch: float("nan"))


def test_scipy_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(QprepError, match="expected scipy"):
        calibrated(1)
    assert calibrated(0).best_loss > 0  # the choice of a norm needs no scipy


def test_a_model_that_needs_its_outliers_keeps_the_whole_ranges() -> None:
    """The output is the largest value: each finite norm would clip it."""
    batches = [torch.randn(1, 2**20, generator=torch.Generator().manual_seed(1)).clamp(-4, 4)]
    batches[0][0, 0] = 9
    found = {}
    for kind in (LAPQQuantizer, PostTrainingQuantizer):
        settings: dict[str, Any] = {"evaluations": 0} if kind is LAPQQuantizer else {}
        quantizer = kind(nn.Sequential(nn.ReLU(), nn.MaxPool1d(2**20)), 4, 4, **settings)
        quantizer.prepare_model(batches[0])
        quantizer.calibrate(batches)
        found[kind] = float(quantizer.convert()(batches[0]).max())
    assert found[LAPQQuantizer] == pytest.approx(9, rel=1e-3)
    assert found[LAPQQuantizer] == found[PostTrainingQuantizer]
