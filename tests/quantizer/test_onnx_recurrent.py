"""Recurrent layers in ONNX files: one operator, or a loop with every slot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import LinearQATQuantizer, PostTrainingQuantizer, WeightOnlyQuantizer
from qprep.quantizer.backends.onnx.export import write_onnx
from qprep.quantizer.backends.onnx.recurrent_slots import as_written
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.runtime_modules import GRU, LSTM, RNN
from tests.quantizer.models import snr
from tests.quantizer.test_integer import Tagger, calibrated, image

onnx: Any = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.quantizer.test_onnx import kinds, run  # noqa: E402  (needs onnxruntime)


class States(nn.Module):
    """A layer that is given its first state, and its last one too."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        out, last = self.layer(x, (h, c) if isinstance(self.layer, nn.LSTM) else h)
        return out, last[0] if isinstance(last, tuple) else last


def tagger(make: Callable[..., nn.Module]) -> Tagger:
    """The model around any recurrent layer."""
    return Tagger(make)  # type: ignore[arg-type]


KINDS: list[Any] = [nn.LSTM, nn.GRU, nn.RNN, LSTM, GRU, RNN]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_one_operator_for_each_layer(kind: Any, bidirectional: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = 2
    model = States(kind(8, 6, layers, batch_first=True, bidirectional=bidirectional)).eval()
    x, state = image(3, 5, 8), image(layers * (2 if bidirectional else 1), 3, 6)
    write_onnx(model, tmp_path / "model.onnx", (x, state, state.flip(1)), dynamic_batch=False)
    assert kinds(tmp_path / "model.onnx")[kind.__name__] == layers
    found = run(tmp_path / "model.onnx", x, state, state.flip(1))
    assert snr(model(x, state, state.flip(1))[0], found) > 90


def test_relu_and_layers_without_bias(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = tagger(lambda *sizes: nn.RNN(*sizes, nonlinearity="relu", bias=False))
    write_onnx(model, tmp_path / "model.onnx", (image(5, 3, 8),))
    assert snr(model(image(5, 3, 8)), run(tmp_path / "model.onnx", image(5, 3, 8))) > 90


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_weights_are_stored_as_integers_and_the_batch_is_free(kind: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    quantizer = PostTrainingQuantizer(tagger(lambda *sizes: kind(*sizes, batch_first=True)))
    x = image(5, 4, 8)
    quantizer.prepare_model(x[:3])
    quantizer.calibrate([x])
    report = quantizer.export_onnx(tmp_path / "model.onnx")
    stored = onnx.load(str(tmp_path / "model.onnx")).graph.initializer
    held = {each.name: each.data_type for each in stored if ".weight" in each.name and len(each.dims) == 2}
    assert list(held.values()) == [onnx.TensorProto.INT8] * 3
    assert report.free == {"x": {0: "batch", 1: "length"}}
    assert any("without the slots inside" in each for each in report.notes)
    assert set(report.notes) <= set(quantizer.notes)
    expected, found = quantizer.float_model(x), run(tmp_path / "model.onnx", x)
    assert snr(expected, found) > max(28, snr(expected, quantizer.convert()(x)))


def test_weights_alone_are_those_of_the_simulation(tmp_path: Path) -> None:
    quantizer = WeightOnlyQuantizer(Tagger(LSTM), bits_weights=4)
    quantizer.prepare_model(image(5, 3, 8))
    report = quantizer.export_onnx(tmp_path / "model.onnx")
    assert snr(quantizer.convert()(image(5, 3, 8)), run(tmp_path / "model.onnx", image(5, 3, 8))) > 90
    assert not report.notes


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_loop_has_every_slot(kind: Any, bidirectional: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = image(6, 3, 8)
    model = tagger(lambda *sizes: kind(*sizes, bidirectional=bidirectional))
    model.fc = nn.Linear(24 if bidirectional else 12, 3)
    quantizer = calibrated(model, x)
    quantizer.export_onnx(tmp_path / "model.onnx", recurrent="loop")
    assert kinds(tmp_path / "model.onnx")["Scan"] == 1 + bidirectional
    assert snr(quantizer.convert()(x), run(tmp_path / "model.onnx", x)) > 45


def test_a_projected_state_is_a_loop(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = image(6, 3, 8)
    quantizer = calibrated(tagger(lambda inner, _: LSTM(inner, 20, proj_size=12)), x)
    quantizer.export_onnx(tmp_path / "model.onnx")
    assert kinds(tmp_path / "model.onnx")["Scan"] == 1
    assert snr(quantizer.convert()(x), run(tmp_path / "model.onnx", x)) > 45


class Mean(nn.Module):
    """The mean over time of what a layer returns."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.out = LSTM(16, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Any:
        return self.out(self.rnn(x)[0].mean(1))


def trained(steps: int) -> LinearQATQuantizer:
    """A short training with weights of four bits, which the slots inside the layer take part in."""
    torch.manual_seed(0)
    model, x = Mean(), image(3, 12, 16)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    quantizer = LinearQATQuantizer(model, optimizer, bits_weights=4)
    quantizer.prepare_model(x, allow_unprepared=True)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), torch.tensor([0, 1, 2])).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    model.eval()
    return quantizer


def test_a_trained_layer_keeps_its_slots_where_the_results_need_them(tmp_path: Path) -> None:
    quantizer, x = trained(5), image(3, 12, 16)
    expected = quantizer.convert()(x)
    report = quantizer.export_onnx(tmp_path / "model.onnx")
    assert kinds(tmp_path / "model.onnx")["Scan"] == 1
    assert snr(expected, run(tmp_path / "model.onnx", x)) > 45
    assert any(each.startswith("rnn: a loop in the ONNX file; as one operator") for each in report.notes)
    assert report.free == {"x": {0: "batch", 1: "length"}}
    quantizer.export_onnx(tmp_path / "asked.onnx", recurrent="operator")
    assert kinds(tmp_path / "asked.onnx")["LSTM"] == 1
    assert snr(expected, run(tmp_path / "asked.onnx", x)) < 30


def test_the_comparison_rounds_what_a_layer_returns_as_the_file_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x = image(3, 12, 16)
    quantizer = PostTrainingQuantizer(Mean().eval())
    quantizer.prepare_model(x, allow_unprepared=True)
    quantizer.calibrate([x])
    converted = quantizer.convert()
    quantizer.export_onnx(tmp_path / "model.onnx")
    slot = next(each for each in converted.modules() if getattr(each, "name", "").endswith("hidden_mul"))
    assert isinstance(slot, TensorQuantizer)
    written = as_written(converted, {"rnn": [slot]})
    assert snr(written(x), run(tmp_path / "model.onnx", x)) > 60


class Turned(nn.Module):
    """Gives a layer its state."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, h: Tensor) -> Any:
        return self.layer(x, h)


@pytest.mark.parametrize(("first", "shape"), [(True, (3, 5, 8)), (False, (5, 3, 8)), (False, (1, 1, 8))])
def test_batch_and_length_are_free_beside_states(first: bool, shape: tuple[int, ...], tmp_path: Path) -> None:
    torch.manual_seed(0)
    rows = shape[0] if first else shape[1]
    quantizer = WeightOnlyQuantizer(Turned(GRU(8, 6, 2, batch_first=first)))
    quantizer.prepare_model(image(*shape), image(2, rows, 6))
    report = quantizer.export_onnx(tmp_path / "model.onnx")
    axes = {0: "batch", 1: "length"} if first else {0: "length", 1: "batch"}
    assert report.free == {"x": axes, "h": {1: "batch"}}
    x, h = image(4, 7, 8), image(2, 4 if first else 7, 6)
    assert snr(quantizer.convert()(x, h)[0], run(tmp_path / "model.onnx", x, h)) > 90


def test_files_do_not_grow_with_the_length(tmp_path: Path) -> None:
    for length in (4, 40):
        write_onnx(Tagger(LSTM), tmp_path / f"{length}.onnx", (image(length, 2, 8),), recurrent="loop")
    counts = [sum(kinds(tmp_path / f"{length}.onnx").values()) for length in (4, 40)]
    assert counts[0] == counts[1] < 30


def test_unknown_ways_to_write_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QprepError, match="'operator', 'loop', 'unrolled', found 'scan'"):
        write_onnx(Tagger(LSTM), tmp_path / "model.onnx", (image(4, 2, 8),), recurrent="scan")
