"""Two processes of gloo under DistributedDataParallel: the same masks, and what one process computes."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch import distributed as dist

from qprep.compression import (
    AutomatedGradualPruner,
    CompressionError,
    PruningPolicy,
    Scheduler,
    StructurePruner,
    ThinningPolicy,
)
from qprep.compression.pruners.ranked import ActivationMeanRankedFilterPruner

DATA = torch.randn(16, 1, 6, 6, generator=torch.Generator().manual_seed(2))
LABELS = torch.arange(16) % 4


def net() -> nn.Sequential:
    """Without BatchNorm, whose statistics are of each process alone."""
    torch.manual_seed(0)
    layers = (nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))


def trained(images: Tensor, labels: Tensor, parallel: bool) -> dict[str, Any]:
    """Thin half of the channels, wrap, then AGP and filters by activations; what came of it."""
    model: nn.Module = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    before = Scheduler(model, optimizer, example_inputs=DATA[:2])
    before.add_policy(PruningPolicy(StructurePruner(0.5)), epochs=[0])
    before.add_policy(ThinningPolicy(), epochs=[0])
    before.on_epoch_begin(0)
    before.on_minibatch_begin(0)
    before.finish()
    bare = model
    model = nn.parallel.DistributedDataParallel(model) if parallel else model
    scheduler = Scheduler(model, optimizer, example_inputs=DATA[:2])
    fine = AutomatedGradualPruner(0.1, 0.6, ["module.2.weight"])
    scheduler.add_policy(PruningPolicy(fine), starting_epoch=0, ending_epoch=3)
    filters = ActivationMeanRankedFilterPruner("Filters", 0.5, "0.weight", weights_only=True)
    scheduler.add_policy(PruningPolicy(filters), epochs=[2])
    for _ in scheduler.epochs(4):
        for _ in scheduler.steps(range(2)):
            optimizer.zero_grad()
            scheduler.backward(nn.functional.cross_entropy(model(images), labels))
            optimizer.step()
    error = refused(scheduler) if parallel else ""
    return {"state": bare.state_dict(), "masks": dict(scheduler.masks), "error": error}


def refused(scheduler: Scheduler) -> str:
    scheduler.add_policy(ThinningPolicy(), epochs=[4])
    scheduler.on_epoch_begin(4)
    try:
        scheduler.on_minibatch_begin(4)
    except CompressionError as found:
        return str(found)
    return ""


def _worker(rank: int, port: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    torch.set_num_threads(1)
    try:
        half = slice(8 * rank, 8 * rank + 8)
        torch.save(trained(DATA[half], LABELS[half], parallel=True), Path(folder) / f"{rank}.pt")
    finally:
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.start_processes(_worker, args=(port, str(folder)), nprocs=2, start_method="spawn")  # type: ignore[attr-defined, no-untyped-call]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def test_masks_and_weights_are_equal_on_both_ranks(ranks: list[dict[str, Any]]) -> None:
    first, second = ranks
    assert set(first["masks"]) == {"0.weight", "2.weight"}
    for name, mask in first["masks"].items():
        assert torch.equal(mask, second["masks"][name])
    for name, value in first["state"].items():
        assert torch.equal(value, second["state"][name])


def test_two_processes_compute_what_one_does_with_the_joined_batch(ranks: list[dict[str, Any]]) -> None:
    alone = trained(DATA, LABELS, parallel=False)
    assert {name: value.shape for name, value in alone["state"].items()}["0.weight"] == (4, 1, 3, 3)
    for name, value in alone["state"].items():
        assert torch.allclose(value, ranks[0]["state"][name], atol=1e-6), name
    for name, mask in alone["masks"].items():
        assert torch.equal(mask, ranks[0]["masks"][name]), name


def test_thinning_a_wrapped_model_is_refused(ranks: list[dict[str, Any]]) -> None:
    assert ranks[0]["error"] == (
        "expected to remove channels before the model is wrapped for DDP, found a wrapped model"
    )
