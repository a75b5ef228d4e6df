"""Training as people write it: compiled, checkpointed, stopped and resumed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch.utils.checkpoint import checkpoint

from qprep.foundation.errors import QprepError
from qprep.quantizer import (
    LSQQuantizer,
    PostTrainingQuantizer,
    Quantizer,
)
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer
from tests.quantizer.calibration import EIGHT, data
from tests.quantizer.models import mlp
from tests.quantizer.training_methods import TRAINING_METHODS


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(8, 3, 6, 6, generator=generator), torch.randint(4, (8,), generator=generator)


class Net(nn.Module):
    """reentrant: how its second half is checkpointed in training; None for not at all."""

    def __init__(self, reentrant: bool | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.relu, self.flat = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten()
        self.fc, self.gelu, self.head = nn.Linear(128, 16), nn.GELU(), nn.Linear(16, 4)
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Any:
        x = self.norm(self.conv(x))
        return (
            checkpoint(self.rest, x, use_reentrant=self.reentrant)
            if self.reentrant in (True, False) and (self.training)
            else self.rest(x)
        )

    def rest(self, x: Tensor) -> Tensor:
        return self.head(self.gelu(self.fc(self.flat(self.relu(x)))))  # type: ignore[no-any-return]


def train(quantizer: TrainingQuantizer, seeds: range, model: Any = None) -> list[Tensor]:
    optimizer: Any = quantizer.optimizer
    quantizer.model.train()
    for seed in seeds:
        x, y = batch(seed)
        optimizer.zero_grad()
        nn.functional.cross_entropy((model or quantizer.model)(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return [each.detach().clone() for each in quantizer.model.state_dict().values()]


def prepared(method: type[TrainingQuantizer], model: nn.Module, **settings: Any) -> TrainingQuantizer:
    quantizer = method(model, torch.optim.Adam(model.parameters(), 0.01), 4, 4, **settings)
    quantizer.prepare_model(batch()[0])
    return quantizer


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_checkpointing_from_the_first_step_changes_nothing(method: type[TrainingQuantizer]) -> None:
    expected = train(prepared(method, Net()), range(3))
    for reentrant in (False, True):
        found = train(prepared(method, Net(reentrant)), range(3))
        assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_a_training_that_was_stopped_goes_on_bit_by_bit(method: type[TrainingQuantizer], tmp_path: Path) -> None:
    expected = train(prepared(method, Net()), range(6))
    first = prepared(method, Net())
    train(first, range(3))
    first.save(tmp_path / "model.pt")
    torch.save(first.optimizer.state_dict(), tmp_path / "optimizer.pt")  # type: ignore[union-attr]
    model = Net()
    with torch.no_grad():
        model.fc.weight.zero_()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    second = method.load(tmp_path / "model.pt", model, batch()[0], optimizer=optimizer)
    optimizer.load_state_dict(torch.load(tmp_path / "optimizer.pt"))
    found = train(second, range(3, 6))
    assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))


def test_methods_that_train_nothing_take_no_optimizer(tmp_path: Path) -> None:
    model = mlp()
    quantizer = PostTrainingQuantizer(model)
    x = torch.randn(4, 8)
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    quantizer.save(tmp_path / "model.pt")
    with pytest.raises(QprepError, match="trains nothing"):
        PostTrainingQuantizer.load(tmp_path / "model.pt", mlp(), x, optimizer=torch.optim.SGD(model.parameters(), 0.1))


class Fixed(Quantizer):
    """A constructor that sets what its base takes, and names none of it."""

    def __init__(self, model: nn.Module, **settings: Any) -> None:
        super().__init__(model, None, 8, 4, train_with_fp_copy=True, **settings)


def test_constructors_that_set_settings_themselves_load(tmp_path: Path) -> None:
    quantizer = Fixed(mlp(), overrides={"2": {"bits_weights": 6}}, scheme_weights="symmetric")
    x = torch.randn(16, 8)
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    quantizer.save(tmp_path / "model.pt")
    loaded = Fixed.load(tmp_path / "model.pt", mlp(3), x)
    assert loaded.settings("2").bits_weights == 6
    assert loaded.settings("0").scheme_weights == "symmetric"
    assert torch.equal(loaded.convert()(x), quantizer.convert()(x))


@pytest.fixture
def fresh_compiler() -> Any:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def test_converted_and_prepared_models_are_one_graph(fresh_compiler: None) -> None:
    torch.manual_seed(0)
    quantizer = PostTrainingQuantizer(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 4)).eval()
    )
    x, _ = batch()
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    for model in (quantizer.convert(), quantizer.model):
        with torch.no_grad():
            assert torch.equal(torch.compile(model, backend="eager", fullgraph=True)(x), model(x))
        compiled = torch.compile(model, backend="eager")(x)
        assert torch.equal(compiled, model(x))  # parameters that want gradients


def test_a_compiled_training_is_the_same_training(fresh_compiler: None) -> None:
    def model() -> nn.Sequential:
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(108, 4))

    expected = train(prepared(LSQQuantizer, model()), range(3))
    quantizer = prepared(LSQQuantizer, model())
    compiled = torch.compile(quantizer.model, backend="eager")
    found = train(quantizer, range(3), compiled)
    for one, other in zip(expected, found, strict=True):
        assert torch.allclose(one.double(), other.double(), atol=1e-3)
    x, _ = batch(7)
    quantizer.model.eval()
    assert torch.equal(compiled(x), quantizer.model(x))
    assert len(compiled(x).unique()) <= 16


@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_compiled_gradients_are_those_of_eager_training(method: type[TrainingQuantizer], fresh_compiler: None) -> None:
    found = []
    for compiled in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
        quantizer = method(model, bits_activations=3, bits_weights=3)
        x = torch.randn(64, 8)
        quantizer.prepare_model(x)
        quantizer.calibrate([x])
        model.train()
        run = torch.compile(model, backend="eager", fullgraph=True) if compiled else model
        output = run(1.2 * x)  # beyond the range: by up to half a step, and by more
        output.pow(2).sum().backward()
        found.append({name: each.grad for name, each in model.named_parameters() if each.grad is not None})
    expected, other = found
    assert expected.keys() == other.keys()
    for name, gradient in expected.items():
        assert torch.allclose(gradient, other[name], rtol=1e-3, atol=1e-3 * float(gradient.abs().max())), name


def test_a_compiled_model_is_prepared_as_it_was_before(fresh_compiler: None) -> None:
    model = mlp()
    plain = PostTrainingQuantizer(copy.deepcopy(model), **EIGHT)
    quantizer = PostTrainingQuantizer(torch.compile(model, backend="eager"), **EIGHT)
    counters.clear()
    for each in (plain, quantizer):
        each.prepare_model(data()[0])
    assert not counters["frames"]
    for each in (plain, quantizer):
        each.calibrate(data())
    assert torch.equal(quantizer.convert()(data()[0]), plain.convert()(data()[0]))


@pytest.mark.parametrize("method", TRAINING_METHODS)
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16], ids=str)
def test_a_model_moved_to_another_type_trains_converts_and_exports(
    method: type[TrainingQuantizer], kind: torch.dtype, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))
    quantizer, x = method(model, torch.optim.SGD(model.parameters(), 0.01)), torch.randn(32, 8)
    quantizer.prepare_model(x)
    model.train().to(kind)
    for _ in range(3):
        quantizer.model(x.to(kind)).float().square().mean().backward()
        assert quantizer.optimizer is not None
        quantizer.optimizer.step()
    converted = quantizer.convert()
    assert converted(x.to(kind)).dtype is kind
    pytest.importorskip("onnxruntime")
    quantizer.export_onnx(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    "make",
    [
        lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10),
        torch.optim.lr_scheduler.LinearLR,
        lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10),
    ],
)
def test_a_scheduler_made_before_the_quantizer_reaches_what_it_learns(make: Any) -> None:
    model, x = mlp(), torch.randn(4, 8)
    optimizer = torch.optim.AdamW(model.parameters(), 0.01, weight_decay=0.1)
    scheduler = make(optimizer)
    quantizer = LSQQuantizer(model, optimizer)
    quantizer.prepare_model(x)
    model.train()
    for _ in range(3):
        model(x).sum().backward()
        optimizer.step()
        scheduler.step()
    first, learned = optimizer.param_groups
    assert first["lr"] == learned["lr"]
    assert (first["weight_decay"], learned["weight_decay"]) == (0.1, 0.0)
    assert any("make it after prepare_model" in note for note in quantizer.notes)


class InPlace(nn.Module):
    """Changes the output of a layer in place, by an operation or a module."""

    def __init__(self, way: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.way = way
        self.first, self.relu, self.second = nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Conv2d(8, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        if self.way == "add":
            y += 1
        elif self.way == "multiply":
            y.mul_(2)
        elif self.way == "function":
            nn.functional.relu_(y)
        elif self.way == "index":
            y[:, 0] = 0
        elif self.way == "module":
            return self.second(self.relu(y)) + y.mean()  # type: ignore[no-any-return]
        y = self.second(y)
        y *= 2
        return y  # type: ignore[no-any-return]


@pytest.mark.parametrize("way", ["add", "multiply", "function", "index", "module", "result"])
@pytest.mark.parametrize("method", TRAINING_METHODS)
def test_models_that_change_tensors_in_place(method: type[TrainingQuantizer], way: str) -> None:
    x, _ = batch()
    model = InPlace(way)
    quantizer = method(model, torch.optim.SGD(model.parameters(), 0.01))
    quantizer.prepare_model(x, allow_unprepared=True)
    model.train()
    for _ in range(2):
        model(x).square().mean().backward()
    assert all(each.grad is not None and bool(each.grad.isfinite().all()) for each in model.parameters())
