"""Masks of filters that leave the BatchNorm behind them: the constant of a channel goes into the next layer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from qprep.compression import Scheduler
from qprep.compression.structure import ThinningError, thin
from tests.compression.nets import sgd

IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def net(*, kernel: int = 3, padding: int = 0, bias: bool = True, norm: bool = False) -> nn.Sequential:
    """A convolution with BatchNorm and a layer that reads it."""
    torch.manual_seed(0)
    behind: list[nn.Module] = [nn.BatchNorm2d(6)] if norm else []
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 6, kernel, padding=padding, bias=bias)),
        *(*behind, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)),
    )
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_()  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
                module.bias.normal_(1)
    return model.eval()


def filters_alone(model: nn.Module, count: int = 3) -> dict[nn.Parameter, Tensor]:
    """The first filters of the first layer and their biases; the BatchNorm stays."""
    found: dict[nn.Parameter, Tensor] = {}
    for name in ("0.weight", "0.bias"):
        found[model.get_parameter(name)] = torch.ones_like(model.get_parameter(name), dtype=torch.bool)
        found[model.get_parameter(name)][:count] = False
    return found


@pytest.mark.parametrize(
    "settings",
    [{}, {"norm": True, "bias": False}, {"norm": True}, {"kernel": 1}],
    ids=["bias", "running mean", "both", "1x1"],
)
def test_a_constant_goes_into_what_reads_it(settings: dict[str, bool]) -> None:
    model = net(**settings)
    masks = filters_alone(model)
    with torch.no_grad():
        for parameter, mask in masks.items():
            parameter.mul_(mask)
    expected = model(IMAGES).detach()
    with pytest.raises(ThinningError, match="first in 1"):
        thin(model, (IMAGES,), masks=dict(masks))
    thin(model, (IMAGES,), masks=dict(masks), fold_constants=True)
    assert model.get_parameter("0.weight").shape[0] == 5
    assert model.get_parameter("3.weight").shape[1] == 5
    assert torch.allclose(model(IMAGES), expected, atol=1e-5)
    other = torch.randn(3, 3, 9, 9)
    assert model(other).shape == (3, 4)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"padding": 1}, "expected layers without zero padding behind channels of a constant, found 3"),
        ({"bias": False}, "expected a bias of 3, or a BatchNorm behind it, to take what masked channels add"),
    ],
)
def test_what_cannot_take_a_constant_is_named_and_nothing_changes(settings: dict[str, bool], sentence: str) -> None:
    model = net(**settings)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ThinningError, match=sentence) as caught:
        thin(model, (IMAGES,), masks=filters_alone(model), fold_constants=True)
    assert caught.value.module == "3"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_channels_that_are_no_constant_are_refused() -> None:
    """A pooling pads the constant with zeros, so that its edges differ."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.AvgPool2d(3, 1, 1), nn.Conv2d(8, 4, 1))
    with torch.no_grad():
        model[1].bias.fill_(1.0)  # type: ignore[operator]
    with pytest.raises(ThinningError, match=r"expected masked channels that are the same number everywhere.* in 3"):
        thin(model.eval(), (IMAGES,), masks=filters_alone(model), fold_constants=True)


def test_a_schedule_may_ask_for_it(tmp_path: Path) -> None:
    path = tmp_path / "schedule.yaml"
    path.write_text(
        """\
pruners:
  half: {class: L1RankedStructureParameterPruner, group_type: Filters, desired_sparsity: 0.5, weights: [0.weight],
         weights_only: true}
extensions:
  thinner: {class: FilterRemover, fold_constants: true}
policies:
  - {pruner: {instance_name: half}, epochs: [0]}
  - {extension: {instance_name: thinner}, epochs: [0]}
""",
        encoding="utf-8",
    )
    model = net()
    with torch.no_grad():
        model[0].bias.zero_()  # type: ignore[operator]
    scheduler = Scheduler.from_file(path, model, sgd(model), example_inputs=IMAGES)
    scheduler.on_epoch_begin(0)
    scheduler.on_minibatch_begin(0)
    assert model.get_parameter("0.weight").shape[0] == 4
