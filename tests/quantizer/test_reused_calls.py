"""One module for several calls, and BatchNorm whose statistics belong to another module."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.quantizer import LSQQuantizer, NotPreparedError, PostTrainingQuantizer
from qprep.runtime_modules import BatchStandardize
from tests.quantizer.models import snr
from tests.quantizer.test_integer import calibrated, image


class Shared(nn.Module):
    """Two layers, and one activation and one dropout for both, or one for each."""

    def __init__(self, act: nn.Module, apart: bool) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Linear(8, 8) for _ in range(3))
        self.act, self.drop = act, nn.Dropout(0.1)
        self.again = type(act)() if apart else act
        self.drop_again = nn.Dropout(0.1) if apart else self.drop

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.act(self.first(x)))
        return self.third(self.drop_again(self.again(self.second(x))))  # type: ignore[no-any-return]


def model(act: type[nn.Module], apart: bool) -> nn.Module:
    torch.manual_seed(0)
    made = Shared(act(), apart)
    with torch.no_grad():
        made.second.weight.mul_(20)
    return made.eval()


@pytest.mark.parametrize("act", [nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.GELU])
def test_a_reused_activation_has_a_range_for_each_call(act: type[nn.Module]) -> None:
    x = image(64, 8)
    found, expected = (calibrated(model(act, apart), x) for apart in (False, True))
    one, other = found.convert()(x), expected.convert()(x)
    assert torch.equal(one, other)
    assert snr(model(act, False)(x), one) > 25
    assert len(list(found.quantizers)) == len(list(expected.quantizers))


def test_training_and_a_second_forward_count_anew() -> None:
    quantizer = LSQQuantizer(model(nn.ReLU, False))
    x = image(64, 8)
    quantizer.prepare_model(x)
    quantizer.model.train()
    for _ in range(3):
        quantizer.model(x).sum().backward()
    assert torch.equal(quantizer.convert()(x), quantizer.convert()(x))


def test_what_keeps_state_or_is_of_ones_own_is_still_refused() -> None:
    class Keeps(nn.ReLU):
        pass

    for module in (nn.Linear(8, 8), Keeps()):
        quantizer = PostTrainingQuantizer(nn.Sequential(module, nn.Linear(8, 8), module))
        with pytest.raises(NotPreparedError, match="runs 2 times"):
            quantizer.prepare_model(image(64, 8))


class NormAct(nn.BatchNorm2d):
    """BatchNorm and an activation in one module, as `qprep fix` writes it."""

    def __init__(self, channels: int, **settings: Any) -> None:
        super().__init__(channels, **settings)
        self.act, self.batch_norm = nn.ReLU(), BatchStandardize()

    def forward(self, x: Tensor) -> Tensor:
        given = (self.running_mean, self.running_var, self.weight, self.bias, False, self.momentum, self.eps)
        return self.act(self.batch_norm(x, *given))  # type: ignore[no-any-return]


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("layer", [lambda: nn.Conv2d(8, 6, 3, bias=False), lambda: nn.ConvTranspose2d(8, 6, 3)])
def test_batch_norm_by_its_parents_statistics_is_folded_and_fused(layer: Any, affine: bool) -> None:
    results = []
    for make in (lambda: nn.Sequential(nn.BatchNorm2d(6, affine=affine), nn.ReLU()), lambda: NormAct(6, affine=affine)):
        torch.manual_seed(0)
        made = nn.Sequential(layer(), make()).eval()
        norm = next(each for each in made.modules() if isinstance(each, nn.BatchNorm2d))
        norm.running_mean.normal_()  # type: ignore[union-attr]
        norm.running_var.uniform_(0.01, 4)  # type: ignore[union-attr]
        if affine:
            norm.weight.data.normal_()
        quantizer = calibrated(made, image())
        assert snr(made(image()), quantizer.convert()(image())) > 30
        assert not quantizer.report([image()]).in_float
        results.append((quantizer.convert()(image()), len(list(quantizer.quantizers))))
    assert results[0][1] == results[1][1] == 3
    assert snr(results[0][0], results[1][0]) > 45


def test_statistics_of_the_batch_are_not_folded() -> None:
    class Trains(NormAct):
        def forward(self, x: Tensor) -> Tensor:
            mean, var = (None if each is None else each.clone() for each in (self.running_mean, self.running_var))
            return self.act(self.batch_norm(x, mean, var, self.weight, self.bias, True))  # type: ignore[no-any-return]

    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(8, 6, 3), Trains(6)).eval()
    assert snr(made(image()), calibrated(made, image()).convert()(image())) > 30


def test_tensors_that_the_model_changes_in_place() -> None:
    """The comparison of `convert` uses the output of a slot before the model changes it in place."""

    class Adds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.act = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1), nn.ReLU(inplace=True)

        def forward(self, x: Tensor) -> Tensor:
            y = self.first(x)
            y += 3 * x
            return self.second(self.act(y))  # type: ignore[no-any-return]

    torch.manual_seed(0)
    made = Adds().eval()
    quantizer = PostTrainingQuantizer(made)
    quantizer.prepare_model(image(), allow_unprepared=True)
    quantizer.calibrate([image()])
    assert snr(made(image()), quantizer.convert()(image())) > 30
