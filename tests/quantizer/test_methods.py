"""Layers and methods of one's own."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.quantizer import (
    ActivationQuantizer,
    DynamicQuantizer,
    LayerSettings,
    LSQQuantizer,
    NotPreparedError,
    PostTrainingQuantizer,
    QuantizedModule,
    Quantizer,
    register,
    wrap,
)
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.graph.module_registry import unregister
from qprep.runtime_modules import EltwiseAdd
from tests.quantizer.calibration import EIGHT, data
from tests.quantizer.models import mlp, snr


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

    seen: list[tuple[str, LayerSettings]] = []

    @register(Gate)
    def _closed(module: nn.Module, path: str, settings: LayerSettings) -> nn.Module:
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
        def remember(module: nn.Module, path: str, settings: LayerSettings) -> nn.Module:
            made.append(f"{kind} {path}")
            return module

        return remember

    quantizer.replacement_factory |= {nn.Module: note("any"), nn.Linear: note("linear")}
    model = quantizer.model
    quantizer.model = model[:2]  # type: ignore[index]
    quantizer.prepare_model(data()[0])
    assert made == ["linear 0", "linear 1"]


class Scores(nn.Module):
    """Everything it computes is inside: attention without a module for its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(8, 8), nn.ReLU())

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        return self.inner(x).softmax(-1) @ x.t() * gain  # type: ignore[no-any-return]


class Turned(nn.Module):
    """Computes nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flip(0).reshape(x.shape)


class InChild(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize("method", [PostTrainingQuantizer, LSQQuantizer, DynamicQuantizer])
def test_any_class_is_wrapped_without_rewriting_it(method: Any) -> None:
    model = nn.Sequential(nn.Linear(8, 8), Scores(), nn.Linear(32, 4))
    quantizer = method(model)
    with pytest.raises(NotPreparedError):
        quantizer.prepare_model(data()[0])
    quantizer.replacement_factory[Scores] = wrap
    quantizer.prepare_model(data()[0])
    quantizer.calibrate(data())
    converted = quantizer.convert()
    inner: Any = converted[1]
    names = [each.name for each in quantizer.quantizers]
    if method is DynamicQuantizer:  # it quantizes what layers with weights read
        assert names == ["0.weight", "input 0", "2.weight", "1"]
        return
    assert type(inner) is QuantizedModule
    assert type(inner.module) is Scores
    assert names == ["0.weight", "input 0", "0", "1", "2.weight", "2"]
    slot: Any = inner.outputs["0"]
    scale = slot.grid.scale
    levels = converted[:2](data()[0]) / scale
    assert torch.allclose(levels, levels.round(), atol=1e-3)


@pytest.mark.parametrize("layer", [Turned, InChild, Scores])
def test_registered_layers_are_replaced_whatever_they_do(layer: type[nn.Module]) -> None:
    made: list[str] = []

    def note(module: nn.Module, path: str, _: LayerSettings) -> nn.Module:
        made.append(path)
        return module

    quantizer = PostTrainingQuantizer(nn.Sequential(nn.Linear(8, 8), layer()))
    quantizer.replacement_factory[layer] = note
    quantizer.prepare_model(data()[0])
    assert made == ["1"]
    assert type(quantizer.model[1]) is layer  # type: ignore[index]


def test_a_wrapper_by_hand() -> None:
    module = Scores()
    spec = LayerSettings(bits_activations=8).activations
    assert spec is not None
    slots = {"inputs": {0: ActivationQuantizer("in", spec)}, "outputs": {0: ActivationQuantizer("out", spec)}}
    wrapped = QuantizedModule(module, **slots)  # type: ignore[arg-type]
    assert torch.equal(wrapped(data()[0], gain=2.0), module(data()[0], gain=2.0))
    for each in (slots["inputs"][0], slots["outputs"][0]):
        each.start_observing()
    wrapped(data()[0])
    assert all(each.freeze() for each in (slots["inputs"][0], slots["outputs"][0]))
    assert 20 < snr(module(data()[0]), wrapped(data()[0])) < 80
