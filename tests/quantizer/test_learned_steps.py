"""Learned steps stay positive whatever an optimizer does, and what is converted is what runs elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import DorefaQuantizer, LSQQuantizer, PACTQuantizer, TQTQuantizer
from qprep.quantizer.methods.qat.qat_base import LearningQuantizer, TrainingQuantizer
from tests.quantizer.models import snr


def task() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(256, 16, generator=generator)
    return x, (x @ torch.randn(16, 4, generator=generator)).argmax(1)


def trained(method: type[TrainingQuantizer], rate: float, steps: int = 60, bits: int = 8) -> TrainingQuantizer:
    torch.manual_seed(0)
    x, y = task()
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = torch.optim.Adam(model.parameters(), rate)
    quantizer = method(model, optimizer, bits, bits)
    quantizer.prepare_model(x[:8])
    quantizer.model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(quantizer.model(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return quantizer


@pytest.mark.parametrize("method", [LSQQuantizer, TQTQuantizer, PACTQuantizer])
@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_steps_stay_positive_and_all_three_agree(method: type[TrainingQuantizer], rate: float, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    quantizer = trained(method, rate)
    x, _ = task()
    converted = quantizer.convert()
    assert all(bool((each.grid.scale > 0).all()) for each in quantizer.quantizers)
    quantizer.export_onnx(tmp_path / "model.onnx")
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"))
    (given,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert snr(converted(x), torch.from_numpy(given)) > 30
    assert snr(converted(x), quantizer.to_integer()(x)) > 30


@pytest.mark.parametrize("method", [LSQQuantizer, TQTQuantizer, PACTQuantizer])
def test_a_parameter_below_zero_is_brought_back(method: type[TrainingQuantizer]) -> None:
    quantizer = trained(method, 1e-3, steps=2)
    x, _ = task()
    learned = [each for each in quantizer.quantizers if isinstance(each, LearningQuantizer)]
    numbers = [parameter for each in learned for parameter in each.parameters()]
    assert numbers
    with torch.no_grad():
        for each in numbers:
            each.fill_(-50.0)
    scales = [each.grid.scale.clone() for each in learned]
    assert all(bool((scale > 0).all()) for scale in scales)
    quantizer.model(x).sum().backward()
    assert all(float(each.detach().min()) > -50 for each in numbers)  # nearer to where it has a meaning
    assert all(bool(torch.isfinite(each.grad).all()) for each in numbers if each.grad is not None)
    assert torch.isfinite(quantizer.convert()(x)).all()


@pytest.mark.parametrize("method", [PACTQuantizer, DorefaQuantizer])
@pytest.mark.parametrize("activation", [nn.GELU, nn.ReLU])
@pytest.mark.parametrize("size", [0.05, 1.0, 4.0])
def test_formulas_begin_near_float_without_batchnorm(
    method: type[TrainingQuantizer], activation: type[nn.Module], size: float
) -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 16)
    model = nn.Sequential(nn.Linear(16, 64), activation(), nn.Linear(64, 64), activation(), nn.Linear(64, 10))
    with torch.no_grad():
        for each in model.parameters():
            each.mul_(size)
    expected = model(x).detach()
    quantizer = method(model, torch.optim.SGD(model.parameters(), 0.1), 8, 8)
    quantizer.prepare_model(x)
    quantizer.model.train()
    assert snr(expected, quantizer.model(x)) > 25


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("method", "name"), [(LSQQuantizer, "trained"), (TQTQuantizer, "trained"), (PACTQuantizer, "alpha")]
)
def test_a_step_that_is_not_finite_is_an_error(method: type[TrainingQuantizer], name: str, number: float) -> None:
    quantizer = trained(method, 0.01, steps=1)
    slot = next(each for each in quantizer.quantizers if hasattr(each, name))
    with torch.no_grad():
        getattr(slot, name).fill_(number)
    with pytest.raises(QprepError, match=f"expected a finite scale at {slot.name}, found NaN or infinity"):
        quantizer.convert()
