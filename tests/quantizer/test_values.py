"""Tensors within what models take and return."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.quantizer.graph.tensor_leaves import map_tensors, tensors_in
from tests.quantizer.models import snr
from tests.quantizer.test_integer import calibrated, image

Pair = namedtuple("Pair", ["y", "rest"])  # noqa: PYI024  (as users write it)


@dataclass
class Output:
    y: Tensor
    rest: Any = None
    name: str = "output"


@dataclass(frozen=True)
class Frozen:
    y: Tensor
    rest: Any
    name: str
    number: int = field(init=False, default=3)


KINDS: dict[str, Any] = {
    "tuple": lambda y, h: (y, h, None, 3),
    "nested list": lambda y, h: [y, [h, "text"]],
    "dict": lambda y, h: {"y": y, "rest": [h]},
    "ordered": lambda y, h: OrderedDict(y=y, rest=h),
    "default": lambda y, h: defaultdict(list, y=y, rest=h),
    "named": Pair,
    "dataclass": Output,
    "frozen": lambda y, h: Frozen(y, {"h": (h,)}, "other"),
}


class Returns(nn.Module):
    """Returns two tensors in a value of some kind."""

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.first, self.second, self.kind = nn.Linear(8, 8), nn.Linear(8, 4), kind

    def forward(self, x: Tensor) -> Any:
        hidden = self.first(x)
        return self.kind(self.second(hidden), hidden)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_comes_back(kind: Any) -> None:
    value = kind(torch.ones(2), torch.zeros(3))
    found = map_tensors(lambda index, tensor: tensor + index + 1, value)
    assert type(found) is type(value)
    assert [each.tolist() for each in tensors_in(found)] == [[2, 2], [2, 2, 2]]
    assert [each.tolist() for each in tensors_in(value)] == [[1, 1], [0, 0, 0]]
    if isinstance(value, Frozen):
        assert (found.name, found.number) == ("other", 3)
    if isinstance(value, defaultdict):
        assert found.default_factory is list


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_outputs_of_every_kind_are_quantized(kind: Any) -> None:
    torch.manual_seed(0)
    model, x = Returns(kind), image(16, 8)
    quantizer = calibrated(model, x)
    assert [each.name for each in quantizer.quantizers][-1] == "second"
    for found in (quantizer.convert()(x), quantizer.to_integer()(x)):
        assert type(found) is type(model(x))
        for one, other in zip(tensors_in(model(x)), tensors_in(found), strict=True):
            assert type(other) is Tensor
            assert snr(one, other) > 30
