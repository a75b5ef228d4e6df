"""Every flow on a GPU: where tensors are made, that results are the CPU's, that files go from one to the other."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.quantizer import (
    DynamicQuantizer,
    LAPQQuantizer,
    PostTrainingQuantizer,
    QuantizedModule,
    Quantizer,
    bias_correction,
    collect_statistics,
    cross_layer_equalization,
    slot_agreement,
)
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer
from qprep.quantizer.ranges.estimators import ESTIMATORS
from tests.quantizer.graphs import model as block
from tests.quantizer.models import snr
from tests.quantizer.test_all_methods import METHODS
from tests.quantizer.test_integer import MODELS

DEVICE = "cuda"
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    """Products of float32 are not rounded to TF32, which differs from the CPU's by more than a level."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def on(device: str, value: Any) -> Any:
    """A module or tensor there; modules are copied."""
    return value.to(device) if isinstance(value, Tensor) else copy.deepcopy(value).to(device)


def calibrated(model: nn.Module, x: Tensor, method: Any = PostTrainingQuantizer, **settings: Any) -> Any:
    quantizer = method(model, **settings)
    quantizer.prepare_model(x)
    if isinstance(quantizer, TrainingQuantizer):
        quantizer.model.train()
        quantizer.model(x).square().mean().backward()
    else:
        quantizer.calibrate([x, x / 2 if x.is_floating_point() else x])
    return quantizer


def all_there(model: nn.Module, *, but: tuple[str, ...] = ()) -> None:
    wrong = [name for name, each in model.state_dict().items() if each.device.type != DEVICE and name not in but]
    assert not wrong


def made(name: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    make, data = MODELS[name]
    return make().eval(), data()


@pytest.mark.parametrize("name", MODELS)
def test_calibration_conversion_and_integers(name: str) -> None:
    model, x = made(name)
    here, there = calibrated(model, x), calibrated(on(DEVICE, model), on(DEVICE, x))
    all_there(there.model)
    for one, other in zip(here.quantizers, there.quantizers, strict=True):
        assert torch.allclose(one.scale, other.scale.cpu(), rtol=1e-4), one.name
    converted = there.convert()
    out = converted(on(DEVICE, x))
    assert out.device.type == DEVICE
    assert snr(here.convert()(x), out.cpu()) > 25
    integer = there.to_integer()
    assert all(each.levels <= 1 for each in slot_agreement(converted, integer, on(DEVICE, x)))
    assert integer(on(DEVICE, x)).device.type == "cpu"


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_estimators(estimator: str) -> None:
    model, x = made("block")
    settings = {"estimator_activations": estimator, "estimator_weights": estimator, "bits_weights": 4}
    here, there = calibrated(model, x, **settings), calibrated(on(DEVICE, model), on(DEVICE, x), **settings)
    for one, other in zip(here.quantizers, there.quantizers, strict=True):
        assert torch.allclose(one.scale, other.scale.cpu(), rtol=2e-2), one.name


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_reports_files_and_conversion(method: Any, tmp_path: Path) -> None:
    model, x = made("block")
    quantizer = calibrated(on(DEVICE, model), on(DEVICE, x), method)
    all_there(quantizer.model)
    assert "conv" in str(quantizer.report([on(DEVICE, x)]))
    out = quantizer.convert()(on(DEVICE, x))
    quantizer.save(tmp_path / "model.pt")
    kind = type(quantizer)
    for device in ("cpu", DEVICE):
        loaded = kind.load(tmp_path / "model.pt", on(device, model), on(device, x))
        again = loaded.convert()(on(device, x))
        assert again.device.type == device
        assert snr(out.cpu(), again.cpu()) > 25
    written = torch.load(tmp_path / "model.pt", weights_only=True, map_location="cpu")
    torch.save(written, tmp_path / "cpu.pt")
    assert torch.equal(kind.load(tmp_path / "cpu.pt", on(DEVICE, model), on(DEVICE, x)).convert()(on(DEVICE, x)), out)


@pytest.mark.parametrize(
    "settings",
    [
        {"bits_weights": 4, "granularity_weights": "per-group", "group_size": 2},
        {"scheme_activations": "power-of-two", "scheme_weights": "power-of-two"},
        {"bits_weights": 1, "granularity_weights": "per-tensor"},
        {"bits_activations": "bfloat16", "bits_weights": "float16"},
        {"bits_inputs": 8, "bits_accumulator": 16, "bits_bias": 8},
        {"scheme_weights": "asymmetric", "scheme_activations": "symmetric"},
    ],
    ids=lambda each: " ".join(map(str, each.values())),
)
def test_formats(settings: dict[str, Any]) -> None:
    model, x = made("linear")
    here, there = calibrated(model, x, **settings), calibrated(on(DEVICE, model), on(DEVICE, x), **settings)
    all_there(there.model)
    assert snr(here.convert()(x), there.convert()(on(DEVICE, x)).cpu()) > 20


def test_passes_that_change_the_model() -> None:
    model, x = made("convolutions")

    def through(device: str) -> Any:
        quantizer = PostTrainingQuantizer(on(device, model), bits_weights=6)
        quantizer.passes.insert_after("fold-batch-norm", "equalize", cross_layer_equalization)
        quantizer.passes.insert_after("equalize", "correct", bias_correction([on(device, x)]))
        quantizer.prepare_model(on(device, x))
        quantizer.calibrate([on(device, x)])
        return quantizer.convert()(on(device, x)).cpu()

    assert snr(through("cpu"), through(DEVICE)) > 25


def test_search_of_ranges() -> None:
    pytest.importorskip("scipy")
    model, x = made("linear")
    quantizer = calibrated(on(DEVICE, model), on(DEVICE, x), LAPQQuantizer, bits_weights=4, evaluations=6)
    all_there(quantizer.model)
    assert torch.isfinite(quantizer.convert()(on(DEVICE, x))).all()


def test_statistics(tmp_path: Path) -> None:
    model, x = made("block")
    found = collect_statistics(on(DEVICE, model), [on(DEVICE, x)])
    expected = collect_statistics(model, [x])
    assert found["conv"]["output"]["max"] == pytest.approx(expected["conv"]["output"]["max"], rel=1e-4)
    found.save(tmp_path / "stats.yaml", histograms=True)


@pytest.mark.parametrize("method", [PostTrainingQuantizer, DynamicQuantizer])
def test_onnx(method: type[Quantizer], tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    quantizer = calibrated(on(DEVICE, block()), on(DEVICE, made("block")[1]), method)
    quantizer.export_onnx(tmp_path / "model.onnx")
    all_there(quantizer.model)
    assert (tmp_path / "model.onnx").stat().st_size > 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype) -> None:
    model, x = made("linear")
    half, given = on(DEVICE, model).to(dtype), on(DEVICE, x).to(dtype)
    found = calibrated(half, given).convert()(given)
    assert found.dtype is dtype
    assert snr(model(x), found.float().cpu()) > 20


def test_autocast() -> None:
    model, x = made("linear")
    quantizer = calibrated(on(DEVICE, model), on(DEVICE, x))
    with torch.autocast(DEVICE, torch.bfloat16):
        found = quantizer.convert()(on(DEVICE, x))
    assert snr(model(x), found.float().cpu()) > 20


def test_a_model_moves_with_its_quantizers() -> None:
    model, x = made("lstm")
    quantizer = calibrated(model, x)
    expected = quantizer.convert()(x)
    moved = quantizer.convert().to(DEVICE)
    all_there(moved)
    assert any(isinstance(each, QuantizedModule) for each in moved.modules())
    assert snr(expected, moved(on(DEVICE, x)).cpu()) > 25
