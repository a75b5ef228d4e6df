"""SmoothQuant against static W8A8 on two vision transformers with outliers, in decibels against float; prints a table.

python benchmarks/smooth_outliers.py [--quick]

The networks have random weights. As in trained ones, two channels behind every LayerNorm are 30 times as large, and the
weights that read them 1/30: what the network computes in float is the same. Exits 1 where smoothing gains less than 2
dB for one of them; `--quick` leaves the model of transformers out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch
from quantize_zoo import floats, given_to, sqnr
from torch import Tensor
from zoo_models import ROWS, Row

from qprep.quantizer import Graph, PostTrainingQuantizer, smooth_quant
from qprep.quantizer.methods.smooth_quant import divide, norm_groups

QUICK = ["--quick"]
LARGER, CHANNELS, GAIN = 30.0, 2, 2.0


def with_outliers(graph: Graph) -> None:
    """A pass: some channels of what normalizations give are larger, and their weights smaller."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for group in norm_groups(graph):
            factor = torch.ones(group.norm.weights[0].parameter.shape)
            factor[torch.randperm(len(factor), generator=generator)[:CHANNELS]] = 1 / LARGER
            divide(group, factor)


def decibels(row: Row, smooth: bool) -> float:
    """Of the simulation on data that calibration did not see."""
    model = row.build()
    seen, held = [row.data(seed, 8) for seed in range(4)], [row.data(1000 + seed, 8) for seed in range(2)]
    batches: list[Tensor | dict[str, Tensor]] = [next(iter(each.values())) if len(each) == 1 else each for each in seen]
    quantizer = PostTrainingQuantizer(model)
    quantizer.passes.insert_after("fold-batch-norm", "outliers", with_outliers)
    if smooth:
        quantizer.passes.insert_after("outliers", "smooth-quant", smooth_quant(batches))
    args, kwargs = given_to(seen[0])
    quantizer.prepare_model(*args, allow_unprepared=not row.prepared, **kwargs)
    quantizer.calibrate(batches)
    return sqnr(floats(model, held), floats(quantizer.convert(), held))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 where the claim fails."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    names = ["vit"] if options.quick else ["vit", "vit (transformers)"]
    failed = []
    print(f"{'model':24} {'static dB':>10} {'smooth dB':>10}")
    for row in (each for each in ROWS[False] if each.name in names):
        static, smooth = decibels(row, smooth=False), decibels(row, smooth=True)
        print(f"{row.name:24} {static:10.1f} {smooth:10.1f}", flush=True)
        if smooth < static + GAIN:
            failed.append(f"{row.name}: expected {GAIN} dB more than static, found {smooth - static:.1f}")
    print("\n".join(failed) or "all claims hold")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
