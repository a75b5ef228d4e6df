"""Layers whose weights stay in float while integers go in and out: ONNX Runtime must not quantize those weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from qprep.quantizer import PostTrainingQuantizer
from tests.quantizer.models import snr

onnx: Any = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.quantizer.test_onnx import kinds, run  # noqa: E402  (needs onnxruntime)

SAME = 45.0  # dB: a value may round to the other side by the order of a sum; other weights give 38 at most

MAKERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "convolution": (lambda: nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 8, 1)), (4, 3, 8, 8)),
    "one dimension": (lambda: nn.Sequential(nn.Conv1d(3, 16, 3), nn.Sigmoid(), nn.Conv1d(16, 8, 1)), (4, 3, 12)),
    "transposed": (lambda: nn.Sequential(nn.ConvTranspose2d(3, 16, 2), nn.Conv2d(16, 8, 1)), (4, 3, 8, 8)),
    "rows": (lambda: nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8)), (32, 8)),
    "sequences": (lambda: nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8)), (4, 6, 8)),
}


def uneven(model: nn.Module) -> nn.Module:
    """Channels of different sizes, which one scale for all of them cannot hold."""
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            rows = module.weight.shape[0]
            factors = torch.exp2(torch.randn(rows) * 2).reshape(-1, *[1] * (module.weight.dim() - 1))
            module.weight.data.mul_(factors)
    return model.eval()


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    "settings",
    [
        {"overrides": {"0": {"bits_weights": None}}},
        {"bits_weights": "float16"},
        {"bits_weights": None},
        {"bits_weights": "bfloat16", "backend": "onnxruntime"},
    ],
    ids=["one layer", "float16", "all layers", "bfloat16"],
)
def test_weights_in_float_stay_so_in_onnx_runtime(name: str, settings: dict[str, Any], tmp_path: Path) -> None:
    make, shape = MAKERS[name]
    torch.manual_seed(0)
    model, x = uneven(make()), torch.randn(shape)
    quantizer = PostTrainingQuantizer(model, **settings)
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    quantizer.export_onnx(tmp_path / "a.onnx")
    assert snr(quantizer.convert()(x), run(tmp_path / "a.onnx", x)) > SAME


def test_weights_that_a_hook_computes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = torch.randn(16, 8)
    with pytest.warns(FutureWarning):
        normed: nn.Module = torch.nn.utils.weight_norm(nn.Linear(8, 8))
    model = nn.Sequential(normed, nn.ReLU(), nn.Linear(8, 2)).eval()
    with torch.no_grad():
        model(x)
    quantizer = PostTrainingQuantizer(model)
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    quantizer.export_onnx(tmp_path / "a.onnx")
    assert snr(quantizer.convert()(x), run(tmp_path / "a.onnx", x)) > SAME


def test_layers_with_integer_weights_get_no_clip(tmp_path: Path) -> None:
    x = torch.randn(32, 8)
    quantizer = PostTrainingQuantizer(nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8)).eval())
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    quantizer.export_onnx(tmp_path / "a.onnx")
    assert "Clip" not in kinds(tmp_path / "a.onnx")


def test_a_gate_over_its_whole_range_rounds_as_simulated(tmp_path: Path) -> None:
    """A hardsigmoid of levels over exactly [-3, 3] would give values halfway between two levels of its output."""
    torch.manual_seed(0)
    x = torch.randn(64, 8) * 6
    quantizer = PostTrainingQuantizer(nn.Sequential(nn.Linear(8, 32), nn.Hardsigmoid()).eval())
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    gate = next(each for each in quantizer.quantizers if each.name == "0")
    levels = torch.arange(1.0, 100.0) * float(gate.scale) / 6 * 255 + 127.5
    assert float((levels - levels.floor() - 0.5).abs().min()) > 1e-3
    quantizer.export_onnx(tmp_path / "a.onnx")
    assert snr(quantizer.convert()(x), run(tmp_path / "a.onnx", x)) > SAME
