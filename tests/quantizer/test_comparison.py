"""convert, to_integer and export_onnx refuse, with the slot's name, where simulation, integers and runtime differ."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import Edge, PostTrainingQuantizer, Quantizer, Spec, TensorQuantizer
from qprep.quantizer.backends.comparison import Difference, SlotSeen, first_difference
from qprep.quantizer.formats.affine import QParams
from tests.quantizer.models import mlp, snr


def data() -> Tensor:
    return torch.randn(32, 8, generator=torch.Generator().manual_seed(4))


class Fifths(TensorQuantizer):
    """Levels of 0.2, and says so."""

    sign = 1.0

    @property
    def grid(self) -> QParams:
        return QParams(torch.tensor(0.2 * self.sign), torch.zeros((), dtype=torch.int32), -128, 127)

    def quantize(self, input: Tensor) -> Tensor:
        return input + ((input * 5).round().clamp(-128, 127) / 5 - input).detach()


class Negative(Fifths):
    """The same with a step below zero, as an optimizer may leave it."""

    sign = -1.0


class Silent(TensorQuantizer):
    """Levels that are not evenly spaced, and nothing said of them."""

    def quantize(self, input: Tensor) -> Tensor:
        return input.sign() * input.abs().clamp(min=2.0**-6).log2().round().exp2()


class WithForm(Silent):
    """The same with an ONNX form of its own."""

    wrong = 1.0

    def onnx_form(self, builder: Any, name: str) -> str:
        floor = builder.op("Max", [builder.op("Abs", [name]), builder.constant(2.0**-6, np.float32)])
        exponent = builder.op("Div", [builder.op("Log", [floor]), builder.constant(np.log(2.0), np.float32)])
        power = builder.op("Pow", [builder.constant(2.0, np.float32), builder.op("Round", [exponent])])
        scaled = builder.op("Mul", [power, builder.constant(self.wrong, np.float32)])
        return str(builder.op("Mul", [builder.op("Sign", [name]), scaled]))


class WrongForm(WithForm):
    wrong = 1.5


class Moody(Fifths):
    """Gives something else each time."""

    times = 0

    def quantize(self, input: Tensor) -> Tensor:
        Moody.times += 1
        return super().quantize(input) * (1 + Moody.times % 2)


def quantizer_with(kind: type[TensorQuantizer]) -> Quantizer:
    class Own(Quantizer):
        def make_activation_quantizer(self, edge: Edge, spec: Spec, name: str) -> TensorQuantizer:
            return kind(name, spec) if name == "1" else Fifths(name, spec)

    made = Own(mlp(), bits_activations=8, bits_weights=8)
    made.prepare_model(data())
    return made


def test_grids_that_are_declared_are_used(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    made = quantizer_with(Fifths)
    made.export_onnx(tmp_path / "model.onnx")
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"))
    (found,) = session.run(None, {session.get_inputs()[0].name: data().numpy()})
    assert snr(made.convert()(data()), torch.from_numpy(found)) > 40
    assert snr(made.convert()(data()), made.to_integer()(data())) > 40


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Silent, r"on its grid for (ONNX|integers) at 1, found others: Silent has to override `grid`"),
        (Negative, r"expected a positive scale at 1, found -0.2"),
    ],
)
def test_grids_that_say_something_else_are_refused(kind: type[TensorQuantizer], message: str, tmp_path: Path) -> None:
    made = quantizer_with(kind)
    made.convert()
    with pytest.raises(QprepError, match=message):
        made.to_integer()
    with pytest.raises(QprepError, match=message):
        made.export_onnx(tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_a_method_brings_a_form_of_its_own(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    made = quantizer_with(WithForm)
    made.export_onnx(tmp_path / "model.onnx")
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"))
    (found,) = session.run(None, {session.get_inputs()[0].name: data().numpy()})
    assert snr(made.convert()(data()), torch.from_numpy(found)) > 40


def test_a_form_that_computes_something_else_is_refused_with_the_first_slot(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    made = quantizer_with(WrongForm)
    # the form has no integers of its own: the first slot behind it has
    with pytest.raises(QprepError, match=r"expected the results of ONNX Runtime to equal the simulation .* at 2: "):
        made.export_onnx(tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
    made.export_onnx(tmp_path / "model.onnx", check=False)
    assert (tmp_path / "model.onnx").exists()


def test_a_quantizer_that_gives_another_result_is_refused_by_convert() -> None:
    made = quantizer_with(Moody)
    with pytest.raises(
        QprepError, match=r"expected the converted model to equal the prepared one in evaluation .* at 1: "
    ):
        made.convert()
    made.convert(check=False)


def test_integers_that_differ_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from qprep.quantizer.backends.integer import integer_model

    made = PostTrainingQuantizer(mlp())
    made.prepare_model(data())
    made.calibrate([data()])
    right = integer_model._on_grid

    def doubled(slot: TensorQuantizer, parameter: Any) -> Any:
        reader, kept = right(slot, parameter)
        reader.scale.mul_(2)
        return reader, kept

    made.to_integer()
    monkeypatch.setattr(integer_model, "_on_grid", doubled)
    with pytest.raises(QprepError, match=r"expected the integers to equal the simulation .* at 1: "):
        made.to_integer()


class Scaled(nn.Module):
    """Its result is computed behind the last slot."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) * 3  # type: ignore[no-any-return]


def test_results_that_differ_behind_the_last_slot_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from qprep.quantizer.backends.integer import integer_elementwise

    made = PostTrainingQuantizer(Scaled())
    made.prepare_model(data(), allow_unprepared=True)
    made.calibrate([data()])
    right = integer_elementwise.times
    made.to_integer()
    monkeypatch.setattr(integer_elementwise, "times", lambda tensor, factor: right(tensor, factor * 2))
    with pytest.raises(QprepError, match=r"expected the integer model to equal the simulation .* the model's output: "):
        made.to_integer()


def test_large_results_are_compared_and_masked_ones_are_not() -> None:
    from qprep.quantizer.backends.integer.integer_model import _unmasked

    right, found = torch.tensor([-math.inf, -1e9, 1e6, -1e9]), torch.tensor([-1e8, -3e7, 2e6, 0.0])
    expected = torch.tensor([0.0, 0.0, 1e6, -1e9]), torch.tensor([0.0, 0.0, 2e6, 0.0])
    for each, other in zip(_unmasked(right, found), expected, strict=True):
        assert torch.equal(each, other)


def test_what_a_difference_is() -> None:
    right = torch.tensor([1.0, -2.0, 0.5])
    assert Difference.of(SlotSeen("a", right), right).decibels == float("inf")
    level = Difference.of(SlotSeen("a", right, 0.5), right + torch.tensor([0.5, 0.0, 0.0]))
    assert (level.levels, round(level.decibels, 2)) == (1.0, 13.22)
    hidden = torch.tensor([1.0, float("-inf"), 0.5])
    assert Difference.of(SlotSeen("a", hidden), hidden).levels == 0
    assert Difference.of(SlotSeen("a", hidden), right).decibels == float("-inf")
    found = first_difference(
        [SlotSeen("a", right), SlotSeen("b", right)], [SlotSeen("b", -right), SlotSeen("a", right)]
    )
    assert found is not None
    assert found[0] == "b"


class Stateful(nn.Module):
    """Runs differently when it is run in training."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.norm = nn.Linear(8, 8), nn.BatchNorm1d(8)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.fc(x))  # type: ignore[no-any-return]


def test_comparing_leaves_models_as_they_were() -> None:
    from qprep.quantizer import LinearQATQuantizer

    made = LinearQATQuantizer(Stateful(), None)
    made.prepare_model(data())
    made.model.train()
    made.model(data())
    before = {name: each.clone() for name, each in made.model.state_dict().items()}
    seed = torch.get_rng_state()
    made.convert()
    made.to_integer()
    assert torch.equal(torch.get_rng_state(), seed)
    assert all(module.training for module in made.model.modules())
    assert all(torch.equal(each, before[name]) for name, each in made.model.state_dict().items())
