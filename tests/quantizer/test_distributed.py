"""Ranges over two processes of gloo, under DistributedDataParallel."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import torch
import torch.multiprocessing as mp
from torch import distributed as dist
from torch import nn

from qprep.quantizer import LinearQATQuantizer
from qprep.quantizer.distributed import reduced_range
from tests.quantizer.models import mlp


def _worker(rank: int, port: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    torch.set_num_threads(1)
    try:
        model = mlp()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        quantizer = LinearQATQuantizer(model, optimizer)
        data = torch.randn(8, 8, generator=torch.Generator().manual_seed(rank)) * (1 + rank)
        quantizer.prepare_model(data)
        parallel = nn.parallel.DistributedDataParallel(quantizer.model.train())
        for _ in range(3):
            optimizer.zero_grad()
            parallel(data).pow(2).mean().backward()
            optimizer.step()
        torch.save({"state": quantizer.model.state_dict(), "data": data}, Path(folder) / f"{rank}.pt")
    finally:
        dist.destroy_process_group()


def test_both_ranks_have_the_range_of_all_data(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.start_processes(_worker, args=(port, str(tmp_path)), nprocs=2, start_method="spawn")  # type: ignore[attr-defined, no-untyped-call]
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert list(first["state"]) == list(second["state"])
    for name, value in first["state"].items():
        assert torch.equal(value, second["state"][name]), name
    both = torch.cat([first["data"], second["data"]])
    assert first["state"]["0.inputs.0.low"].item() == both.min().item()
    assert first["state"]["0.inputs.0.high"].item() == both.max().item()
    assert both.min() < first["data"].min()


def test_one_process_exchanges_nothing() -> None:
    low, high = torch.tensor(-1.0), torch.tensor(2.0)
    found = reduced_range(low, high)
    assert found[0] is low
    assert found[1] is high
