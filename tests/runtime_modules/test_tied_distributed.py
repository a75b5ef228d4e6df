"""Tied modules under DistributedDataParallel, with one process."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn

from qprep.runtime_modules import another


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.linear_1 = another(self.linear)

    def forward(self, input: Tensor) -> Tensor:
        return self.linear_1(self.linear(input).relu())  # type: ignore[no-any-return]


@pytest.fixture
def _group(tmp_path: Path) -> Iterator[None]:
    if not distributed.is_available():
        pytest.skip("torch is built without torch.distributed")
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("_group")
def test_trains_as_without() -> None:
    torch.manual_seed(0)
    plain = Twice()
    parallel = nn.parallel.DistributedDataParallel(copy.deepcopy(plain))
    data = torch.randn(8, 4)
    for model in (plain, parallel):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        model(data).square().sum().backward()
        optimizer.step()
    assert [name for name, _ in parallel.named_parameters()] == ["module.linear.weight", "module.linear.bias"]
    for one, other in zip(plain.parameters(), parallel.parameters(), strict=True):
        assert torch.equal(one, other)
