"""Structures that stay, with the reason in the notes, and unusual ones that are removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from qprep.compression.structure import Groups, groups
from tests.compression.structure.models import Model

IMAGE = (2, 3, 6, 6)


def between(run: Callable[[Tensor], Any], width: int = 8, end: int = 8) -> Model:
    """A convolution, `run`, and a convolution that reads what it returns."""
    torch.manual_seed(0)
    return Model(
        lambda m, x: m.end(run(m.stem(x))), stem=nn.Conv2d(3, width, 3, padding=1), end=nn.Conv2d(end, 4, 1)
    ).eval()


def found_between(run: Callable[[Tensor], Any], width: int = 8, end: int = 8) -> Groups:
    return groups(between(run, width, end), torch.randn(IMAGE))


FROZEN: dict[str, tuple[Callable[[Tensor], Any], int, str]] = {
    "sigmoid": (torch.sigmoid, 8, "not 0 where they are read"),
    "plus a constant": (lambda x: x + 1, 8, "not 0 where they are read"),
    "a threshold": (lambda x: x.clamp(min=0.1), 8, "not 0 where they are read"),
    "a norm without weights": (lambda x: functional.batch_norm(x, torch.ones(8), torch.ones(8)), 8, "fixed width"),
    "softmax": (lambda x: x.softmax(1), 8, "softmax runs over them"),
    "layer norm": (lambda x: functional.layer_norm(x.movedim(1, -1), (8,)).movedim(-1, 1), 8, "layer_norm runs over"),
    "rms norm": (lambda x: functional.rms_norm(x.movedim(1, -1), (8,)).movedim(-1, 1), 8, "rms_norm runs over them"),
    "response norm": (lambda x: functional.local_response_norm(x, 3), 8, "local_response_norm is not known"),
    "mean": (lambda x: x * x.mean(1, keepdim=True), 8, "mean runs over them"),
    "largest": (lambda x: x - x.amax(1, keepdim=True), 8, "amax runs over them"),
    "a slice": (lambda x: x[:, :5], 5, "takes a part of them by position"),
    "one of them": (lambda x: x[:, 0:1].expand(-1, 8, -1, -1), 8, "by position"),
    "parts of other sizes": (lambda x: torch.split(x, [5, 3], 1)[0] * 2, 5, "cuts them into parts"),
    "a sort": (lambda x: x.sort(1).values, 8, "sort is not known to keep channels apart"),
    "their own order": (lambda x: x.gather(1, x.argsort(1)), 8, "argsort is not known"),
    "windows": (lambda x: functional.unfold(x, 1).view(x.shape), 8, "im2col is not known"),
    "a fixed tensor": (lambda x: x + torch.ones(8, 1, 1), 8, "joins them with a tensor whose width is fixed"),
    "written into another": (lambda x: torch.zeros_like(x).copy_(x), 8, "copy_ is not known"),
    "a constant shape": (lambda x: x.reshape(2, 8, 6, 6), 8, "it fails (RuntimeError: shape"),
    "a constant order": (lambda x: x[:, torch.tensor([3, 2, 1, 0, 7, 6, 5, 4])], 8, "it fails (IndexError"),
    "pooling over them": (lambda x: functional.max_pool1d(x.flatten(2).mT, 2).mT.unsqueeze(3), 4, "runs over them"),
    "their numbers": (lambda x: x * float(x.abs().argmax(1).float().mean()), 8, "argmax runs over them"),
    "a dropout that never ends": (functional.dropout2d, 8, "its output differs by"),
    "a sum that folds what is not 0": (
        lambda x: x * torch.einsum("bchw->bhw", x.sigmoid()).unsqueeze(1),
        8,
        "not 0 where they are read",
    ),
    "a fixed factor": (lambda x: torch.einsum("bchw,c->bchw", x, torch.ones(8)), 8, "einsum joins them with a tensor"),
    "a diagonal": (lambda x: x * torch.einsum("bcii->bc", x)[..., None, None], 8, "einsum is not known"),
    "dots": (lambda x: torch.einsum("...hw->...wh", x), 8, "einsum is not known"),
    "numpy": (lambda x: torch.from_numpy(x.numpy()), 8, "numpy is not known"),
    "an unknown function": (lambda x: torch.fft.fft(x, dim=1).real, 8, "is not known to keep channels apart"),
}


@pytest.mark.parametrize("name", list(FROZEN))
def test_stays_with_a_reason(name: str) -> None:
    run, end, reason = FROZEN[name]
    found = found_between(run, end=end)
    assert found.families == ()
    (frozen,) = (each for each in found.frozen if each.weight == "stem.weight")
    assert reason in frozen.reason
    assert frozen.place.startswith(__file__) or "differs" in reason
    assert frozen.count == 8


GOES: dict[str, tuple[Callable[[Tensor], Any], int]] = {
    "square root": (lambda x: x.abs().sqrt(), 8),
    "a product with a constant": (lambda x: 3 * x / 7, 8),
    "tanh": (torch.tanh, 8),
    "gelu": (functional.gelu, 8),
    "a gate by hand": (lambda x: x * functional.relu6(x + 3) / 6, 8),
    "a gate in place": (lambda x: x.mul(x.clone().add_(3.0).clamp_(0.0, 6.0).div_(6.0)), 8),
    "a comparison": (lambda x: x * (x > 0.1), 8),
    "a choice": (lambda x: torch.where(x > 0, x, 0.1 * x), 8),
    "dropout": (lambda x: functional.dropout2d(x, training=False), 8),
    "squared pooling": (lambda x: functional.lp_pool2d(x, 2.0, 2), 8),
    "sum over them": (lambda x: x / (x.square().sum(1, keepdim=True) + 1), 8),
    "unit length": (functional.normalize, 8),
    "permuted": (lambda x: x.permute(0, 2, 3, 1).flip(1).contiguous().permute(0, 3, 1, 2), 8),
    "another size of a map": (lambda x: functional.interpolate(x, scale_factor=2.0, mode="bicubic"), 8),
    "spread and summed": (lambda x: torch.stack([x, x]).sum(0), 8),
    "twice": (lambda x: torch.cat([x, x], 1), 16),
    "repeated": (lambda x: x.repeat(1, 2, 1, 1), 16),
    "a running sum of space": (lambda x: x.cumsum(-1), 8),
    "softmax of space": (lambda x: x * x.flatten(2).softmax(-1).view_as(x), 8),
    "a reflected border": (lambda x: functional.pad(x, (1, 1, 1, 1), mode="reflect"), 8),
    "shuffled by torch": (lambda x: functional.channel_shuffle(x, 2), 8),
    "attributes": (lambda x: x.mT.mT.data, 8),
    "in double": (lambda x: x.double().relu().float(), 8),
    "halves added": (lambda x: sum(x.chunk(2, 1)), 4),
    "like its input": (lambda x: x + torch.zeros_like(x), 8),
    "depth to space": (lambda x: functional.pixel_shuffle(x, 2), 2),
    "space to depth": (lambda x: functional.pixel_unshuffle(x, 2), 32),
    "unbound": (lambda x: torch.stack(x.unbind(3), 3), 8),
    "a map turned by einsum": (lambda x: torch.einsum("bchw->bcwh", x), 8),
    "a product over them by einsum": (lambda x: x * torch.einsum("bchw,bchw->bhw", x, x).unsqueeze(1), 8),
    "by a length": (lambda x: x.view(len(x), -1, 6, 6), 8),
}


@pytest.mark.parametrize("name", list(GOES))
def test_goes(name: str) -> None:
    run, end = GOES[name]
    found = found_between(run, end=end)
    assert [family.name for family in found.families] == ["stem.weight"], found.notes


def test_padding_with_another_value_is_no_zero() -> None:
    assert found_between(lambda x: functional.pad(x, (1, 1), value=0.5)).families == ()
    assert len(found_between(lambda x: functional.pad(x, (1, 1))).families) == 1


def test_a_view_that_is_written_to_stays() -> None:
    def run(x: Tensor) -> Tensor:
        x.flatten(2).add_(1)  # x changes with it
        return x

    found = found_between(run)
    assert found.families == ()
    assert "writes into a part of a tensor" in str(found.notes)


def test_a_gate_must_be_of_the_same_channels() -> None:
    def run(m: Model, x: Tensor) -> Any:
        return m.end(m.stem(x) * m.gate(x).sigmoid())

    layers = {"stem": nn.Conv2d(3, 8, 1), "gate": nn.Conv2d(3, 8, 1), "end": nn.Conv2d(8, 4, 1)}
    (family,) = groups(Model(run, **layers), torch.randn(IMAGE)).families
    assert {slot.tensor for slot in family.slots} == {
        *("stem.weight", "stem.bias", "gate.weight", "gate.bias", "end.weight")
    }


def test_members_say_what_is_masked() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    (family,) = groups(model, torch.randn(IMAGE)).families
    roles = {slot.tensor: (slot.dim, slot.masked, slot.makes, slot.index.shape[1]) for slot in family.slots}
    assert roles == {
        "0.weight": (0, True, True, 1),
        "0.bias": (0, True, False, 1),
        "1.weight": (0, True, False, 1),
        "1.bias": (0, True, False, 1),
        "1.running_mean": (0, False, False, 1),
        "1.running_var": (0, False, False, 1),
        "4.weight": (1, False, False, 36),
    }
    assert list(family.members(1))[-1] == ("4.weight", 1, tuple(range(36, 72)))
    masks = groups(model, torch.randn(IMAGE)).masks({"0.weight": [1]})
    assert set(masks) == {"0.weight", "0.bias", "1.weight", "1.bias"}
    assert not masks["0.weight"][1].any()
    assert masks["0.weight"][[0, 2, 3]].all()


def test_a_vocabulary_stays_and_a_width_goes() -> None:
    model = nn.Sequential(nn.Embedding(10, 6), nn.Linear(6, 2))
    (family,) = groups(model, torch.randint(0, 10, (2, 5))).families
    assert [(slot.tensor, slot.dim) for slot in family.slots] == [("0.weight", 1), ("1.weight", 1)]


def test_depthwise_by_a_constant_stays() -> None:
    weight = nn.Parameter(torch.randn(8, 1, 3, 3))
    constant = Model(
        lambda m, x: m.end(functional.conv2d(m.stem(x), m.weight, groups=8)),
        stem=nn.Conv2d(3, 8, 1),
        weight=weight,
        end=nn.Conv2d(8, 4, 1),
    )
    found = groups(constant, torch.randn(IMAGE))
    assert found.families == ()
    assert "the groups of conv2d are not an attribute of its module" in str(found.notes)
    constant.run = lambda m, x: m.end(functional.conv2d(m.stem(x), m.weight, groups=m.groups))
    object.__setattr__(constant, "groups", 8)
    (family,) = groups(constant, torch.randn(IMAGE)).families
    assert ("", "groups") in {(width.module, width.attribute) for width in family.widths}


def test_a_norm_whose_bias_no_mask_reaches_stays() -> None:
    def run(m: Model, x: Tensor) -> Any:
        return m.end(functional.batch_norm(m.stem(x), m.mean, m.variance, m.gamma, m.beta))

    tensors = {"mean": torch.zeros(8), "variance": torch.ones(8), "beta": torch.ones(8)}
    layers = {"stem": nn.Conv2d(3, 8, 1), "end": nn.Conv2d(8, 4, 1)}
    gamma = nn.Parameter(torch.ones(8))
    found = groups(Model(run, gamma=gamma, **tensors, **layers), torch.randn(IMAGE))
    assert found.families == ()
    assert "stem.weight: 8 channels stay: they are not 0 where they are read" in str(found.notes)
