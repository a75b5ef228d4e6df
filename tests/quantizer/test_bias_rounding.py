"""Biases are multiples of the scales of input and weight in the simulation, as integer runtimes add them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.quantizer import LinearQATQuantizer, LSQQuantizer, PostTrainingQuantizer, Quantizer, TQTQuantizer
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer


def run(quantizer: Quantizer, x: Tensor, folder: Path) -> Tensor:
    runtime = pytest.importorskip("onnxruntime")
    quantizer.export_onnx(folder / "model.onnx")
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(str(folder / "model.onnx"), options)
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])


@pytest.mark.parametrize("bits", [8, 4, 3])
def test_runtime_and_integers_give_the_simulations_levels(bits: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.randn(256, 16)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).eval()
    quantizer = PostTrainingQuantizer(model, bits, bits)
    quantizer.prepare_model(x[:4])
    quantizer.calibrate([x])
    expected, step = quantizer.convert()(x), float(list(quantizer.quantizers)[-1].scale)
    for found in (run(quantizer, x, tmp_path), quantizer.to_integer()(x), quantizer.model(x)):
        assert ((found - expected).abs() > step / 2).float().mean() < 0.002


def test_a_bias_is_a_multiple_of_both_scales() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 8)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    quantizer = PostTrainingQuantizer(model, 4, 4)
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    slots = {each.name: each for each in quantizer.quantizers}
    step = slots["1"].scale * slots["2.weight"].scale
    whole: Any = quantizer.convert()
    converted = whole[2].module
    last: Any = model[2]
    levels = converted.bias.detach() / step
    assert torch.allclose(levels, levels.round(), atol=1e-3)
    assert (converted.bias - last.bias).abs().max() <= 0.501 * step.max()
    assert not torch.equal(converted.bias, last.bias)


@pytest.mark.parametrize("method", [LSQQuantizer, TQTQuantizer, LinearQATQuantizer])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("folded", [True, False])
def test_shifts_of_batchnorm_behind_a_layer(
    method: type[TrainingQuantizer], affine: bool, folded: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    x = torch.randn(16, 3, 8, 8)
    layers = (nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8, affine=affine), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4))
    model = nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    quantizer = method(model, optimizer, 4, 4, fold_batch_norm=folded)
    quantizer.prepare_model(x)
    quantizer.model.train()
    for _ in range(3):
        optimizer.zero_grad()
        quantizer.model(x).pow(2).mean().backward()
        optimizer.step()
    expected, slots = quantizer.convert()(x), {each.name: each for each in quantizer.quantizers}
    step = float(slots["4"].grid.scale)
    assert torch.allclose(quantizer.model.eval()(x), expected, atol=step * 1.01)
    found = run(quantizer, x, tmp_path)
    assert ((found - expected).abs() > step / 2).float().mean() < 0.01
