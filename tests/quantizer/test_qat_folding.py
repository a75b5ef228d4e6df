"""BatchNorm folded into layers in training: what it computes, what it becomes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import LinearQATQuantizer, LSQQuantizer, PACTQuantizer, TQTQuantizer
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer

LAYERS: dict[str, tuple[Any, Any]] = {
    "convolution": (lambda: nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d),
    "with bias": (lambda: nn.Conv2d(3, 4, 3), nn.BatchNorm2d),
    "transposed": (lambda: nn.ConvTranspose2d(3, 4, 3), nn.BatchNorm2d),
    "no weight": (lambda: nn.Conv2d(3, 4, 3), lambda channels: nn.BatchNorm2d(channels, affine=False)),
}


def network(name: str = "convolution") -> nn.Sequential:
    torch.manual_seed(0)
    layer, norm = LAYERS[name]
    model = nn.Sequential(layer(), norm(4), nn.ReLU(), nn.Flatten(), nn.LazyLinear(3))
    model(images())
    if model[1].affine:
        nn.init.uniform_(model[1].weight, -1.5, 1.5)  # type: ignore[arg-type]
        nn.init.normal_(model[1].bias)  # type: ignore[arg-type]
    return model


def images(seed: int = 0) -> Tensor:
    return torch.randn(16, 3, 6, 6, generator=torch.Generator().manual_seed(seed)) + 0.3


def prepared(model: nn.Module, method: type[TrainingQuantizer] = LinearQATQuantizer, **settings: Any) -> Any:
    settings = {"bits_activations": None, "fold_batch_norm": True, **settings}
    quantizer = method(model, torch.optim.SGD(model.parameters(), lr=0.05), **settings)
    quantizer.prepare_model(images())
    quantizer.model.train()
    return quantizer


@pytest.mark.parametrize("name", LAYERS)
def test_with_many_bits_it_trains_as_batch_norm_does(name: str) -> None:
    """16 bits are as good as float: outputs, gradients, running statistics and what is converted agree."""
    model = network(name)
    reference = copy.deepcopy(model).train()
    quantizer = prepared(model, bits_weights=16)
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.05)
    for seed in range(3):
        expected, found = reference(images(seed)), quantizer.model(images(seed))
        assert torch.allclose(expected, found, atol=3e-3)
        for output, its in ((expected, optimizer), (found, quantizer.optimizer)):
            its.zero_grad()
            output.pow(2).mean().backward()
            its.step()
    for one, other in zip(reference[1].buffers(), model[1].buffers(), strict=True):
        assert torch.allclose(one, other, atol=2e-3)
    converted = quantizer.convert()
    assert torch.allclose(converted(images()), reference.eval()(images()), atol=5e-3)
    assert not any(isinstance(each, nn.BatchNorm2d) for each in converted.modules())
    assert torch.allclose(converted(images()), quantizer.model.eval()(images()), atol=1e-5)


@pytest.mark.parametrize("method", [LinearQATQuantizer, LSQQuantizer, TQTQuantizer, PACTQuantizer])
def test_each_method_quantizes_the_folded_weight(method: type[TrainingQuantizer]) -> None:
    quantizer = prepared(network(), method, bits_activations=8, bits_weights=3, granularity_weights="per-tensor")
    for seed in range(3):
        quantizer.optimizer.zero_grad()
        quantizer.model(images(seed)).pow(2).mean().backward()
        quantizer.optimizer.step()
    converted = quantizer.convert()
    assert len(converted[0].module.weight.unique()) <= 8
    found, expected = converted(images()), quantizer.model.eval()(images())
    assert torch.allclose(found, expected, atol=0.02 * float(expected.abs().max()))
    weight = next(slot for slot in quantizer.report([images()], sensitivity=False).slots if slot.name == "0.weight")
    assert weight.high == pytest.approx(float(quantizer.values_of(quantizer.model[0].module.weight).max()), rel=1e-5)


def test_frozen_statistics_stay_and_only_the_shift_is_left() -> None:
    model = network()
    quantizer = prepared(model, bits_weights=16)
    quantizer.model(images())
    quantizer.freeze_batch_norm()
    before = copy.deepcopy(list(model[1].buffers()))
    model.train()
    found = quantizer.model(images(1) * 3)
    assert all(torch.equal(one, other) for one, other in zip(before, model[1].buffers(), strict=True))
    assert torch.allclose(found, quantizer.convert()(images(1) * 3), atol=1e-4)
    with pytest.raises(QprepError, match="nothing folded"):
        prepared(network(), fold_batch_norm=False).freeze_batch_norm()


def test_a_channel_without_scale_gives_its_shift_and_keeps_statistics() -> None:
    model = network()
    with torch.no_grad():
        model[1].weight[2] = 0  # type: ignore[operator]
    quantizer = prepared(model, bits_weights=8)
    before = copy.deepcopy(model[1].running_var)
    found = quantizer.model[:2](images())
    assert torch.allclose(found[:, 2], model[1].bias[2].expand_as(found[:, 2]))  # type: ignore[index]
    assert model[1].running_var[2] == before[2]  # type: ignore[index]
    assert model[1].running_var[0] != before[0]  # type: ignore[index]
    found.sum().backward()
    assert torch.isfinite(model[1].weight.grad).all()  # type: ignore[arg-type]


def test_the_integers_are_those_of_the_folded_model() -> None:
    quantizer = prepared(network(), bits_activations=8, bits_weights=8)
    quantizer.model(images())
    expected = quantizer.convert()(images())
    assert torch.allclose(quantizer.to_integer()(images()), expected, atol=0.02 * float(expected.abs().max()))


def test_folded_models_are_saved_and_go_on_training(tmp_path: Path) -> None:
    quantizer = prepared(network(), LSQQuantizer, bits_activations=8, bits_weights=4)
    quantizer.model(images()).pow(2).mean().backward()
    quantizer.optimizer.step()
    quantizer.save(tmp_path / "model.pt")
    loaded = LSQQuantizer.load(tmp_path / "model.pt", network(), images())
    assert loaded.fold_batch_norm
    assert torch.equal(loaded.convert()(images()), quantizer.convert()(images()))
    assert torch.equal(loaded.model.train()(images(1)), quantizer.model.train()(images(1)))
