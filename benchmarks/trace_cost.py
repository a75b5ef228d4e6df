"""Cost of a trace: time of a traced forward against a plain one, and memory against the number of operations.

    python benchmarks/trace_cost.py [--runs N]

The model is torchvision's resnet50 at 1×3×224×224 on the CPU, in eval mode, one thread. Exits 1
where a traced forward takes more than 3 × the plain one, or where a loop of many operations needs more memory than a
loop of few.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import torch
from benchmark_inputs import import_torchvision
from torch import Tensor, nn

import qprep

QUICK = ["--runs", "3"]
LIMIT = 3.0
GROWTH = 16 * 1024  # bytes
PEAKS = 3


class Loop(nn.Module):
    """A number of operations on one line."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        """`times` operations."""
        for _ in range(self.times):
            x = x + 1
        return x


def main() -> int:
    """Print both figures; 0 where both keep their limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    ratio = _time(import_torchvision().models.resnet50().eval(), options.runs)
    growth = _peak(40_000) - _peak(4_000)
    print(f"peak memory of a trace of 40,000 operations against 4,000: {growth:+d} bytes (limit {GROWTH})")
    return int(ratio > LIMIT or growth > GROWTH)


def _time(model: nn.Module, runs: int) -> float:
    image = torch.randn(1, 3, 224, 224)

    def plain() -> Any:  # noqa: ANN401  (the model's output)
        with torch.no_grad():
            return model(image)

    def traced() -> Any:  # noqa: ANN401  (the report)
        return qprep.trace(model, image)

    plain(), traced()
    pairs = [(_seconds(plain), _seconds(traced)) for _ in range(runs)]
    ordinary, with_trace = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = float(with_trace / ordinary)
    print(
        f"resnet50 at 1×3×224×224: plain {1000 * ordinary:.1f} ms, traced {1000 * with_trace:.1f} ms, "
        f"ratio {ratio:.2f} (limit {LIMIT:g}), median of {runs}"
    )
    return ratio


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _peak(operations: int) -> int:
    """Bytes that Python holds at most while a loop of `operations` is traced: the least of `PEAKS` traces.

    A single peak depends on when Python collects cycles: it varies by about 20,000 bytes.
    """
    model, x = Loop(operations).eval(), torch.ones(1)
    qprep.trace(model, x)
    return min(_traced_peak(model, x) for _ in range(PEAKS))


def _traced_peak(model: nn.Module, x: Tensor) -> int:
    gc.collect()
    tracemalloc.start()
    qprep.trace(model, x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    sys.exit(main())
