"""`convert(runtime="onnxruntime")` gives the integers of ONNX Runtime, to the last one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import LSQQuantizer, PostTrainingQuantizer
from qprep.quantizer.backends.onnx.export import write_onnx
from qprep.quantizer.formats.tensor_quantizers import ActivationQuantizer
from qprep.quantizer.graph.quantized_module import QuantizedModule
from qprep.runtime_modules import EltwiseMul

pytest.importorskip("onnxruntime")


class OwnConv(nn.Conv2d):
    """Called with its input by keyword."""


class Gate(nn.Module):
    """Squeeze and excitation: a product with one number a channel."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.conv, self.pool, self.mix, self.mul = (
            nn.Conv2d(3, 8, 3),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(8, 8, 1),
            EltwiseMul(),
        )
        self.act, self.first = nn.Sigmoid(), first

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        gate = self.act(self.mix(self.pool(x)))
        return self.mul(gate, x) if self.first else self.mul(x, gate)  # type: ignore[no-any-return]


class ByKeyword(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = OwnConv(3, 16, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(input=x)  # type: ignore[no-any-return]


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "convolution and ReLU": (
        lambda: nn.Sequential(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 16, 1)),
        (4, 3, 24, 24),
    ),
    "depthwise, clamped": (
        lambda: nn.Sequential(nn.Conv2d(3, 12, 3), nn.Hardtanh(-9.0, 9.0), nn.Conv2d(12, 12, 3, groups=12, stride=2)),
        (4, 3, 24, 24),
    ),
    "dilated over time": (lambda: nn.Conv1d(20, 30, 3, padding=2, dilation=2, bias=False), (8, 20, 60)),
    "by keyword": (ByKeyword, (4, 3, 24, 24)),
    "linear": (lambda: nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 50, bias=False)), (200, 30)),
    "linear of tokens": (lambda: nn.Linear(48, 40), (4, 50, 48)),
    "long sums": (lambda: nn.Linear(5000, 30), (64, 5000)),
    "BatchNorm before a pool": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16), nn.ReLU6(), nn.MaxPool2d(2), nn.Conv2d(16, 4, 1)
        ),
        (4, 3, 24, 24),
    ),
    "gate behind": (lambda: Gate(first=False), (8, 3, 24, 24)),
    "gate before": (lambda: Gate(first=True), (8, 3, 24, 24)),
}  # fmt: skip


def calibrated(model: nn.Module, x: Tensor, method: Any = PostTrainingQuantizer, **settings: Any) -> Any:
    """With round scales: then many sums are half a level, where roundings of a float computation show."""
    torch.manual_seed(0)
    quantizer = method(model.eval(), backend="onnxruntime", **settings)
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    for slot in quantizer.quantizers:
        if isinstance(slot, ActivationQuantizer):
            slot.scale.fill_(round(float(slot.scale), 2) or 0.01)
        elif slot.scale.numel() > 1:
            slot.scale.copy_((slot.scale * 1000).round().clamp(min=1) / 1000)
    return quantizer


def apart(model: nn.Module, path: Path, x: Tensor, step: float) -> int:
    """The number of levels that differ between a converted model and its file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        expected = model(x)
    return int((torch.from_numpy(found) / step).round().ne((expected / step).round()).sum())


@pytest.mark.parametrize("name", MODELS)
def test_equal_to_the_last_integer(name: str, tmp_path: Path) -> None:
    build, shape = MODELS[name]
    torch.manual_seed(0)
    model, x = build(), torch.randn(shape) * 2
    quantizer = calibrated(model, x)
    step = float(quantizer.graph.outputs[0].quantizer.scale)
    quantizer.export_onnx(tmp_path / "model.onnx")
    exact = quantizer.convert(runtime="onnxruntime")
    assert any(isinstance(each, QuantizedModule) and each.arithmetic for each in exact.modules())
    for seed in range(3):
        torch.manual_seed(seed)
        given = torch.randn(shape) * 2
        assert apart(exact, tmp_path / "model.onnx", given, step) == 0
        assert apart(copy.deepcopy(exact), tmp_path / "model.onnx", given, step) == 0, "a copy has slots of its own"


def test_float_arithmetic_is_not(tmp_path: Path) -> None:
    build, shape = MODELS["linear of tokens"]
    torch.manual_seed(0)
    model, x = build(), torch.randn(shape) * 2
    quantizer = calibrated(model, x)
    quantizer.export_onnx(tmp_path / "model.onnx")
    step = float(quantizer.graph.outputs[0].quantizer.scale)
    assert apart(quantizer.convert(), tmp_path / "model.onnx", x, step) > 0


def test_trained_models(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3)), torch.randn(4, 3, 20, 20)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    quantizer = LSQQuantizer(model, optimizer, backend="onnxruntime")
    quantizer.prepare_model(x)
    for _ in range(3):
        optimizer.zero_grad()
        quantizer.model(x).square().mean().backward()
        optimizer.step()
    quantizer.export_onnx(tmp_path / "model.onnx")
    exact = quantizer.convert(runtime="onnxruntime")
    slot = quantizer.graph.outputs[0].quantizer
    assert slot is not None
    step = float(slot.grid.scale)
    assert apart(exact, tmp_path / "model.onnx", torch.randn(8, 3, 20, 20), step) == 0


@pytest.mark.parametrize(
    "settings", [{"bits_activations": 16}, {"bits_weights": 4, "granularity_weights": "per-group", "group_size": 16}]
)
def test_what_has_no_integer_kernel_stays_in_float(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model, x = nn.Linear(32, 8), torch.randn(6, 32)
    exact = calibrated(model, x, **settings).convert(runtime="onnxruntime")
    assert not any(isinstance(each, QuantizedModule) and each.arithmetic for each in exact.modules())


def test_a_clamp_within_the_grid_keeps_a_layer_in_float() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1)), torch.randn(4, 3, 9, 9)
    signed = calibrated(model, x, scheme_activations="symmetric").convert(runtime="onnxruntime")
    follows = [each.arithmetic is not None for each in signed.modules() if isinstance(each, QuantizedModule)]
    assert follows == [False, False, True]


def test_another_runtime_is_an_error() -> None:
    torch.manual_seed(0)
    quantizer = calibrated(nn.Linear(4, 4), torch.randn(6, 4))
    with pytest.raises(QprepError, match="expected the runtime 'onnxruntime' or None, found 'tflite'"):
        quantizer.convert(runtime="tflite")


def test_it_is_written_as_the_float_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), torch.randn(4, 3, 20, 20)
    quantizer = calibrated(model, x)
    quantizer.export_onnx(tmp_path / "model.onnx")
    exact = quantizer.convert(runtime="onnxruntime")
    write_onnx(exact, tmp_path / "again.onnx", (x,))
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()
    assert any(isinstance(each, QuantizedModule) and each.arithmetic for each in exact.modules())
