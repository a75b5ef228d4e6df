"""Static, dynamic and weight-only quantization."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from qprep.quantizer import (
    DynamicQuantizer,
    PostTrainingQuantizer,
    WeightOnlyQuantizer,
)
from qprep.quantizer.ranges.estimators import ESTIMATORS
from qprep.runtime_modules import GRU, LSTM, MultiheadAttention, another
from tests.quantizer.calibration import EIGHT, calibrated, data
from tests.quantizer.models import TiedDecoder, TwoInputs, mlp, snr


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
