"""Slots of operations beside weights and outputs: what is read, sums of products; and what has inner stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.quantizer import DynamicQuantizer, LSQQuantizer, PostTrainingQuantizer, WeightOnlyQuantizer
from qprep.quantizer.formats.affine import fake_quantize
from qprep.quantizer.formats.tensor_quantizers import ActivationQuantizer
from qprep.runtime_modules import LSTM, AffineMap, EltwiseAdd, EltwiseMul, another
from tests.quantizer.models import mlp, snr
from tests.quantizer.test_integer import Attend, Lookup, Tagger, calibrated, image, levels_apart, tokens

SUMS: dict[str, Any] = {"bits_accumulator": 16, "bits_bias": 16}


def different(values: Tensor) -> int:
    return len(set(values.flatten().tolist()))


def names(quantizer: PostTrainingQuantizer) -> list[str]:
    return [each.name for each in quantizer.quantizers]


class Called(nn.Module):
    """Layers whose weights come from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.again = another(self.first)
        self.call = AffineMap()
        self.weight, self.bias = nn.Parameter(torch.randn(4, 8)), nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.again(self.first(x)), self.weight, bias=self.bias)  # type: ignore[no-any-return]


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "linear": (mlp, lambda: image(32, 8)),
    "convolutions": (
        lambda: nn.Sequential(nn.Conv2d(8, 6, 3, groups=2), nn.ReLU(), nn.ConvTranspose2d(6, 4, 2), nn.Conv2d(4, 2, 1)),
        image,
    ),
    "given weights": (Called, lambda: image(16, 8)),
}


def test_a_layer_is_taken_as_sums_and_addition_of_its_bias() -> None:
    layer, x = nn.Linear(8, 4), image(16, 8)
    quantizer = calibrated(layer, x, bits_accumulator=4, bits_bias=6)
    assert names(quantizer) == ["weight", "bias", "input 0", "", ".accumulator"]
    slots = {each.name: each for each in quantizer.quantizers}
    weight, bias = (slots[name].quantize(getattr(layer, name).detach()) for name in ("weight", "bias"))
    sums = fake_quantize(slots["input 0"].quantize(x) @ weight.T, slots[".accumulator"].params)
    assert torch.allclose(quantizer.convert()(x), slots[""].quantize(sums + bias))
    assert different((sums / slots[".accumulator"].scale).round()) <= 16


@pytest.mark.parametrize("name", MODELS)
def test_sums_of_sixteen_bits_cost_little_and_of_four_much(name: str) -> None:
    torch.manual_seed(0)
    make, data = MODELS[name]
    model, x = make().eval(), data()
    exact, wide, narrow = (
        snr(model(x), calibrated(model, x, **settings).convert()(x)) for settings in ({}, SUMS, {"bits_accumulator": 4})
    )
    assert wide == pytest.approx(exact, abs=1)
    assert narrow < exact - 6


@pytest.mark.parametrize("name", MODELS)
def test_integers_and_onnx_agree_with_quantized_sums(name: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    make, data = MODELS[name]
    x = data()
    quantizer = calibrated(make(), x, bits_accumulator=8, bits_inputs=6)
    integer = quantizer.to_integer()
    assert levels_apart(quantizer, integer, x) < 1.01
    assert not integer.islands
    quantizer.export_onnx(tmp_path / "model.onnx")
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    found = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])
    expected = quantizer.convert()(x).detach()
    assert float(((found - expected).abs() > 1e-4 * expected.abs().max()).float().mean()) < 0.02


def test_what_a_layer_reads_has_a_format_of_its_own() -> None:
    x = image(32, 8)
    quantizer = calibrated(mlp(), x, overrides={"2": {"bits_inputs": 3, "bits_activations": 8, "bits_weights": 8}})
    (slot,) = (each for each in quantizer.quantizers if each.name == "2.input 0")
    seen: list[Tensor] = []
    converted = quantizer.convert()
    layer: nn.Module = converted[2].module  # type: ignore[index]
    layer.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    converted(x)
    assert slot.spec.bits == 3
    assert 4 < different(seen[0]) <= 8


def test_slots_are_saved_and_reported(tmp_path: Path) -> None:
    x = image(32, 8)
    made = calibrated(mlp(), x, overrides={"0": {"bits_accumulator": 10, "bits_inputs": 5}})
    made.save(tmp_path / "model.pt")
    loaded = PostTrainingQuantizer.load(tmp_path / "model.pt", mlp(3), x)
    assert torch.equal(loaded.convert()(x), made.convert()(x))
    bits = {slot.name: slot.bits for slot in made.report([x]).slots}
    assert (bits["0.accumulator"], bits["0.input 0"]) == (10, 5)


def test_other_methods_have_them_too() -> None:
    x = image(32, 8)
    dynamic = DynamicQuantizer(mlp(), bits_activations=8, bits_weights=8, bits_accumulator=5)
    dynamic.prepare_model(x)
    sums: Any = dynamic.convert()[0].sums["0"]  # type: ignore[index]
    assert different((sums(torch.randn(99)) * 1e6).round()) <= 32
    learned = LSQQuantizer(mlp(), bits_accumulator=6)
    learned.prepare_model(x)
    learned.model.train()
    learned.model(x).sum().backward()
    assert {"0.accumulator", "2.accumulator"} <= {each.name for each in learned.quantizers}
    assert snr(mlp()(x), learned.convert()(x)) > 10
    alone = WeightOnlyQuantizer(mlp(), bits_accumulator=8)
    alone.prepare_model(x)
    assert not any(isinstance(each, ActivationQuantizer) for each in alone.quantizers)


@pytest.mark.parametrize(
    ("model", "x", "expected"),
    [
        (Lookup(), tokens(), {"embed.weight", "embed", "norm.weight", "norm", "fc.weight", "fc"}),
        (
            Attend(),
            image(2, 5, 8),
            {f"attention.stages.{name}" for name in ("query_linear", "score_matmul", "softmax")},
        ),
        (
            Tagger(LSTM),
            image(3, 4, 8),
            {"rnn.stages.l0.input_linear"}
            | {f"rnn.stages.l0.steps.0.{name}" for name in ("hidden_linear", "cell_tanh", "forget_mul", "cell_add")},
        ),
    ],
    ids=["embedding and norm", "attention", "recurrent"],
)
def test_embeddings_norms_and_inner_stages_are_quantized(model: nn.Module, x: Tensor, expected: set[str]) -> None:
    assert expected <= set(names(calibrated(model, x)))


class Scaled(nn.Module):
    """Scales for two levels in a list, shifts in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.other = nn.Linear(8, 8), nn.Linear(8, 8)
        self.scales = nn.ParameterList([torch.rand(8) + 1, torch.rand(8)])
        self.shifts = nn.ParameterDict({"left": torch.randn(8), "right": torch.randn(8)})
        self.muls = nn.ModuleList([EltwiseMul(), EltwiseMul()])
        self.adds = nn.ModuleDict({"left": EltwiseAdd(), "right": EltwiseAdd()})

    def forward(self, x: Tensor) -> list[Tensor]:
        layers = (self.fc, self.other)
        levels = [mul(scale, layer(x)) for mul, scale, layer in zip(self.muls, self.scales, layers, strict=True)]
        assert len(self.scales) == 2
        assert "left" in self.shifts
        return [self.adds[name](level, self.shifts[name]) for name, level in zip(self.shifts, levels, strict=True)]


@pytest.mark.parametrize("method", [PostTrainingQuantizer, WeightOnlyQuantizer, LSQQuantizer])
def test_parameters_in_lists_and_dicts(method: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x = Scaled(), image(16, 8)
    expected = model(x)
    quantizer = method(model)
    quantizer.prepare_model(x)
    if method is LSQQuantizer:
        quantizer.model.train()
        quantizer.model(x)[0].sum().backward()
    else:
        quantizer.calibrate([x])
        assert "scales.0" in names(quantizer)
    for one, other in zip(expected, quantizer.convert()(x), strict=True):
        assert snr(one, other) > 20
    quantizer.save(tmp_path / "model.pt")
    torch.manual_seed(0)
    loaded = method.load(tmp_path / "model.pt", Scaled(), x)
    assert all(map(torch.equal, loaded.convert()(x), quantizer.convert()(x)))
    if method is PostTrainingQuantizer:
        assert not quantizer.to_integer().islands
