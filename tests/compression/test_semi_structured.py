"""2:4 weights in torch's packed form, on the CPU: packing needs no GPU, only the kernels that multiply it do.

Torch packs two values and their places of every four. It drops a third value without a word, so a weight that comes
back exactly has the pattern. The test on a GPU is in test_policies.py.
"""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.sparse import SparseSemiStructuredTensorCUTLASS
from torch.sparse._semi_structured_conversions import (
    sparse_semi_structured_from_dense_cutlass,
    sparse_semi_structured_to_dense_cutlass,
)

from qprep.compression import NMPruner, Pruner, PruningPolicy, Scheduler, SparseGPTPruner, WandaPruner
from qprep.compression.semi_structured import _COLUMNS, _ROWS
from tests.compression.nets import seeded, sgd

HALVES = [torch.float16, torch.bfloat16]
PATTERNS = [each for each in product((0.0, 1.0), repeat=4) if sum(each) <= 2]  # 11 of 16
DATA = [torch.randn(16, 128, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]


class Layers(nn.Module):
    """A matrix and a convolution whose shapes the kernels take."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.conv, self.last = nn.Linear(128, 64), nn.Conv2d(64, 32, 3, padding=1), nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 128) to (B, 4)."""
        x = self.first(x).relu()[:, :, None, None].expand(-1, -1, 3, 3)
        return self.last(self.conv(x).mean((2, 3)))  # type: ignore[no-any-return]


def unpacked(weight: Tensor) -> Tensor:
    """A matrix, packed and unpacked; the packed values are half as many."""
    values, places = sparse_semi_structured_from_dense_cutlass(weight)  # type: ignore[no-untyped-call]
    assert values.shape == (weight.shape[0], weight.shape[1] // 2)
    back: Tensor = sparse_semi_structured_to_dense_cutlass(values, places)  # type: ignore[no-untyped-call]
    return back


def matrix(weight: Tensor) -> Tensor:
    """A weight as a kernel has it: outputs by inputs, a convolution's place by place."""
    return weight.detach().movedim(1, -1).reshape(weight.shape[0], -1)


@pytest.mark.parametrize("dtype", [*HALVES, torch.int8])
def test_every_pattern_of_two_in_four_packs_and_unpacks_exactly(dtype: torch.dtype) -> None:
    """All 11 ** 4 sequences of four groups: as many as one number of the packed form holds for halves."""
    rows = torch.tensor(list(product(PATTERNS, repeat=4))).reshape(-1, 16)
    rows = torch.cat([rows, torch.zeros(-len(rows) % (_ROWS * 4), 16)]).reshape(-1, 64)
    signs = torch.randint(1, 100, rows.shape, generator=torch.Generator().manual_seed(0))
    weight = (rows * signs * (1 - 2 * (signs % 2))).to(dtype)
    assert torch.equal(unpacked(weight), weight)


def test_a_third_value_does_not_come_back() -> None:
    weight = torch.zeros(_ROWS, _COLUMNS, dtype=torch.float16)
    weight[3, 4:7] = 1
    assert not torch.equal(unpacked(weight), weight)


@pytest.mark.parametrize("dtype", HALVES)
def test_masked_weights_pack_after_every_step(dtype: torch.dtype) -> None:
    model = seeded(Layers)
    optimizer = sgd(model, 0.1)
    scheduler = Scheduler(model, optimizer)
    pruner = NMPruner("2:4", ["first.weight", "conv.weight"])
    scheduler.add_policy(PruningPolicy(pruner), starting_epoch=0, ending_epoch=2)
    for epoch in scheduler.epochs(3):
        for inputs in scheduler.steps(DATA):
            optimizer.zero_grad()
            scheduler.backward(model(inputs).square().mean() + 0 * epoch)
            optimizer.step()
            for weight in (model.first.weight, model.conv.weight):
                half = matrix(weight).to(dtype)
                assert torch.equal(unpacked(half), half)
                assert 0.4 < float((half == 0).float().mean()) < 0.6
    half = model.first.weight.detach().to(dtype)
    wanted = nn.functional.linear(DATA[0].to(dtype), half)
    assert torch.equal(nn.functional.linear(DATA[0].to(dtype), unpacked(half)), wanted)


@pytest.mark.parametrize("kind", [WandaPruner, SparseGPTPruner])
def test_patterns_at_once_pack(kind: type[WandaPruner | SparseGPTPruner]) -> None:
    model = seeded(Layers)
    scheduler = Scheduler(model, sgd(model), calibrate=DATA, example_inputs=DATA[0])
    pruner: Pruner = kind(["first.weight"], pattern="2:4")
    scheduler.add_policy(PruningPolicy(pruner), epochs=[0])
    scheduler.on_epoch_begin(0)
    half = model.first.weight.detach().half()
    assert torch.equal(unpacked(half), half)


@pytest.mark.parametrize("dtype", HALVES)
def test_shapes_are_those_of_torchs_kernels(dtype: torch.dtype) -> None:
    wanted = SparseSemiStructuredTensorCUTLASS._DTYPE_SHAPE_CONSTRAINTS[dtype]
    assert (wanted.sparse_min_rows, wanted.sparse_min_cols) == (_ROWS, _COLUMNS)
