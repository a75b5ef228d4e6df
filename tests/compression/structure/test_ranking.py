"""Scores of groups, shares of a family, of all, and of the multiply-accumulates."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from qprep.compression.structure import StructureError, choose, choose_cost, groups, macs, scores, thin
from tests.compression.structure.models import build

SCORES = {"a": torch.tensor([5.0, 1.0, 3.0, 1.0, 9.0, 8.0]), "b": torch.tensor([0.5, 0.2, 0.4, 7.0])}


def stage(*norms: Tensor) -> Tensor:
    """Norms by channel, each as a multiple of its mean, averaged."""
    return torch.stack([each.double() / each.double().mean() for each in norms]).mean(0)


class Joined(nn.Module):
    """Two layers that compute the same channels, a norm behind each, two layers that read them."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(2, 6, 3, bias=False), nn.Conv2d(2, 6, 3)
        self.norm1, self.norm2 = nn.BatchNorm2d(6), nn.BatchNorm2d(6)
        self.read1, self.read2 = nn.Conv2d(6, 3, 1), nn.Conv2d(6, 3, 1)
        for norm in (self.norm1, self.norm2):
            nn.init.uniform_(norm.weight, 0.2, 2)
            nn.init.uniform_(norm.bias, 0.2, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm1(self.one(x)) + self.norm2(self.two(x)))
        return self.read1(y) * 2 + self.read2(y)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("norm", "power"), [("l1", 1), ("l2", 2)])
def test_scores_are_the_geometric_mean_of_what_computes_scales_and_reads(norm: str, power: int) -> None:
    torch.manual_seed(0)
    model = Joined()
    found = groups(model, torch.randn(1, 2, 8, 8))

    def norms(weight: Tensor, *dims: int) -> Tensor:
        return weight.detach().double().abs().pow(power).mean(dims).pow(1 / power)

    computes = stage(norms(model.one.weight, 1, 2, 3), norms(model.two.weight, 1, 2, 3))
    scales = stage(model.norm1.weight.detach(), model.norm2.weight.detach())
    reads = stage(norms(model.read1.weight, 0, 2, 3), norms(model.read2.weight, 0, 2, 3))
    (score,) = scores(found, norm).values()
    assert torch.allclose(score, (computes * scales * reads).pow(1 / 3))


@pytest.mark.parametrize("name", ["one.weight", "norm1.weight", "norm2.bias", "read1.weight", "two.bias"])
def test_the_scale_of_a_whole_tensor_does_not_count(name: str) -> None:
    torch.manual_seed(0)
    model = Joined()
    found = groups(model, torch.randn(1, 2, 8, 8))
    (before,) = scores(found).values()
    with torch.no_grad():
        model.get_parameter(name).mul_(50)
    (after,) = scores(found).values()
    assert torch.allclose(before, after)


def test_a_channel_that_is_0_in_one_stage_goes_first() -> None:
    """As slimming leaves it: its weights may be the largest of all."""
    torch.manual_seed(0)
    model = Joined()
    with torch.no_grad():
        model.norm1.weight[4] = model.norm2.weight[4] = 0.0
        model.one.weight[4] = model.read1.weight[:, 4] = 100.0
        model.read1.weight[:, 2] = model.read2.weight[:, 2] = 0.0
    found = groups(model, torch.randn(1, 2, 8, 8))
    (score,) = scores(found).values()
    assert score[[2, 4]].tolist() == [0, 0]
    assert choose(scores(found), 1 / 3) == {found.families[0].name: [2, 4]}


def test_depthwise_weights_are_a_stage_of_their_own() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 6, 1), nn.Conv2d(6, 6, 3, groups=6), nn.ReLU(), nn.Conv2d(6, 3, 1))
    found = groups(model, torch.randn(1, 2, 8, 8))
    weights = [each.weight.detach().abs() for each in model if isinstance(each, nn.Conv2d)]
    parts = [weights[0].mean((1, 2, 3)), weights[1].mean((1, 2, 3)), weights[2].mean((0, 2, 3))]
    expected = torch.stack([stage(each) for each in parts]).prod(0).pow(1 / 3)
    (score,) = scores(found).values()
    assert torch.allclose(score, expected)


def test_a_family_of_zeros_has_scores() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.Conv2d(4, 3, 1))
    with torch.no_grad():
        for each in model.parameters():
            each.zero_()
    (score,) = scores(groups(model, torch.randn(1, 2, 8, 8))).values()
    assert score.tolist() == [0, 0, 0, 0]


def test_a_share_of_each_family() -> None:
    assert choose(SCORES, 0.5) == {"a": [1, 2, 3], "b": [1, 2]}
    assert choose(SCORES, 0.34) == {"a": [1, 3], "b": [1]}
    assert choose(SCORES, 0.0) == {}


def test_equal_scores_go_in_order() -> None:
    assert choose(SCORES, 1 / 6) == {"a": [1]}
    assert choose({"a": torch.ones(4)}, 0.5) == {"a": [0, 1]}


def test_a_share_of_all_together() -> None:
    assert choose(SCORES, 0.3, scope="global") == {"b": [0, 1, 2]}
    assert choose(SCORES, 0.5, scope="global") == {"a": [1, 3], "b": [0, 1, 2]}


def test_some_stay_in_any_case() -> None:
    assert choose(SCORES, 1.0) == {"a": [0, 1, 2, 3, 5], "b": [0, 1, 2]}
    assert choose(SCORES, 1.0, keep_at_least=4) == {"a": [1, 3]}
    assert choose(SCORES, 0.3, scope="global", keep_at_least=3) == {"b": [1]}


def test_what_stays_is_rounded_up_to_a_multiple() -> None:
    chosen = choose(SCORES, 0.5, round_to=4)
    assert chosen == {"a": [1, 3]}  # 3 of 6 become 4, 2 of 4 become 4
    assert choose(SCORES, 0.9, round_to=2) == {"a": [0, 1, 2, 3], "b": [1, 2]}


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_a_share_of_the_macs_by_the_fewest_groups(share: float) -> None:
    model, inputs = build("unet")
    found = groups(model, *inputs)
    each = scores(found)
    removal = choose_cost(found, each, share)
    assert found.macs(removal) <= found.macs() * (1 - share)
    number = sum(map(len, removal.values()))
    fewer = choose(each, (number - 1) / sum(map(len, each.values())), scope="global")
    assert found.macs(fewer) > found.macs() * (1 - share)
    masks = found.masks(removal)
    with torch.no_grad():
        for name, mask in masks.items():
            model.get_parameter(name).mul_(mask)
    thin(model, inputs)
    assert macs(model, *inputs) == found.macs(removal)


def test_a_share_of_the_parameters() -> None:
    model, inputs = build("unet")
    found = groups(model, *inputs)
    each = scores(found)
    removal = choose_cost(found, each, 0.6, cost="parameters")
    assert found.parameters(removal) <= 0.4 * found.parameters()
    number = sum(map(len, removal.values()))
    fewer = choose(each, (number - 1) / sum(map(len, each.values())), scope="global")
    assert found.parameters(fewer) > 0.4 * found.parameters()
    assert removal != choose_cost(found, each, 0.6)


def test_more_than_can_go_is_an_error() -> None:
    model, inputs = build("unet")
    found = groups(model, *inputs)
    with pytest.raises(StructureError, match=r"expected a share of the multiply-accumulates up to 0.\d+, found 0.999"):
        choose_cost(found, scores(found), 0.999)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"share": 1.5}, "a share from 0 to 1, found 1.5"),
        ({"share": float("nan")}, "a share from 0 to 1, found nan"),
        ({"share": 0.5, "keep_at_least": 0}, "keep_at_least of at least 1, found 0"),
        ({"share": 0.5, "round_to": 0}, "round_to of at least 1, found 0"),
        ({"share": 0.5, "scope": "layer"}, "scope 'family' or 'global', found 'layer'"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(StructureError, match=sentence):
        choose(SCORES, **arguments)  # type: ignore[arg-type]


def test_bad_removals() -> None:
    model, inputs = build("conv2d")
    found = groups(model, *inputs)
    with pytest.raises(StructureError, match="norm 'l1' or 'l2', found 'l3'"):
        scores(found, "l3")
    with pytest.raises(StructureError, match="the name of a family of channels, found 'nothing'"):
        found.masks({"nothing": [0]})
    with pytest.raises(StructureError, match="groups of 0.weight from 0 to 7"):
        found.masks({"0.weight": [8]})


def test_rows_of_a_tensor() -> None:
    model, inputs = build("residual")
    found = groups(model, *inputs)
    ((family, index),) = found.rows_of("body.weight")
    assert family is found.families[0]
    assert index.tolist() == [[row] for row in range(8)]
    assert found.rows_of("end.weight") == []
    ((reader, _),) = found.rows_of("end.weight", 1)
    assert reader is family


def test_macs_of_layers() -> None:
    def run(layer: nn.Module, inputs: Tensor) -> int:
        return macs(layer, inputs)

    image = torch.randn(2, 6, 8, 8)
    assert run(nn.Conv2d(6, 4, 3, padding=1), image) == 2 * 64 * 4 * 6 * 9
    assert run(nn.Conv2d(6, 12, 3, groups=6), image) == 2 * 36 * 12 * 9
    assert run(nn.ConvTranspose2d(6, 4, 2, 2), image) == 2 * 64 * 6 * 4 * 4
    assert run(nn.Linear(8, 5), image) == 2 * 6 * 8 * 8 * 5
    assert run(nn.LSTM(8, 5, batch_first=True), torch.randn(2, 7, 8)) == 2 * 7 * (4 * 5 * 8 + 4 * 5 * 5)
    assert run(nn.ReLU(), image) == 0
