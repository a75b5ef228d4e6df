"""Scores of groups, shares of a family, of all, and of the multiply-accumulates."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from qprep.compression.structure import StructureError, choose, choose_cost, groups, macs, scores, thin
from tests.compression.structure.models import build

SCORES = {"a": torch.tensor([5.0, 1.0, 3.0, 1.0, 9.0, 8.0]), "b": torch.tensor([0.5, 0.2, 0.4, 7.0])}


def test_scores_are_mean_norms_over_all_weights_that_make_a_group() -> None:
    model, inputs = build("residual")
    found = groups(model, *inputs)
    stem, body = (model.get_parameter(f"{name}.weight").detach().double() for name in ("stem", "body"))
    (one,) = scores(found, "l1").values()
    expected = (stem.abs().mean((1, 2, 3)) + body.abs().mean((1, 2, 3))) / 2
    assert torch.allclose(one, expected)
    (two,) = scores(found, "l2").values()
    assert torch.allclose(two, (stem.square().mean((1, 2, 3)).sqrt() + body.square().mean((1, 2, 3)).sqrt()) / 2)


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
    removal = choose_cost(found, each, 0.5, cost="parameters")
    assert found.parameters(removal) <= 0.5 * found.parameters()
    number = sum(map(len, removal.values()))
    fewer = choose(each, (number - 1) / sum(map(len, each.values())), scope="global")
    assert found.parameters(fewer) > 0.5 * found.parameters()
    assert removal != choose_cost(found, each, 0.5)


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
