"""Reports, checkpoints and statistics."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import qprep
from qprep.foundation.errors import QprepError
from qprep.quantizer import (
    DynamicQuantizer,
    LinearQATQuantizer,
    LSQQuantizer,
    PostTrainingQuantizer,
    Quantizer,
    WeightOnlyQuantizer,
    collect_statistics,
)
from qprep.quantizer.report.graph_picture import draw
from qprep.quantizer.report.report_data import Score
from qprep.runtime_modules import MultiheadAttention
from tests.chromium import background, lowest_contrast, overflow
from tests.quantizer.models import mlp, snr


def data() -> list[Tensor]:
    return list(torch.randn(4, 32, 8, generator=torch.Generator().manual_seed(1)))


def quantizer(**settings: Any) -> PostTrainingQuantizer:
    made = PostTrainingQuantizer(mlp(), **settings)
    made.prepare_model(data()[0])
    made.calibrate(data())
    return made


def test_report_measures_each_slot() -> None:
    made = quantizer(overrides={"0": {"bits_weights": 2}})
    found = made.report(data())
    slots = {slot.name: slot for slot in found.slots}
    assert list(slots) == ["0.weight", "input 0", "1", "2.weight", "2"]
    weight = mlp()[0].weight
    assert isinstance(weight, Tensor)
    assert slots["0.weight"].snr == pytest.approx(snr(weight, made.convert()[0].module.weight), abs=1e-3)  # type: ignore[index]
    assert slots["0.weight"].size == 16 * 8 * 2 / 8 + 16 * 4
    assert slots["input 0"].snr > 40
    assert slots["1"].snr < 20 < slots["1"].sensitivity  # what is before it causes it
    assert (slots["1"].low, slots["1"].clipped) == (0.0, 0.0)
    assert sum(slots["1"].histogram) == 4 * 32 * 16
    assert found.first_to_widen[0].name == "0.weight"
    expected = snr(torch.cat([mlp()(x) for x in data()]), torch.cat([made.model(x) for x in data()]))
    assert found.output_snr == pytest.approx(expected, abs=1e-3)
    assert found.float_size == 4 * (8 * 16 + 16 + 16 * 4 + 4)
    assert found.size == found.float_size - 4 * (128 + 64) + slots["0.weight"].size + slots["2.weight"].size


def test_report_counts_clipped_values() -> None:
    made = quantizer()
    slot = next(each for each in made.report([data()[0] * 3]).slots if each.name == "input 0")
    reach = torch.stack(data()).aminmax()
    wide = data()[0] * 3
    expected = ((wide < reach.min) | (wide > reach.max)).float().mean().item()
    assert slot.clipped == pytest.approx(expected, abs=0.005)
    assert expected > 0.05


def test_report_leaves_everything_as_it_was() -> None:
    made = quantizer()
    before, modes = made.model(data()[0]), [each.mode for each in made.quantizers]
    made.report(data())
    assert torch.equal(made.model(data()[0]), before)
    assert [each.mode for each in made.quantizers] == modes


def test_report_as_text_and_as_one_page() -> None:
    found = quantizer().report(data())
    text = str(found)
    assert text.startswith(f"Sequential: {found.output_snr:.1f} dB at the output")
    row = r"^0 +Linear +8 bit restricted +\d+\.\d +8 bit asymmetric, input 0 +\[-\d\.\d+, \d\.\d+\] +0\.000% +\d+\.\d"
    assert re.search(row, text, re.MULTILINE)
    worst = found.layers_to_widen[0]
    assert f"give more bits first: {worst.path} ({worst.sensitivity:.1f} dB)" in text
    page = found.to_html()
    weights = [slot for slot in found.slots if slot.kind == "weight"]
    assert page.count("<svg") == 3 + 1 + len(found.slots) + len(weights)  # by depth; graph; histograms; channels
    assert not re.search(r"(src|href)=|https?:(?!//www\.w3\.org/2000/svg)|@import|<script", page)
    assert all(slot.name in page for slot in found.slots)
    assert not re.search(r"<rect[^>]*(height|width)=.-", page)
    assert found._repr_html_() in page


def test_the_page_names_versions_settings_data_and_results() -> None:
    made = quantizer(overrides={"0": {"bits_weights": 3}}, scheme_activations="symmetric")
    found = replace(made.report(data()[:2]), scores=(Score("top<1>", 0.75, 0.5),))
    page = found.to_html()
    for text in (
        f"qprep {qprep.__version__}, torch {torch.__version__}",
        "bits_activations: 8, bits_weights: 8, scheme_activations: symmetric",
        "<dd>0: bits_weights: 3</dd>",
        "<dd>2 batches</dd>",
        '<td class="t">top&lt;1&gt;</td><td>0.75</td><td>0.5</td>',
    ):
        assert text in page
    assert json.loads(found.to_json())["scores"] == [{"name": "top<1>", "before": 0.75, "after": 0.5}]


def test_a_layer_is_red_for_its_share_of_the_noise() -> None:
    noisy = quantizer(overrides={"0": {"bits_weights": 2}}).report(data())
    assert noisy.costly_layers == {"0"}
    assert sum(noisy.noise_shares.values()) == pytest.approx(1)
    assert noisy.noise_shares["0"] > 0.9
    page = noisy.to_html()
    assert page.count('<tr class="costly">') == 2  # of the advice and of the layers
    assert page.count('<rect class="lost"') == len(re.findall(r'<rect class="lost"[^>]*><title>(?!0: )', page)) + 1
    even = tuple(replace(noisy.layers[0], path=f"{number}", sensitivity=20.0) for number in range(11))
    assert replace(noisy, layers=even).costly_layers == frozenset()


@pytest.mark.parametrize("width", [320, 400, 800, 1400])
def test_no_column_of_the_page_is_cut_off(width: int, tmp_path: Path) -> None:
    page = quantizer().report(data()).to_html()
    names = page.replace("Linear", "ModuleWithAVeryLongName").replace(
        "0.weight", "encoder.layers.0.self_attention.out_proj.weight"
    )
    inside = "none" if width < 800 else ".wide"
    assert overflow(names, width, tmp_path, inside) <= 0


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_of_the_page_can_be_read_in_dark_mode_too(dark: bool, tmp_path: Path) -> None:
    page = quantizer(overrides={"0": {"bits_weights": 2}}).report(data()).to_html()
    ratio, text = lowest_contrast(page, tmp_path, dark=dark)
    assert ratio >= 3, text
    assert background(page, tmp_path, dark=True) != background(page, tmp_path, dark=False)


def test_layers_are_measured_by_themselves() -> None:
    made = quantizer(overrides={"0": {"bits_weights": 3}})
    found = made.report(data())
    assert [(layer.path, layer.module_class) for layer in found.layers] == [
        ("0", "Linear"),
        ("1", "ReLU"),
        ("2", "Linear"),
    ]
    first = found.layers[0]
    assert [slot.name for slot in first.slots] == ["0.weight", "input 0"]
    assert first.sensitivity < min(slot.sensitivity for slot in first.slots) + 0.1  # both of them at once
    assert first.weight_snr == first.weights[0].snr < 20
    assert found.layers[1].sensitivity == found.layers[1].slots[0].sensitivity
    assert found.layers_to_widen[0] is first
    assert math.isnan(found.layers[1].weight_snr)
    assert len(first.weights[0].channels) == 16


class Attends(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x)[0]  # type: ignore[no-any-return]


def test_layers_have_the_names_and_classes_of_the_float_model() -> None:
    model, example = Attends(), data()[0].reshape(4, 8, 8)
    made = PostTrainingQuantizer(model)
    made.prepare_model(example)
    made.calibrate(example)
    found = made.report(example)
    classes = {name: type(module).__name__ for name, module in model.named_modules()}
    assert len(found.layers) > 6
    assert {layer.path: layer.module_class for layer in found.layers}.items() <= classes.items()
    assert repr(found) == f"<QuantizationReport of {str(found).splitlines()[0]}>"


def test_an_operation_outside_of_modules_does_not_name_the_model() -> None:
    class Doubled(Attends):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 2

    made = PostTrainingQuantizer(Doubled())
    made.prepare_model(data()[0].reshape(4, 8, 8), allow_unprepared=True)
    made.calibrate([data()[0].reshape(4, 8, 8)])
    assert str(made.report([data()[0].reshape(4, 8, 8)], sensitivity=False)).startswith("Doubled: ")


def test_clipped_weights_are_counted() -> None:
    found = quantizer(bits_weights=2, estimator_weights="mse").report(data(), sensitivity=False)
    weight = found.slots[0]
    assert weight.clipped == 3 / 128
    assert found.first_to_widen == ()
    assert "sensitivity of single layers was not measured" in str(found)
    assert "sensitivity of single layers was not measured" in found.to_html()


def test_report_says_what_stayed_in_float() -> None:
    class Parts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.norm, self.unused, self.head = (
                nn.Linear(8, 8),
                nn.LayerNorm(8),
                nn.Linear(8, 8),
                nn.Linear(8, 4),
            )

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.norm(self.fc(x)) + 1)  # type: ignore[no-any-return]

    def stayed(method: Any, **settings: Any) -> list[str]:
        made = method(Parts(), **settings)
        made.prepare_model(data()[0], allow_unprepared=True)
        made.calibrate(data())
        return [str(each) for each in made.report(data(), sensitivity=False).in_float]

    found = stayed(PostTrainingQuantizer, overrides={"head": {"bits_weights": None, "bits_activations": None}})
    assert "add in the model (Parts): it stays in float" in found[0]
    assert found[1:] == ["unused: did not run on the example inputs", "head (Linear): its settings have no format"]
    found = stayed(PostTrainingQuantizer, overrides={"fc": {"bits_weights": None}, "head": {"bits_activations": None}})
    assert found[2:] == ["head (Linear): bits_activations is None for it", "fc.weight: bits_weights is None for it"]
    assert "norm.weight: LSQQuantizer leaves parameters of one dimension" in stayed(LSQQuantizer)


def test_reports_are_saved_by_their_ending(tmp_path: Path) -> None:
    found = quantizer().report(data())
    for name in ("report.html", "report.json", "report.txt"):
        found.save(tmp_path / "new" / name)
    assert (tmp_path / "new" / "report.html").read_text() == found.to_html()
    assert (tmp_path / "new" / "report.txt").read_text() == f"{found}\n"
    numbers = json.loads((tmp_path / "new" / "report.json").read_text())
    assert numbers["output_snr"] == found.output_snr
    assert numbers["layers"][0]["path"] == "0"
    assert numbers["slots"][2]["reach"] == list(found.slots[2].reach or ())
    found.save(tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text() == draw(found.graph)
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(QprepError, match="cannot be written"):
        found.save(tmp_path / "folder.html")
    with pytest.raises(QprepError, match=r"ends in \.html, .*found .*report\.pdf"):
        found.save(tmp_path / "report.pdf")


def test_report_on_training_methods() -> None:
    made = LinearQATQuantizer(mlp(), bits_activations=4)
    made.prepare_model(data()[0])
    made.calibrate(data())
    made.model.train()
    found = made.report(data(), sensitivity=False)
    assert made.model.training
    assert 5 < found.output_snr < 30
    assert all(math.isnan(slot.sensitivity) for slot in found.slots)


def test_report_without_data() -> None:
    with pytest.raises(QprepError, match="empty loader"):
        quantizer().report([])


@pytest.mark.parametrize("method", [PostTrainingQuantizer, DynamicQuantizer, WeightOnlyQuantizer, LSQQuantizer])
def test_saved_models_load(method: type[Quantizer], tmp_path: Path) -> None:
    settings: dict[str, Any] = {"overrides": {"2": {"bits_weights": 3}}, "bits_weights": 5}
    if method is not WeightOnlyQuantizer:
        settings["bits_activations"] = 6
    made: Any = method(mlp(), **settings)
    made.prepare_model(data()[0])
    if hasattr(made, "calibrate"):
        made.calibrate(data())
    made.save(tmp_path / "model.pt")
    loaded: Any = method.load(tmp_path / "model.pt", mlp(9), data()[0])
    assert torch.equal(loaded.convert()(data()[1]), made.convert()(data()[1]))
    assert loaded.notes == made.notes
    torch.load(tmp_path / "model.pt", weights_only=True)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with pytest.raises(QprepError, match=r"expected a file that a quantizer saved, found .*model\.pt"):
        PostTrainingQuantizer.load(path, mlp(), data()[0])
    torch.save({"state": 1}, path)
    with pytest.raises(QprepError, match="expected a file of format"):
        PostTrainingQuantizer.load(path, mlp(), data()[0])
    quantizer().save(path)
    with pytest.raises(QprepError, match="one of PostTrainingQuantizer"):
        DynamicQuantizer.load(path, mlp(), data()[0])
    with pytest.raises(QprepError, match="expected the model that was saved"):
        PostTrainingQuantizer.load(path, nn.Linear(8, 4), data()[0])


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.unused, self.relu = nn.Linear(8, 8), nn.Linear(8, 8), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.fc(self.relu(x)))  # type: ignore[no-any-return]


def test_statistics_in_distillers_layout(tmp_path: Path) -> None:
    model = Twice().train()
    found = collect_statistics(model, [(batch, 1) for batch in data()])
    everything = torch.stack(data())
    rectified = everything.clamp(min=0)
    numbers = found.modules["fc"]["inputs"][0]
    assert list(numbers) == ["min", "max", "avg_min", "avg_max", "mean", "std", "b", "shape"]
    assert (numbers["min"], numbers["max"], numbers["shape"]) == (0.0, rectified.max().item(), "(32, 8)")
    assert numbers["avg_max"] == pytest.approx(rectified.amax(2).mean().item(), rel=1e-5)
    assert numbers["mean"] == pytest.approx(rectified.mean().item(), rel=1e-5)
    assert numbers["std"] == pytest.approx(rectified.std(correction=0).item(), rel=1e-5)
    assert found.never_run == ("unused",)
    assert found.reused == ("relu",)
    assert "unused" not in found.modules
    limit, counts = found.histograms["fc"]["inputs"]
    assert sum(counts) == everything.numel()
    assert limit >= rectified.max().item()
    assert model.training
    found.save(tmp_path / "stats.yaml")
    yaml = pytest.importorskip("yaml")
    read = yaml.safe_load((tmp_path / "stats.yaml").read_text())
    assert read == {path: dict(entry) for path, entry in found.modules.items()}


def test_statistics_of_nothing() -> None:
    with pytest.raises(QprepError, match="empty loader"):
        collect_statistics(mlp(), [])
    with pytest.raises(QprepError, match="at inputs 0 of 0"):
        collect_statistics(mlp(), [torch.full((2, 8), math.nan)])
