"""Static, dynamic and weight-only quantization, and what a quantizer refuses."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.errors import QprepError
from qprep.quantizer import (
    DynamicQuantizer,
    NotPreparedError,
    PostTrainingQuantizer,
    QuantizedModule,
    Quantizer,
    Settings,
    WeightOnlyQuantizer,
    register,
)
from qprep.quantizer.estimators import ESTIMATORS
from qprep.quantizer.registry import unregister
from qprep.quantizer.tensor_quantizers import TensorQuantizer
from qprep.runtime_modules import GRU, LSTM, EltwiseAdd, MultiheadAttention, another
from tests.quantizer.models import TiedDecoder, TwoInputs, mlp, snr

EIGHT: dict[str, Any] = {"bits_activations": 8, "bits_weights": 8}


def data(number: int = 4, *shape: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(*(shape or (32, 8)), generator=generator) for _ in range(number)]


def calibrated(model: nn.Module, batches: list[Tensor], **settings: Any) -> PostTrainingQuantizer:
    quantizer = PostTrainingQuantizer(model, **{**EIGHT, **settings})
    quantizer.prepare_model(batches[0])
    quantizer.calibrate(batches)
    return quantizer


@pytest.mark.parametrize("estimator", sorted(ESTIMATORS))
def test_static_is_close_to_float(estimator: str) -> None:
    model, batches = mlp(), data()
    converted = calibrated(model, batches, estimator_activations=estimator).convert()
    # Samples of 8 values and batches of 256: their average extremes, and entropy, clip much of these.
    least = {"average": 8, "entropy": 8}.get(estimator, 20)
    assert snr(model(batches[0]), converted(batches[0])) > least


def test_more_bits_cost_less() -> None:
    model, batches = mlp(), data()
    found = [
        snr(model(batches[0]), calibrated(model, batches, bits_activations=b, bits_weights=b).convert()(batches[0]))
        for b in (2, 4, 8, 12, 16)
    ]
    assert found == sorted(found)
    assert found[-1] - found[-2] == pytest.approx(24, abs=4)  # 6 dB a bit


def test_the_model_given_stays_as_it_is() -> None:
    model, batches = mlp().train(), data()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    calibrated(model, batches).convert()
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [type(each) for each in model] == [nn.Linear, nn.ReLU, nn.Linear]


def test_converted_weights_are_on_the_grid_and_results_equal_the_simulation() -> None:
    batches = data()
    quantizer = calibrated(mlp(), batches, bits_weights=3)
    converted = quantizer.convert()
    for row in converted[0].module.weight:  # type: ignore[index]
        assert len(row.unique()) <= 7
    assert torch.equal(converted(batches[1]), quantizer.model(batches[1]))


def test_outputs_are_on_the_grid() -> None:
    batches = data()
    converted = calibrated(mlp(), batches, bits_activations=4).convert()
    assert len(converted(batches[2]).unique()) <= 16


def test_overrides_reach_modules() -> None:
    batches = data()
    quantizer = calibrated(mlp(), batches, overrides={"2": {"bits_weights": 4, "bits_activations": None}})
    bits = {each.name: each.spec.bits for each in quantizer.quantizers}
    assert bits == {"input 0": 8, "0.weight": 8, "1": 8, "2.weight": 4}


def test_overrides_reach_single_parameters() -> None:
    quantizer = WeightOnlyQuantizer(LSTM(8, 4, 2), overrides={r".*_l0": {"bits_weights": 16}})
    quantizer.prepare_model(torch.randn(3, 1, 8))
    bits = {each.name: each.spec.bits for each in quantizer.quantizers}
    assert bits == {"weight_ih_l0": 16, "weight_hh_l0": 16, "weight_ih_l1": 8, "weight_hh_l1": 8}


def test_half_precision_slots() -> None:
    model, batches = mlp(), data()
    converted = calibrated(model, batches, bits_activations="bfloat16", bits_weights="float16").convert()
    assert 35 < snr(model(batches[0]), converted(batches[0])) < 70


def test_groups() -> None:
    model, batches = mlp(), data()
    narrow = calibrated(model, batches, bits_weights=3).convert()
    grouped = calibrated(model, batches, bits_weights=3, granularity_weights="per-group", group_size=4).convert()
    assert snr(model(batches[0]), grouped(batches[0])) > snr(model(batches[0]), narrow(batches[0]))


def test_dynamic_takes_each_batchs_range() -> None:
    model = mlp()
    quantizer = DynamicQuantizer(model, **EIGHT)
    quantizer.prepare_model(data()[0])
    converted = quantizer.convert()
    for factor in (1e-3, 1.0, 1e3):
        batch = data()[1] * factor
        assert snr(model(batch), converted(batch)) > 30
    assert len(converted(data()[0]).unique()) > 100  # results are float


def test_dynamic_leaves_what_has_no_weights() -> None:
    quantizer = DynamicQuantizer(TwoInputs(), **EIGHT)
    quantizer.prepare_model(data()[0], skip=data()[1])
    assert [each.name for each in quantizer.quantizers] == ["fc.weight", "input 0"]


def test_weight_only_leaves_activations() -> None:
    model, batches = mlp(), data()
    quantizer = WeightOnlyQuantizer(model, bits_weights=4)
    quantizer.prepare_model(batches[0])
    assert [each.name for each in quantizer.quantizers] == ["0.weight", "2.weight"]
    assert 15 < snr(model(batches[0]), quantizer.convert()(batches[0])) < 35


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_recurrent_stages_have_ranges_of_their_own(kind: type[nn.Module]) -> None:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = kind(8, 12)
            self.fc = nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.rnn(x)[0])  # type: ignore[no-any-return]

    torch.manual_seed(0)
    model, batches = Tagger(), data(3, 6, 4, 8)
    quantizer = calibrated(model, batches)
    names = [each.name for each in quantizer.quantizers]
    assert any(name.startswith("rnn.stages") for name in names)
    assert {"rnn.weight_ih_l0", "rnn.weight_hh_l0", "fc.weight"} <= set(names)
    assert snr(model(batches[0]), quantizer.convert()(batches[0])) > 25


def test_attention() -> None:
    class Attend(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = MultiheadAttention(8, 2, batch_first=True)
            self.norm = nn.LayerNorm(8)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.attention(x, x, x, need_weights=False)[0])  # type: ignore[no-any-return]

    torch.manual_seed(0)
    model, batches = Attend(), data(3, 2, 5, 8)
    quantizer = calibrated(model, batches)
    assert "attention.in_proj_weight" in {each.name for each in quantizer.quantizers}
    assert snr(model(batches[0]), quantizer.convert()(batches[0])) > 20


def test_tied_weights_are_quantized_once() -> None:
    tokens = torch.randint(20, (4, 6))
    torch.manual_seed(0)
    model = TiedDecoder()
    quantizer = PostTrainingQuantizer(model, bits_weights=4, bits_activations=8)
    quantizer.prepare_model(tokens)
    quantizer.calibrate([tokens])
    assert [each.name for each in quantizer.quantizers].count("embed.weight") == 1
    converted = quantizer.convert()
    assert torch.equal(converted(tokens), quantizer.model(tokens))
    held: Tensor = converted.embed.module.weight  # type: ignore[assignment, union-attr]
    assert all(len(row.unique()) <= 15 for row in held)


def test_another_instance_of_a_layer_shares_its_quantized_weight() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(8, 8)
            self.second = another(self.first)

        def forward(self, x: Tensor) -> Tensor:
            return self.second(self.first(x))  # type: ignore[no-any-return]

    torch.manual_seed(0)
    model, batches = Twice(), data()
    quantizer = calibrated(model, batches)
    assert torch.equal(quantizer.convert()(batches[0]), quantizer.model(batches[0]))
    assert snr(model(batches[0]), quantizer.model(batches[0])) > 30


def test_keywords_tuples_lists_and_numbers_pass() -> None:
    model = TwoInputs()
    quantizer = PostTrainingQuantizer(model, **EIGHT)
    x, skip = data(2)
    quantizer.prepare_model(x, skip=skip)
    quantizer.calibrate([{"x": x, "skip": skip, "label": 3}])
    converted = quantizer.convert()
    out = converted(x, skip=skip)
    assert out["number"] == 3
    assert snr(model(x, skip=skip)["pair"][0], out["pair"][0]) > 30
    assert converted(x, 1.5)["pair"][0].shape == x.shape  # a number where a tensor was


def test_labels_in_batches_are_left_out() -> None:
    quantizer = PostTrainingQuantizer(mlp(), **EIGHT)
    quantizer.prepare_model(data()[0])
    quantizer.calibrate([(batch, torch.zeros(32)) for batch in data()])
    assert quantizer.notes == []


def test_float_state_dict_loads() -> None:
    batches = data()
    quantizer = calibrated(mlp(0), batches)
    quantizer.model.load_state_dict(mlp(1).state_dict())
    assert torch.equal(quantizer.model[0].module.weight, mlp(1)[0].weight)  # type: ignore[index, arg-type]


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
    assert quantizer.notes == ["seldom: never run in calibration, left in float"]
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


def test_registered_layers_are_one_operation_with_their_own_replacement() -> None:
    class Gate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            return torch.sigmoid(self.inner(x)) * x

    class Closed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.zeros_like(x)

    seen: list[tuple[str, Settings]] = []

    @register(Gate)
    def _closed(module: nn.Module, path: str, settings: Settings) -> nn.Module:
        seen.append((path, settings))
        return Closed()

    try:
        quantizer = PostTrainingQuantizer(nn.Sequential(Gate(), nn.Linear(8, 4)), **EIGHT)
        quantizer.prepare_model(data()[0])
    finally:
        unregister(Gate)
    assert [path for path, _ in seen] == ["0"]
    assert isinstance(quantizer.model[0], Closed)  # type: ignore[index]


def test_a_method_of_its_own_is_a_small_subclass() -> None:
    class Ternary(Quantizer):
        def param_quantization_fn(self, parameter: Tensor, quantizer: TensorQuantizer) -> Tensor:
            reach = 0.7 * parameter.abs().mean()
            kept = parameter.abs() > reach
            return parameter.sign() * kept * (parameter.abs() * kept).sum() / kept.sum()

    model = mlp()
    expected = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    quantizer = Ternary(model, optimizer, bits_weights=2)
    quantizer.prepare_model(data()[0])
    assert len(model[0].module.weight.unique()) == 3  # type: ignore[union-attr, operator]
    assert torch.equal(model[0].module.bias, expected[0].bias)  # type: ignore[union-attr, arg-type]
    assert len(optimizer.param_groups) == 1


def test_subclasses_match_their_nearest_base() -> None:
    class Special(nn.Linear):
        pass

    class Once(Quantizer):
        pass

    quantizer = Once(nn.Sequential(Special(8, 8), nn.Linear(8, 8), EltwiseAdd()), bits_weights=8)
    made: list[str] = []

    def note(kind: str) -> Any:
        def remember(module: nn.Module, path: str, settings: Settings) -> nn.Module:
            made.append(f"{kind} {path}")
            return module

        return remember

    quantizer.replacement_factory |= {nn.Module: note("any"), nn.Linear: note("linear")}
    model = quantizer.model
    quantizer.model = model[:2]  # type: ignore[index]
    quantizer.prepare_model(data()[0])
    assert made == ["linear 0", "linear 1"]
