"""Layers and methods of one's own."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from qprep.quantizer import (
    PostTrainingQuantizer,
    Quantizer,
    Settings,
    register,
)
from qprep.quantizer.registry import unregister
from qprep.quantizer.tensor_quantizers import TensorQuantizer
from qprep.runtime_modules import EltwiseAdd
from tests.quantizer.models import mlp

EIGHT: dict[str, Any] = {"bits_activations": 8, "bits_weights": 8}


def data(number: int = 4, *shape: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(*(shape or (32, 8)), generator=generator) for _ in range(number)]


def calibrated(model: nn.Module, batches: list[Tensor], **settings: Any) -> PostTrainingQuantizer:
    quantizer = PostTrainingQuantizer(model, **{**EIGHT, **settings})
    quantizer.prepare_model(batches[0])
    quantizer.calibrate(batches)
    return quantizer


def test_registered_layers_are_one_operation_with_their_own_replacement() -> None:
    class Gate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            return torch.sigmoid(self.inner(x)) * x

    class Closed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.zeros_like(x)

    seen: list[tuple[str, Settings]] = []

    @register(Gate)
    def _closed(module: nn.Module, path: str, settings: Settings) -> nn.Module:
        seen.append((path, settings))
        return Closed()

    try:
        quantizer = PostTrainingQuantizer(nn.Sequential(Gate(), nn.Linear(8, 4)), **EIGHT)
        quantizer.prepare_model(data()[0])
    finally:
        unregister(Gate)
    assert [path for path, _ in seen] == ["0"]
    assert isinstance(quantizer.model[0], Closed)  # type: ignore[index]


def test_a_method_of_its_own_is_a_small_subclass() -> None:
    class Ternary(Quantizer):
        def param_quantization_fn(self, parameter: Tensor, quantizer: TensorQuantizer) -> Tensor:
            reach = 0.7 * parameter.abs().mean()
            kept = parameter.abs() > reach
            return parameter.sign() * kept * (parameter.abs() * kept).sum() / kept.sum()

    model = mlp()
    expected = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    quantizer = Ternary(model, optimizer, bits_weights=2)
    quantizer.prepare_model(data()[0])
    assert len(model[0].module.weight.unique()) == 3  # type: ignore[union-attr, operator]
    assert torch.equal(model[0].module.bias, expected[0].bias)  # type: ignore[union-attr, arg-type]
    assert len(optimizer.param_groups) == 1


def test_subclasses_match_their_nearest_base() -> None:
    class Special(nn.Linear):
        pass

    class Once(Quantizer):
        pass

    quantizer = Once(nn.Sequential(Special(8, 8), nn.Linear(8, 8), EltwiseAdd()), bits_weights=8)
    made: list[str] = []

    def note(kind: str) -> Any:
        def remember(module: nn.Module, path: str, settings: Settings) -> nn.Module:
            made.append(f"{kind} {path}")
            return module

        return remember

    quantizer.replacement_factory |= {nn.Module: note("any"), nn.Linear: note("linear")}
    model = quantizer.model
    quantizer.model = model[:2]  # type: ignore[index]
    quantizer.prepare_model(data()[0])
    assert made == ["linear 0", "linear 1"]
