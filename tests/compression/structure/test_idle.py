"""Layers that the example inputs do not run: in training mode alone, in other branches, for other tasks."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from qprep.compression.structure import choose, groups, scores, thin

IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Branching(nn.Module):
    """A stem, one of several ways, a classifier with a further one."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.one, self.other = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
        self.wide, self.end = nn.Conv2d(8, 12, 1), nn.Linear(12, 4)
        self.further = nn.Linear(12 * 64 if way == "flattened" else 12, 4)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """(B, 3, H, W) to (B, 4), in training mode with the result of the further classifier."""
        y = self.norm(self.stem(x)).relu()
        if self.way == "values":
            y = self.one(y) if bool(x.mean() > 0) else self.other(y)
        elif self.way == "sizes":
            y = self.one(y) if x.shape[-1] <= 8 else self.other(y)
        else:
            y = self.one(y) + self.other(y)
        wide = self.wide(y.relu()).relu()
        found: Tensor = self.end(wide.mean((2, 3)))
        if self.way == "flattened":
            return (found, self.further(wide.flatten(1))) if bool(x.mean() < 0) else found
        return (found, self.further(wide.mean((2, 3)))) if self.training else found


def thinned(way: str) -> tuple[nn.Module, nn.Module]:
    """A masked and a thin model, half of all that can be removed."""
    torch.manual_seed(0)
    model = Branching(way).eval()
    found = groups(model, IMAGES)
    masks = found.masks(choose(scores(found), 0.5))
    with torch.no_grad():
        for name, mask in masks.items():
            model.get_parameter(name).mul_(mask)
    masked = copy.deepcopy(model)
    thin(model, IMAGES)
    return masked, model


def assert_same(masked: nn.Module, model: nn.Module, images: Tensor) -> None:
    first, second = masked(images), model(images)
    for one, other in zip(*(each if isinstance(each, tuple) else (each,) for each in (first, second)), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_heads_of_the_training_are_thinned_with_the_model() -> None:
    masked, model = thinned("training")
    assert model.get_parameter("further.weight").shape == (4, 6)
    for mode in (False, True):
        assert_same(masked.train(mode), model.train(mode), IMAGES)


@pytest.mark.parametrize(
    ("way", "images", "shape"),
    [
        ("values", -IMAGES, (6, 8, 1, 1)),
        ("sizes", torch.rand(2, 3, 10, 10), (6, 8, 1, 1)),
        ("flattened", -IMAGES, (12, 8, 1, 1)),
    ],
)
def test_what_another_branch_may_read_stays(way: str, images: Tensor, shape: tuple[int, ...]) -> None:
    masked, model = thinned(way)
    assert_same(masked, model, IMAGES)
    assert_same(masked, model, images)
    assert tuple(model.get_parameter("wide.weight").shape) == shape


def test_the_reason_names_the_layer_that_did_not_run() -> None:
    found = groups(Branching("values").eval(), IMAGES)
    reasons = {each.weight: each.reason for each in found.frozen}
    assert reasons["one.weight"].startswith("other.weight, which did not run on the example inputs, may read them")
    assert {each.name for each in found.families} == {"wide.weight"}


def test_a_training_head_of_a_constant_width_keeps_its_channels() -> None:
    class Constant(Branching):
        def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
            wide = self.wide(self.one(self.stem(x)).relu()).relu()
            found: Tensor = self.end(wide.mean((2, 3)))
            return (found, self.further(wide.mean((2, 3)).view(-1, 12))) if self.training else found

    torch.manual_seed(0)
    found = groups(Constant("training").eval(), IMAGES)
    assert "wide.weight" not in {each.name for each in found.families}


@pytest.mark.parametrize("mode", [False, True])
def test_modes_random_numbers_and_statistics_stay(mode: bool) -> None:
    model = Branching("training").train(mode)
    model.stem.eval()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    state = torch.get_rng_state()
    groups(model, IMAGES)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], each) for name, each in model.state_dict().items())
    assert [each.training for each in (model, model.stem, model.norm)] == [mode, False, mode]


@pytest.mark.parametrize("wrap", [torch.jit.script, lambda layer: layer])
def test_scripted_layers_are_run_without_hooks(wrap: Callable[[nn.Module], nn.Module]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 1), wrap(nn.ReLU()), nn.Conv2d(8, 6, 1), nn.ReLU(), nn.Conv2d(6, 2, 1)).eval()
    before = model(IMAGES)
    names = {each.name for each in groups(model, IMAGES).families}
    assert "2.weight" in names
    assert torch.equal(before, model(IMAGES))
