"""Notes name a plan's own decisions: tied parameters, computed weights, tensors below the least scale, kept ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

from qprep.quantizer import LSQQuantizer, PostTrainingQuantizer
from qprep.quantizer.layers import QuantLinear
from qprep.runtime_modules import Concat, MatMul
from tests.quantizer.models import TiedDecoder, snr


@pytest.mark.parametrize("name", ["weight_norm", "spectral_norm"])
def test_computed_weights_are_named(name: str) -> None:
    x = torch.randn(2, 3, 16)
    layer = getattr(parametrizations, name)(nn.Conv1d(3, 8, 3))
    quantizer = PostTrainingQuantizer(nn.Sequential(layer, nn.ReLU()).eval())
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    assert [note for note in quantizer.notes if note.startswith("0.weight: computed in each forward from 0.param")]
    assert "0.weight" in [each.name for each in quantizer.report([x]).in_float]
    assert all("original" not in each.name for each in quantizer.quantizers)


@pytest.mark.parametrize("function", [weight_norm, spectral_norm])
@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
def test_computed_weights_of_the_old_functions(function: Any) -> None:
    model = nn.Sequential(function(nn.Linear(8, 4)), nn.ReLU())
    quantizer = LSQQuantizer(model, torch.optim.SGD(model.parameters(), 0.1))
    quantizer.prepare_model(torch.randn(4, 8))
    assert any(note.startswith("0.weight: computed in each forward from 0.weight_") for note in quantizer.notes)
    assert all(not each.name.startswith("0.weight") for each in quantizer.quantizers)
    quantizer.model(torch.randn(4, 8)).sum().backward()  # from now on the weight is no leaf, which torch does not copy
    x = torch.randn(4, 8)
    assert torch.allclose(quantizer.convert()(x), quantizer.model.eval()(x))


def test_tied_parameters_with_conflicting_overrides() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Embedding(20, 8), nn.Linear(8, 20, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, tokens: Tensor) -> Tensor:
            return self.head(self.embed(tokens))  # type: ignore[no-any-return]

    tokens = torch.randint(20, (2, 5))
    conflicting = {"embed.*": {"bits_weights": 4}, "head.*": {"bits_weights": 8}}
    quantizer = PostTrainingQuantizer(Tied().eval(), overrides=conflicting)
    quantizer.prepare_model(tokens)
    assert quantizer.notes == [
        "embed.weight: overrides conflict for head.weight, the same tensor; the first match is used"
    ]
    half = {"embed.*": {"bits_weights": None}, "head.*": {"bits_weights": 8}}
    quantizer = PostTrainingQuantizer(Tied().eval(), overrides=half)
    quantizer.prepare_model(tokens)
    assert [note for note in quantizer.notes if "overrides conflict for head.weight" in note]
    for agreeing in ({"embed.*": {"bits_weights": 4}}, {"embed.*|head.*": {"bits_weights": 4}}):
        quiet = PostTrainingQuantizer(Tied().eval(), overrides=agreeing)
        quiet.prepare_model(tokens)
        assert quiet.notes == []
    plain = PostTrainingQuantizer(TiedDecoder().eval())
    plain.prepare_model(tokens)
    assert plain.notes == []


def test_tensors_below_the_least_scale() -> None:
    torch.manual_seed(0)
    first = nn.Linear(8, 8)
    model = nn.Sequential(first, nn.Linear(8, 4)).eval()
    with torch.no_grad():
        first.weight.mul_(1e-7)
        first.bias.mul_(1e-7)
    quantizer = PostTrainingQuantizer(model)
    x = torch.randn(16, 8)
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    quantizer.convert(check=False)
    named = {note.partition(":")[0] for note in quantizer.notes if "below the smallest scale" in note}
    assert named == {"0.weight", "0"}


class Attention(nn.Module):
    def __init__(self, behind: nn.Module) -> None:
        super().__init__()
        self.score, self.value, self.soft, self.behind, self.mix = (
            *(nn.Linear(8, 49), nn.Linear(8, 8), nn.Softmax(-1), behind),
            MatMul(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(self.behind(self.soft(self.score(x))), self.value(x))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "behind", [nn.Identity(), nn.Dropout(0.1), nn.Sequential(nn.Dropout(0.1), nn.Dropout(0.2)), nn.ZeroPad1d(0)]
)
def test_softmax_keeps_its_range_behind_a_same_scale_chain(behind: nn.Module, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    x = torch.randn(2, 49, 8) * 0.05
    quantizer = PostTrainingQuantizer(Attention(behind).eval())
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    scales = {each.name: float(each.scale.max()) for each in quantizer.quantizers}
    assert scales["soft"] == pytest.approx(1 / 255)
    quantizer.export_onnx(tmp_path / "model.onnx")
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"))
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert snr(quantizer.convert()(x), torch.from_numpy(found)) > 35


def test_joins_of_fixed_ranges_span_them() -> None:
    class Gates(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.cat, self.fc = nn.Sigmoid(), nn.Tanh(), Concat(dim=1), nn.Linear(16, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.cat([self.a(x), self.b(x)]))  # type: ignore[no-any-return]

    quantizer = PostTrainingQuantizer(Gates().eval())
    x = torch.randn(4, 8) * 0.01
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    assert {each.name: each.range for each in quantizer.quantizers if hasattr(each, "range")}["a"] == (-1.0, 1.0)


def _notes(overrides: dict[str, Any]) -> list[str]:
    model = nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 2))
    )
    quantizer = PostTrainingQuantizer(model.eval(), overrides=overrides)
    quantizer.prepare_model(torch.randn(2, 1, 8, 8))
    return quantizer.notes


@pytest.mark.parametrize(
    ("name", "setting"), [("1", "bits_activations"), ("4", "bits_activations"), ("2", "bits_weights")]
)
def test_overrides_of_formats_that_nothing_has_are_noted(name: str, setting: str) -> None:
    """BatchNorm is folded, flattening quantizes nothing, an activation has no weight."""
    assert _notes({name: {setting: 4}}) == [
        f"the override {name!r} sets {setting}, and nothing that it matches is quantized by it"
    ]


def test_overrides_behind_wider_ones_are_noted() -> None:
    wide = {".*": {"bits_weights": 5}, "0": {"bits_weights": 4}}
    assert _notes(wide) == ["the override '0' is never used: earlier ones match everything that it matches"]
    assert _notes(dict(reversed(wide.items()))) == []


@pytest.mark.parametrize(
    "overrides",
    [
        {"5": {"bits_activations": 4}},
        {"2": {"bits_activations": 4, "bits_weights": None}},
        {"0": {"bits_bias": 16, "bits_weights": 4}},
        {"5.weight": {"bits_weights": 4}},
        {"(?:0|1|2)": {"bits_weights": 4, "bits_activations": 4}},
        {"1": {"bits_activations": None}},
    ],
)
def test_overrides_that_count_are_not_noted(overrides: dict[str, Any]) -> None:
    assert _notes(overrides) == []


@pytest.mark.parametrize("where", ["defaults", "overrides"])
def test_methods_that_learn_ranges_say_that_they_read_no_estimator(where: str) -> None:
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU())
    given: dict[str, Any] = {"estimator_activations": "mse"}
    settings = given if where == "defaults" else {"overrides": {"0": given}}
    trained = LSQQuantizer(model, torch.optim.SGD(model.parameters(), 0.1), **settings)
    trained.prepare_model(torch.randn(4, 8))
    assert trained.notes == ["LSQQuantizer does not read estimator_activations"]
    calibrated = PostTrainingQuantizer(nn.Sequential(nn.Linear(8, 4), nn.ReLU()), **settings)
    calibrated.prepare_model(torch.randn(4, 8))
    assert calibrated.notes == []


@pytest.mark.parametrize("way", ["override", "own format"])
def test_a_format_that_the_activation_behind_decides_is_noted(way: str) -> None:
    first = QuantLinear(8, 8, bits_activations=4) if way == "own format" else nn.Linear(8, 8)
    overrides = {"0": {"bits_activations": 4}} if way == "override" else {}
    quantizer = PostTrainingQuantizer(nn.Sequential(first, nn.ReLU(), nn.Linear(8, 4)).eval(), overrides=overrides)
    quantizer.prepare_model(torch.randn(2, 8))
    found = "0: its output is quantized behind 1, to 8 bits, not to 4: set bits_activations of 1"
    assert found in quantizer.notes


@pytest.mark.parametrize("overrides", [{"0|1": {"bits_activations": 4}}, {"0": {"bits_activations": None}}, {}])
def test_formats_that_agree_are_not_noted(overrides: dict[str, Any]) -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4)).eval()
    quantizer = PostTrainingQuantizer(model, overrides=overrides)
    quantizer.prepare_model(torch.randn(2, 8))
    assert not any("quantized behind" in note for note in quantizer.notes)


@pytest.mark.parametrize("scheme", ["scheme_weights", "scheme_activations"])
def test_negative_values_that_unsigned_integers_lose(scheme: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(16, 8)
    quantizer = PostTrainingQuantizer(nn.Sequential(nn.Linear(8, 8), nn.ReLU()).eval(), **{scheme: "unsigned"})
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    quantizer.convert()
    where = "0.weight" if scheme == "scheme_weights" else "input 0"
    assert quantizer.notes == [f"{where}: its negative values become 0, as its scheme is unsigned"]
    positive = PostTrainingQuantizer(nn.Sequential(nn.Linear(8, 8), nn.ReLU()).eval(), scheme_activations="unsigned")
    positive.prepare_model(x.abs())
    positive.calibrate([x.abs()])
    positive.convert()
    assert not positive.notes


def test_a_size_of_groups_without_groups() -> None:
    model, x = nn.Sequential(nn.Linear(8, 8), nn.ReLU()).eval(), torch.randn(16, 8)
    expected = ["group_size=4 is not used, as granularity_weights is 'per-channel': set it to \"per-group\""]
    for settings, notes in (
        ({"group_size": 4}, expected),
        ({"group_size": 4, "granularity_weights": "per-group"}, []),
        ({"group_size": 4, "overrides": {"0": {"granularity_weights": "per-group"}}}, []),
    ):
        quantizer = PostTrainingQuantizer(model, **settings)
        quantizer.prepare_model(x)
        assert quantizer.notes == notes
