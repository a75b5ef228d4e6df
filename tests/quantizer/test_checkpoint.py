"""A saved quantizer restores options of methods, learned thresholds, and decisions of passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import (
    DorefaQuantizer,
    Graph,
    LinearQATQuantizer,
    LSQQuantizer,
    PACTQuantizer,
    PostTrainingQuantizer,
    Quantizer,
    TQTQuantizer,
    WRPNQuantizer,
)
from qprep.quantizer.checkpoint import options_of
from qprep.quantizer.formats.spec import Scheme, Spec
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer
from tests.quantizer.graphs import model as block
from tests.quantizer.models import mlp


def data() -> Tensor:
    return torch.randn(64, 8, generator=torch.Generator().manual_seed(4))


def trained(method: type[TrainingQuantizer], **settings: Any) -> TrainingQuantizer:
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    quantizer = method(model, optimizer, **settings)
    quantizer.prepare_model(data()[:4])
    quantizer.model.train()
    for _ in range(3):
        optimizer.zero_grad()
        quantizer.model(data()).pow(2).mean().backward()
        optimizer.step()
    return quantizer


def images() -> Tensor:
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(4))


def calibrated(quantizer: PostTrainingQuantizer) -> PostTrainingQuantizer:
    quantizer.prepare_model(images())
    quantizer.calibrate([images()])
    return quantizer


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (LinearQATQuantizer, {"bits_weights": None}),
        (DorefaQuantizer, {"bits_weights": 1}),
        (WRPNQuantizer, {}),
        (PACTQuantizer, {"alpha_decay": 0.5, "bits_activations": 3}),
        (TQTQuantizer, {"bits_weights": 4}),
        (TQTQuantizer, {"power_of_two": False, "bits_activations": 4}),
        (LSQQuantizer, {"granularity_weights": "per-channel", "overrides": {"0": {"bits_weights": 3}}}),
    ],
    ids=str,
)
def test_trained_models_come_back(method: type[TrainingQuantizer], settings: dict[str, Any], tmp_path: Path) -> None:
    made = trained(method, **settings)
    made.save(tmp_path / "model.pt")
    torch.load(tmp_path / "model.pt", weights_only=True)
    loaded = method.load(tmp_path / "model.pt", mlp(9), data()[:4])
    assert torch.equal(loaded.convert()(data()), made.convert()(data()))
    assert options_of(loaded) == options_of(made)
    assert [each.grid.scale.tolist() for each in loaded.quantizers] == [
        each.grid.scale.tolist() for each in made.quantizers
    ]
    loaded.model.train()
    made.model.train()
    losses = [quantizer.model(data()).pow(2).mean() for quantizer in (loaded, made)]
    for loss in losses:
        loss.backward()
    for one, other in zip(loaded.model.parameters(), made.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_options_are_what_constructors_take_beside_settings() -> None:
    assert options_of(TQTQuantizer(mlp(), power_of_two=False))["power_of_two"] is False
    assert options_of(PACTQuantizer(mlp(), alpha_decay=0.2))["alpha_decay"] == 0.2
    assert "teacher" not in options_of(TQTQuantizer(mlp(), teacher=mlp()))
    assert options_of(Quantizer(mlp(), train_with_fp_copy=True)) == {"train_with_fp_copy": True}


class Tuned(PostTrainingQuantizer):
    """A method of somebody else, with an option and with state that is no data."""

    def __init__(self, *args: Any, strength: float = 1.0, hook: Any = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.strength, self.hook = strength, hook


def test_options_of_methods_of_ones_own(tmp_path: Path) -> None:
    made = calibrated(Tuned(block(), strength=0.3, hook=print))
    made.save(tmp_path / "model.pt")
    loaded = Tuned.load(tmp_path / "model.pt", block(), images())
    assert (loaded.strength, loaded.hook) == (0.3, None)


def four_bit_sums(graph: Graph) -> None:
    for node in graph.nodes:
        if node.name == "add":
            node.outputs[0].spec = Spec(4, Scheme.SYMMETRIC)
            node.outputs[0].bounds = (-1.0, 1.0)
            node.outputs[0].share_with(node.inputs[0])


def without_relu(graph: Graph) -> None:
    node = next(each for each in graph.nodes if each.name == "relu")
    graph.remove(node)


def test_what_passes_of_ones_own_decided_comes_back_without_them(tmp_path: Path) -> None:
    made = PostTrainingQuantizer(block())
    made.passes.insert_after("share-scales", "four-bit-sums", four_bit_sums)
    made.passes.drop("net-aware-ranges")
    made.passes.replace("fold-batch-norm", lambda _: None)
    calibrated(made).save(tmp_path / "model.pt")
    plain = calibrated(PostTrainingQuantizer(block()))
    loaded = PostTrainingQuantizer.load(tmp_path / "model.pt", block(), images())
    assert torch.equal(loaded.convert()(images()), made.convert()(images()))
    assert not torch.equal(loaded.convert()(images()), plain.convert()(images()))
    assert any(isinstance(each, nn.BatchNorm2d) for each in loaded.model.modules())
    loaded.save(tmp_path / "again.pt")
    again = PostTrainingQuantizer.load(tmp_path / "again.pt", block(), images())
    assert torch.equal(again.convert()(images()), made.convert()(images()))


def test_passes_that_change_the_model_are_asked_for(tmp_path: Path) -> None:
    made = PostTrainingQuantizer(block())
    made.passes.insert_before("plan-activations", "without-relu", without_relu)
    calibrated(made).save(tmp_path / "model.pt")
    with pytest.raises(QprepError, match=r"prepared by the same passes, found relu \(relu\)"):
        PostTrainingQuantizer.load(tmp_path / "model.pt", block(), images())
    loaded = PostTrainingQuantizer.load(tmp_path / "model.pt", block(), images(), passes={"without-relu": without_relu})
    assert torch.equal(loaded.convert()(images()), made.convert()(images()))
    with pytest.raises(QprepError, match="expected passes among .*, found 'other'"):
        PostTrainingQuantizer.load(tmp_path / "model.pt", block(), images(), passes={"other": without_relu})


def test_another_model_is_refused(tmp_path: Path) -> None:
    calibrated(PostTrainingQuantizer(block())).save(tmp_path / "model.pt")
    with pytest.raises(QprepError, match="expected the model that was saved"):
        PostTrainingQuantizer.load(tmp_path / "model.pt", mlp(), data())


def test_integers_of_a_loaded_model(tmp_path: Path) -> None:
    made = trained(TQTQuantizer, power_of_two=False)
    made.save(tmp_path / "model.pt")
    loaded = TQTQuantizer.load(tmp_path / "model.pt", mlp(), data()[:4])
    assert torch.equal(loaded.to_integer()(data()), made.to_integer()(data()))


def test_a_model_of_another_size(tmp_path: Path) -> None:
    quantizer = PostTrainingQuantizer(mlp())
    quantizer.prepare_model(data())
    quantizer.calibrate([data()])
    quantizer.save(tmp_path / "model.pt")
    wider = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
    with pytest.raises(QprepError, match=r"(?s)expected the saved model, found another .*size mismatch"):
        PostTrainingQuantizer.load(tmp_path / "model.pt", wider, data())
