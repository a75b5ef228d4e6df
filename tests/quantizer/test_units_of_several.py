"""Modules without children that compute more than one operation: what they give is not what the first one gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from qprep.quantizer import Graph, LinearQATQuantizer, PostTrainingQuantizer
from tests.quantizer.models import snr


class ConvReLU(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(super().forward(x))


class LinearReLU(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = super().forward(x)
        return found.relu()


class Standardized(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        mean, deviation = self.weight.mean((1, 2, 3), keepdim=True), self.weight.std((1, 2, 3), keepdim=True)
        return functional.conv2d(x, (self.weight - mean) / (deviation + 1e-5), self.bias)


class Bent(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, torch.tanh(self.weight), self.bias)


def norm(channels: int, kind: type[nn.Module]) -> nn.Module:
    made = kind(channels)
    for name, low, high in (("running_mean", -1.0, 1.0), ("running_var", 0.3, 2.0), ("weight", -1.5, 1.5)):
        with torch.no_grad():
            getattr(made, name).uniform_(low, high)
    return made


def quantized(model: nn.Module, x: Tensor) -> PostTrainingQuantizer:
    quantizer = PostTrainingQuantizer(model.eval(), backend="onnxruntime")
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    return quantizer


def nodes(graph: Graph) -> list[tuple[str, bool]]:
    return [(node.name, node.alone) for node in graph.nodes]


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("dims", [1, 2])
def test_padding_by_other_values_is_not_what_a_convolution_does(mode: str, dims: int, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    kind: Any = (nn.Conv1d, nn.Conv2d)[dims - 1]
    model = nn.Sequential(
        kind(3, 16, 3, padding=1, padding_mode=mode), kind(16, 8, 3, padding=1, padding_mode=mode), kind(8, 4, 1)
    )
    x = torch.randn(4, 3, *[12] * dims)
    quantizer = quantized(model, x)
    assert nodes(quantizer.graph) == [(f"conv{dims}d", True)] * 3
    assert not any(edge.inherits for edge in quantizer.graph.edges), "each result has a grid of its own"
    quantizer.export_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        assert snr(quantizer.convert(runtime="onnxruntime")(x), torch.from_numpy(found)) > 100


@pytest.mark.parametrize(
    ("layer", "kind", "shape"),
    [
        (ConvReLU(3, 8, 3), nn.BatchNorm2d, (8, 3, 9, 9)),
        (LinearReLU(3, 8), nn.BatchNorm1d, (64, 3)),
        (Standardized(3, 8, 3), nn.BatchNorm2d, (8, 3, 9, 9)),
        (Bent(3, 8), nn.BatchNorm1d, (64, 3)),
    ],
)
def test_batch_norm_is_not_folded_into_what_is_not_linear_in_its_weight(
    layer: nn.Module, kind: type[nn.Module], shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(layer, norm(8, kind)).eval(), torch.randn(shape)
    quantizer = quantized(model, x)
    assert [name for name, _ in nodes(quantizer.graph)][-1] == "batch_norm"
    with torch.no_grad():
        assert snr(model(x), quantizer.convert()(x)) > 30
        assert snr(model(x), quantizer.convert(runtime="onnxruntime")(x)) > 30


def test_nor_in_training() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(ConvReLU(3, 8, 3), norm(8, nn.BatchNorm2d)), torch.randn(8, 3, 9, 9)
    expected = model.eval()(x).detach()
    quantizer = LinearQATQuantizer(model, torch.optim.SGD(model.parameters(), 0.0), fold_batch_norm=True)
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    with torch.no_grad():
        assert snr(expected, quantizer.convert()(x)) > 30
