"""A setting that a method does not read is named in its notes; every other one changes what the model gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import (
    AWQQuantizer,
    DynamicQuantizer,
    GPTQQuantizer,
    PostTrainingQuantizer,
    Quantizer,
    WeightOnlyQuantizer,
)
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer
from tests.quantizer.training_methods import TRAINING_METHODS

VALUES: dict[str, tuple[Any, ...]] = {
    "scheme_activations": ("asymmetric", "symmetric", "power-of-two"),
    "scheme_weights": ("asymmetric", "power-of-two", "restricted"),
    "estimator_activations": ("mse",),
    "estimator_weights": ("mse",),
    "granularity_weights": ("per-tensor", "per-channel"),
    "reduced_range": (True,),
}
WEIGHTS_ALONE = (WeightOnlyQuantizer, GPTQQuantizer, AWQQuantizer)
METHODS: tuple[type[Quantizer], ...] = (*(PostTrainingQuantizer, DynamicQuantizer, *WEIGHTS_ALONE, *TRAINING_METHODS),)


def outcome(method: type[Quantizer], **settings: Any) -> tuple[Tensor, list[str]]:
    """The output of a small network in four bits, and the notes."""
    torch.manual_seed(0)
    x = torch.randn(64, 8) * 2 + 0.3
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 4))
    bits: dict[str, Any] = {"bits_weights": 4, **({} if method in WEIGHTS_ALONE else {"bits_activations": 4})}
    if not issubclass(method, TrainingQuantizer):
        quantizer = method(model.eval(), **bits, **settings)
        quantizer.prepare_model(x)
        quantizer.calibrate([x])
        return quantizer.convert()(x).detach(), quantizer.notes
    quantizer = method(model, torch.optim.SGD(model.parameters(), 0.01), **bits, **settings)
    quantizer.prepare_model(x)
    model.train()
    model(x).sum().backward()
    return model.eval()(x).detach(), quantizer.notes


@pytest.mark.parametrize("method", METHODS)
def test_settings_that_change_nothing_are_noted(method: type[Quantizer]) -> None:
    plain, notes = outcome(method)
    assert notes == []
    for name, values in VALUES.items():
        changes, noted = False, False
        for value in values:
            try:
                found, notes = outcome(method, **{name: value})
            except QprepError:  # of a method that has no such format
                changes = True
                continue
            changes = changes or not torch.equal(found, plain)
            noted = noted or f"{method.__name__} does not read {name}" in notes
        assert noted is not changes, name
