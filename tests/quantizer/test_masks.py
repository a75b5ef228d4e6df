"""Masks that write -inf, -1e9 and the like are no part of a range, in the simulation, on integers and in ONNX."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import LinearQATQuantizer, LSQQuantizer, PostTrainingQuantizer, slot_agreement
from qprep.runtime_modules import AMax, EltwiseAdd, EltwiseMul, EltwiseSub, MaskedFill, MatMul, Where
from tests.quantizer.models import snr
from tests.quantizer.test_integer import calibrated, image

LENGTH = 6
CAUSAL = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)


class Attention(nn.Module):
    """One head; `way` and `number` are how later places are masked, and by what."""

    additive: Tensor

    def __init__(self, way: str, number: float) -> None:
        super().__init__()
        self.way, self.number = way, number
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))
        self.score, self.mix, self.scale = MatMul(), MatMul(), EltwiseMul()
        self.fill, self.where, self.add, self.softmax = MaskedFill(), Where(), EltwiseAdd(), nn.Softmax(-1)
        self.register_buffer("additive", torch.zeros(LENGTH, LENGTH).masked_fill(CAUSAL, number))

    def forward(self, x: Tensor) -> Tensor:
        scores = self.scale(self.score(self.query(x), self.key(x).transpose(-2, -1)), 8**-0.5)
        if self.way == "fill":
            scores = self.fill(scores, CAUSAL, self.number)
        elif self.way == "where":
            scores = self.where(CAUSAL, self.number, scores)
        else:
            scores = self.add(scores, self.additive)
        return self.mix(self.softmax(scores), self.value(x))  # type: ignore[no-any-return]


WAYS = [(way, number) for way in ("fill", "where", "add") for number in (-math.inf, torch.finfo().min, -1e9, -1e4)]
EVERY = pytest.mark.parametrize(("way", "number"), [*WAYS, ("add", -100.0), ("fill", -10.0)])


def attention(way: str, number: float) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return Attention(way, number).eval(), 2 * image(4, LENGTH, 8)


@EVERY
def test_ranges_are_those_of_what_is_not_masked(way: str, number: float) -> None:
    model, x = attention(way, number)
    quantizer = calibrated(model, x)
    converted = quantizer.convert()
    assert snr(model(x), converted(x)) > 30
    ahead = x.clone()
    ahead[:, -1] += 5
    assert torch.equal(converted(x)[:, :-1], converted(ahead)[:, :-1])  # what is masked has no weight at all
    assert max(abs(float(each.scale)) for each in quantizer.quantizers if each.scale.dim() == 0) < 1


@EVERY
def test_integers_and_onnx(way: str, number: float, tmp_path: Path) -> None:
    model, x = attention(way, number)
    quantizer = calibrated(model, x)
    integer = quantizer.to_integer()
    assert not integer.islands
    assert all(each.levels <= 1 for each in slot_agreement(quantizer.convert(), integer, x))
    onnxruntime = pytest.importorskip("onnxruntime")
    quantizer.export_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert snr(quantizer.convert()(x), torch.from_numpy(found)) > 30


def test_training() -> None:
    model, x = attention("fill", -math.inf)
    expected = model(x)
    quantizer = LSQQuantizer(model)
    quantizer.prepare_model(x)
    quantizer.model.train()
    quantizer.model(x).square().mean().backward()
    assert snr(expected, quantizer.convert()(x)) > 15


class Added(nn.Module):
    """A mask that the caller gives, as floats, added in two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, LENGTH), nn.Linear(LENGTH, LENGTH)
        self.add, self.again = EltwiseAdd(), EltwiseAdd()
        self.softmax, self.last = nn.Softmax(-1), nn.Softmax(-1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.softmax(self.add(self.first(x), mask))
        return self.last(self.again(self.second(x), mask))  # type: ignore[no-any-return]


@pytest.mark.parametrize("number", [-math.inf, -1e9, -100.0])
def test_masks_that_are_inputs(number: float) -> None:
    torch.manual_seed(0)
    model, x = Added().eval(), image(4, LENGTH, 8)
    mask = torch.zeros(LENGTH, LENGTH).masked_fill(CAUSAL, number)
    quantizer = PostTrainingQuantizer(model)
    quantizer.prepare_model(x, mask)
    quantizer.calibrate([(x, mask)])
    assert snr(model(x, mask), quantizer.convert()(x, mask)) > 30
    integer = quantizer.to_integer()
    assert not integer.islands
    assert snr(model(x, mask), integer(x, mask)) > 30


class Padded(nn.Module):
    """Attention weights; padding is masked as Transformers do it: (1 - mask) times the lowest number."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.add, self.sub, self.mul = nn.Linear(8, LENGTH), EltwiseAdd(), EltwiseSub(), EltwiseMul()
        self.softmax = nn.Softmax(-1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        far = self.mul(self.sub(1.0, mask[:, None].to(x.dtype)), torch.finfo(x.dtype).min)
        return self.softmax(self.add(self.fc(x), far))  # type: ignore[no-any-return]


@pytest.mark.parametrize("padding", [0, 2])
@pytest.mark.parametrize("method", [PostTrainingQuantizer, LSQQuantizer, LinearQATQuantizer])
def test_masks_of_numbers(method: Any, padding: int) -> None:
    """Masks are found in examples with and without padding."""
    torch.manual_seed(0)
    model, x = Padded().eval(), image(4, LENGTH, 8)
    mask = torch.ones(4, LENGTH, dtype=torch.long)
    example = mask.clone()
    example[:, LENGTH - padding :] = 0
    mask[:, -2:] = 0
    expected = model(x, mask)
    quantizer = method(model)
    quantizer.prepare_model(x, example)
    if method is PostTrainingQuantizer:
        quantizer.calibrate([(x, mask)])
        integer = quantizer.to_integer()
        assert not integer.islands
        assert snr(expected, integer(x, mask)) > 30
    else:
        quantizer.model.train()
        quantizer.model(x, example)
    names = {each.name for each in quantizer.quantizers}
    assert names.isdisjoint({"input 1", "sub", "mul", "add"})
    assert snr(expected, quantizer.convert()(x, mask)) > 15


class Pooled(nn.Module):
    """The largest of what is not padded, or, of all values, with some set to a number among them."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.fc, self.fill, self.pool, self.out = nn.Linear(8, 8), MaskedFill(number), AMax(1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.pool(self.fill(self.fc(x), (x[..., :1] > 1).detach())))  # type: ignore[no-any-return]


@pytest.mark.parametrize("number", [-math.inf, -1e9, 0.0, 0.123])
def test_masks_before_a_maximum(number: float) -> None:
    torch.manual_seed(0)
    model, x = Pooled(number).eval(), image(4, LENGTH, 8)
    quantizer = calibrated(model, x)
    assert snr(model(x), quantizer.convert()(x)) > 30
    integer = quantizer.to_integer()
    assert all(each.levels <= 1 for each in slot_agreement(quantizer.convert(), integer, x))
    slots = {each.name for each in quantizer.quantizers}
    assert ("fill" in slots) == (abs(number) < 1)


def test_infinity_that_no_mask_writes_is_an_error() -> None:
    x = image(4, 8)
    quantizer = PostTrainingQuantizer(nn.Sequential(nn.Linear(8, 8), nn.ReLU()))
    quantizer.prepare_model(x)
    with pytest.raises(QprepError, match="NaN or infinity"):
        quantizer.calibrate([torch.full_like(x, math.inf)])


WRITTEN = ("fill", "where", "add")


class Written(nn.Module):
    """Attention weights times values, with the mask in the model's own code.

    way     how it is masked, and what the scores are multiplied by before: the bits and the scale of their sums
    number  what masks
    """

    additive: Tensor

    def __init__(self, way: str, number: float) -> None:
        super().__init__()
        self.way, self.number = way, number
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))
        self.score, self.mix, self.softmax = MatMul(), MatMul(), nn.Softmax(-1)
        self.register_buffer("additive", torch.zeros(LENGTH, LENGTH).masked_fill(CAUSAL, number))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.query(x), self.key(x), self.value(x)
        scores = query @ key.transpose(-2, -1) if "wide" in self.way else self.score(query, key.transpose(-2, -1))
        scores = scores * 1e-9 if "tiny" in self.way else scores
        if "fill" in self.way:
            scores = scores.masked_fill(CAUSAL, self.number)
        elif "where" in self.way:
            scores = torch.where(CAUSAL, self.number, scores)
        else:
            scores = scores + self.additive
        return scores if "scores" in self.way else self.mix(self.softmax(scores), value)  # type: ignore[no-any-return]


def written(model: nn.Module, x: Tensor, bits: int) -> PostTrainingQuantizer:
    quantizer = PostTrainingQuantizer(model, bits, 8)
    quantizer.prepare_model(x, allow_unprepared=True)
    quantizer.calibrate([x])
    return quantizer


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("number", [-math.inf, -1e9, torch.finfo().min])
@pytest.mark.parametrize(
    "way", ["fill", "where", "add", "wide fill", "wide where", "wide add", "tiny fill", "tiny add"]
)
def test_masks_in_a_models_own_code(way: str, number: float, bits: int) -> None:
    torch.manual_seed(0)
    model, x = Written(way, number).eval(), 2 * image(4, LENGTH, 8)
    quantizer = written(model, x, bits)
    converted = quantizer.convert()
    assert snr(model(x), converted(x)) > 30
    assert snr(converted(x), quantizer.to_integer()(x)) > 50


class OnePiece(nn.Module):
    """torch's attention, whose sums have more than 31 bits if its inputs have 16."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings = settings
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        attend = nn.functional.scaled_dot_product_attention
        return attend(self.query(x), self.key(x), self.value(x), **self.settings)


@pytest.mark.parametrize(
    "settings",
    [{"is_causal": True}, {"attn_mask": ~CAUSAL}, {"attn_mask": torch.zeros(LENGTH, LENGTH).masked_fill(CAUSAL, -1e9)}],
)
def test_attention_of_sixteen_bits(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model, x = OnePiece(**settings).eval(), 2 * image(4, LENGTH, 8)
    quantizer = written(model, x, 16)
    assert snr(quantizer.convert()(x), quantizer.to_integer()(x)) > 50


@pytest.mark.parametrize("number", [-math.inf, -1e9])
def test_masked_scores_as_results(number: float) -> None:
    torch.manual_seed(0)
    model, x = Written("fill scores", number).eval(), 2 * image(4, LENGTH, 8)
    quantizer = written(model, x, 8)
    expected, found = quantizer.convert()(x), quantizer.to_integer()(x)
    assert snr(expected[:, ~CAUSAL], found[:, ~CAUSAL]) > 50
    assert bool((found[:, CAUSAL] < -1e6).all())
