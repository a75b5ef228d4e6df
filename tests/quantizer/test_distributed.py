"""Ranges over two processes of gloo, under DistributedDataParallel."""

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

from qprep.quantizer import LinearQATQuantizer, LSQQuantizer, PACTQuantizer, PostTrainingQuantizer, TQTQuantizer
from qprep.quantizer.distributed import reduced_range
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer
from tests.quantizer.models import mlp

TRAINED: tuple[type[TrainingQuantizer], ...] = (LinearQATQuantizer, LSQQuantizer, TQTQuantizer, PACTQuantizer)


def _worker(rank: int, port: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    torch.set_num_threads(1)
    try:
        data = torch.randn(8, 8, generator=torch.Generator().manual_seed(rank)) * (1 + rank) + rank
        found: dict[str, Any] = {method.__name__: _trained(method(mlp()), data) for method in TRAINED}
        found["PostTrainingQuantizer"] = _calibrated(data, rank)
        torch.save({"data": data, **found}, Path(folder) / f"{rank}.pt")
    finally:
        dist.destroy_process_group()


def _trained(quantizer: TrainingQuantizer, data: Tensor) -> dict[str, Tensor]:
    quantizer.prepare_model(data)
    parallel = nn.parallel.DistributedDataParallel(quantizer.model.train())
    optimizer = torch.optim.SGD(parallel.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        parallel(data).pow(2).mean().backward()
        optimizer.step()
    return quantizer.model.state_dict()


def _calibrated(data: Tensor, rank: int) -> dict[str, Tensor]:
    """The second rank has a layer that the first one does not run."""
    quantizer = PostTrainingQuantizer(Sometimes(), 8, 8)
    quantizer.prepare_model(data)
    quantizer.calibrate([data if rank else data.abs()])
    return {
        each.name: torch.tensor(each.range or (0.0, 0.0)) for each in quantizer.quantizers if hasattr(each, "range")
    }


class Sometimes(nn.Module):
    """A second layer for negative sums alone."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = mlp(), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 8) to (B, 4)."""
        return self.second(self.first(x)) if bool((x < 0).any()) else self.first(x)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.start_processes(_worker, args=(port, str(folder)), nprocs=2, start_method="spawn")  # type: ignore[attr-defined, no-untyped-call]
    first, second = (torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2))
    return first, second


@pytest.mark.parametrize("method", [*(method.__name__ for method in TRAINED), "PostTrainingQuantizer"])
def test_both_ranks_end_with_the_same(method: str, results: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, second = (each[method] for each in results)
    assert list(first) == list(second)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_ranges_are_those_of_all_data(results: tuple[dict[str, Any], dict[str, Any]]) -> None:
    first, second = results
    both = torch.cat([first["data"], second["data"]])
    state = first["LinearQATQuantizer"]
    assert state["0.inputs.0.low"].item() == both.min().item()
    assert state["0.inputs.0.high"].item() == both.max().item()
    assert both.min() < first["data"].min()
    calibrated = torch.cat([first["data"].abs(), second["data"]])
    assert first["PostTrainingQuantizer"]["input 0"].tolist() == [calibrated.min().item(), calibrated.max().item()]


def test_one_process_exchanges_nothing() -> None:
    low, high = torch.tensor(-1.0), torch.tensor(2.0)
    found = reduced_range(low, high)
    assert found[0] is low
    assert found[1] is high
