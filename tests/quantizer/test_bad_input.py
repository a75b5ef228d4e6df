"""Input that a quantizer rejects, and odd input that it accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.fx
from torch import Tensor, nn
from torch.nn.utils import prune

from qprep.foundation.errors import QprepError
from qprep.quantizer import (
    NotPreparedError,
    PostTrainingQuantizer,
    QuantizedModule,
)
from qprep.runtime_modules import convert_compound
from tests.quantizer.calibration import EIGHT, calibrated, data
from tests.quantizer.models import mlp, snr
from tests.quantizer.test_integer import Tagger, image


class Unprepared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.fc(self.relu(x))) + x  # type: ignore[no-any-return]


def test_the_gate_names_file_line_and_command() -> None:
    with pytest.raises(NotPreparedError) as caught:
        PostTrainingQuantizer(Unprepared(), **EIGHT).prepare_model(data()[0])
    line = Unprepared.forward.__code__.co_firstlineno + 1
    message = str(caught.value)
    assert f"{__file__}:{line}: add in the model (Unprepared)" in message
    assert "relu (ReLU) runs 2 times" in message
    assert f"qprep fix {__file__}" in message
    assert not caught.value.report.is_prepared


def test_built_layers_that_hide_their_stages_can_be_converted() -> None:
    model, x = Tagger(nn.LSTM), image(3, 4, 8)
    with pytest.raises(NotPreparedError, match=r"(?s)nn.LSTM in rnn.*, convert the model \(`qprep"):
        PostTrainingQuantizer(model, **EIGHT).prepare_model(x)
    PostTrainingQuantizer(convert_compound(model), **EIGHT).prepare_model(x)


def test_unprepared_operations_stay_in_float_when_allowed() -> None:
    model, batches = Unprepared(), data()
    quantizer = PostTrainingQuantizer(model, **EIGHT)
    quantizer.prepare_model(batches[0], allow_unprepared=True)
    quantizer.calibrate(batches)
    assert any("add in the model" in note for note in quantizer.notes)
    assert any("relu (ReLU) runs 2 times" in note for note in quantizer.notes)
    assert snr(model(batches[0]), quantizer.convert()(batches[0])) > 30


@pytest.mark.parametrize("model", [3, None, mlp, nn.Linear])
def test_no_module(model: Any) -> None:
    with pytest.raises(QprepError, match="expected an nn.Module to quantize"):
        PostTrainingQuantizer(model)


def test_meta_device() -> None:
    with pytest.raises(QprepError, match="weight on the meta device"):
        PostTrainingQuantizer(nn.Linear(2, 2, device="meta"))


def test_weights_that_hooks_compute() -> None:
    model = mlp()
    prune.l1_unstructured(model[2], "weight", 0.5)  # type: ignore[no-untyped-call]
    with pytest.raises(QprepError, match=r"found 2.weight computed from parameters: .*prune.remove"):
        PostTrainingQuantizer(model, **EIGHT)
    prune.remove(model[2], "weight")  # type: ignore[no-untyped-call]
    calibrated(model, data())


def test_second_prepare_model() -> None:
    quantizer = PostTrainingQuantizer(mlp(), **EIGHT)
    quantizer.prepare_model(data()[0])
    with pytest.raises(QprepError, match="found a second"):
        quantizer.prepare_model(data()[0])


def test_order_of_calls() -> None:
    quantizer = PostTrainingQuantizer(mlp(), **EIGHT)
    with pytest.raises(QprepError, match="expected prepare_model before"):
        quantizer.calibrate(data())
    with pytest.raises(QprepError, match="expected prepare_model before"):
        quantizer.convert()
    quantizer.prepare_model(data()[0])
    with pytest.raises(QprepError, match="expected calibrate before convert"):
        quantizer.convert()


@pytest.mark.parametrize("loader", [[], [torch.empty(0, 8)], iter(())])
def test_no_data(loader: Any) -> None:
    quantizer = PostTrainingQuantizer(mlp(), **EIGHT)
    quantizer.prepare_model(data()[0])
    with pytest.raises(QprepError, match="expected data to calibrate with"):
        quantizer.calibrate(loader)


def test_an_empty_batch_among_others_is_nothing() -> None:
    quantizer = calibrated(mlp(), data())
    with_empty = calibrated(mlp(), [*data(), torch.empty(0, 8)])
    assert torch.equal(quantizer.convert()(data()[0]), with_empty.convert()(data()[0]))
    assert quantizer.convert()(torch.empty(0, 8)).shape == (0, 4)


@pytest.mark.parametrize("batch", ["text", 3, None, ()])
def test_batches_of_another_kind(batch: Any) -> None:
    quantizer = PostTrainingQuantizer(mlp(), **EIGHT)
    quantizer.prepare_model(data()[0])
    with pytest.raises(QprepError, match="batch"):
        quantizer.calibrate([batch])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_named(value: float) -> None:
    quantizer = PostTrainingQuantizer(mlp(), **EIGHT)
    quantizer.prepare_model(data()[0])
    with pytest.raises(QprepError, match="NaN or infinity, at the output of input 0"):
        quantizer.calibrate([torch.full((2, 8), value)])
    broken = mlp()
    nn.init.constant_(broken[2].weight, value)  # type: ignore[arg-type]
    with pytest.raises(QprepError, match="NaN or infinity, at the output of 2"):
        calibrated(broken, data())


@pytest.mark.parametrize("value", [0.0, 3.5, -2.0])
def test_constant_tensors_are_exact(value: float) -> None:
    model = nn.Sequential(nn.Identity(), nn.ReLU(), nn.Hardtanh(-9, 9))
    batch = torch.full((4, 8), value)
    assert torch.allclose(calibrated(model, [batch]).convert()(batch), model(batch), atol=1e-6)


def test_integer_inputs() -> None:
    class Pixels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x.float())  # type: ignore[no-any-return]

    batches = [torch.randint(256, (16, 8)) for _ in range(3)]
    model = Pixels()
    assert snr(model(batches[0]), calibrated(model, batches).convert()(batches[0])) > 30


def test_a_layer_that_calibration_never_runs_stays_in_float() -> None:
    class Either(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.often, self.seldom = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: Tensor, seldom: bool = False) -> Tensor:
            y: Tensor = self.often(x)
            return self.seldom(y) if seldom else y

    batches = data()
    quantizer = PostTrainingQuantizer(Either(), **EIGHT)
    quantizer.prepare_model(batches[0], True)
    quantizer.calibrate([(batch, False) for batch in batches])
    assert quantizer.notes == ["seldom: did not run in calibration; it stays in float"]
    assert torch.isfinite(quantizer.convert()(batches[0], True)).all()


def test_calibration_in_training_mode_is_calibration_in_evaluation_mode() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 4)).train()
    quantizer = PostTrainingQuantizer(model, **EIGHT)
    quantizer.prepare_model(data()[0])
    quantizer.model.train()
    quantizer.calibrate(data())
    model.eval()
    assert snr(model(data()[0]), quantizer.convert()(data()[0])) > 30


def test_the_model_may_be_one_layer() -> None:
    model = nn.Linear(8, 4)
    converted = calibrated(model, data()).convert()
    assert isinstance(converted, QuantizedModule)
    assert converted.out_features == 4
    assert snr(model(data()[0]), converted(data()[0])) > 30


@pytest.mark.parametrize(
    ("batch", "found"),
    [
        (torch.randn(4, 7), "batch 1 of float32 (4, 7): mat1 and mat2 shapes cannot be multiplied"),
        (torch.randn(4, 8).double(), "batch 1 of float64 (4, 8): mat1 and mat2 must have the same dtype"),
        (torch.ones(4, 8, dtype=torch.int64), "batch 1 of int64 (4, 8): mat1 and mat2 must have the same dtype"),
    ],
)
def test_batches_that_the_model_does_not_run_on(batch: Tensor, found: str) -> None:
    quantizer = PostTrainingQuantizer(mlp())
    quantizer.prepare_model(data(1)[0])
    with pytest.raises(QprepError) as caught:
        quantizer.calibrate([data(1)[0], batch])
    assert str(caught.value).startswith(f"expected batches that the model runs on, found {found}")


def test_example_inputs_that_the_model_does_not_run_on() -> None:
    quantizer = PostTrainingQuantizer(mlp(), **EIGHT)
    with pytest.raises(QprepError) as caught:
        quantizer.prepare_model(torch.zeros(2, 3))
    sentence = "expected example inputs that the model runs on, found float32 (2, 3): mat1 and mat2 shapes"
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith("(in 0, a Linear)")
    quantizer.prepare_model(data()[0])


@pytest.mark.parametrize("inside", [False, True])
def test_models_of_torch_jit(inside: bool) -> None:
    scripted = torch.jit.trace(mlp(), data()[0])  # type: ignore[no-untyped-call]
    with pytest.raises(QprepError, match="expected a model before torch.jit, found a ScriptModule at"):
        PostTrainingQuantizer(nn.Sequential(scripted) if inside else scripted, **EIGHT)


class HalfInside(nn.Module):
    """Converts to another type by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8).to(torch.bfloat16), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x.to(torch.bfloat16)).float())  # type: ignore[no-any-return]


def test_a_model_that_does_not_run_in_float32_is_not_exported(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    quantizer = calibrated(HalfInside(), data())
    with pytest.raises(QprepError, match="expected a model that runs in float32 to export it, found HalfInside: mat1"):
        quantizer.export_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_generated_code_has_no_file_to_fix() -> None:
    traced = torch.fx.symbolic_trace(Unprepared())
    with pytest.raises(NotPreparedError) as caught:
        PostTrainingQuantizer(traced, **EIGHT).prepare_model(data()[0])
    assert "\nrun `qprep fix` on the source of the model, or pass allow_unprepared=True" in str(caught.value)


@pytest.mark.parametrize("allowed", [False, True])
def test_loading_an_unprepared_model(tmp_path: Path, allowed: bool) -> None:
    quantizer = PostTrainingQuantizer(Unprepared(), **EIGHT)
    quantizer.prepare_model(data()[0], allow_unprepared=True)
    quantizer.calibrate(data())
    quantizer.save(tmp_path / "file.pt")
    if not allowed:
        with pytest.raises(NotPreparedError):
            PostTrainingQuantizer.load(tmp_path / "file.pt", Unprepared(), data()[0], allow_unprepared=False)
        return
    model = Unprepared()
    model.load_state_dict(quantizer.float_model.state_dict())
    loaded = PostTrainingQuantizer.load(tmp_path / "file.pt", model, data()[0], allow_unprepared=True)
    assert torch.equal(loaded.convert()(data()[0]), quantizer.convert()(data()[0]))
