"""Time one training step of each method against float, and calibration against inference; print two tables.

python benchmarks/qat_step.py [--rounds N] [--quick]

One thread, a small residual network on 32 × 32 images, batches of 16. Every round runs every variant once; a ratio is
the median over the rounds of a variant's time divided by that of the float step in the same round. torch.ao's eager
flow (prepare_qat with its default configuration for x86) runs the same network in the same rounds; it does not
quantize what EltwiseAdd gives. Calibration with each estimator is one pass over 8 batches, beside inference on them.

Exits 1 where a step takes more than STEP times the float step, or calibration with min-max ranges more than CALIBRATION
times inference. `--quick` takes three rounds.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from qprep.quantizer import (
    DorefaQuantizer,
    LinearQATQuantizer,
    LSQQuantizer,
    PACTQuantizer,
    PostTrainingQuantizer,
    TQTQuantizer,
    WRPNQuantizer,
)
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer
from qprep.quantizer.ranges.estimators import ESTIMATORS
from qprep.runtime_modules import EltwiseAdd

QUICK = ["--quick"]
# Measured: 1.3 to 1.65. CPU times of one process in turn vary by a few per cent; a second pass over every tensor costs
# a half more.
STEP = 2.2
# Measured: 1.14. One look at each tensor is cheap beside a convolution; the other estimators compute more by design.
CALIBRATION = 1.6
PEER = "torch.ao prepare_qat"

METHODS: tuple[type[TrainingQuantizer], ...] = (
    LinearQATQuantizer,
    DorefaQuantizer,
    WRPNQuantizer,
    PACTQuantizer,
    TQTQuantizer,
    LSQQuantizer,
)


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1, self.relu1 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()
        self.conv2, self.bn2, self.relu2 = nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()
        self.add = EltwiseAdd()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), the same."""
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(self.add(y, x))  # type: ignore[no-any-return]


def network() -> nn.Sequential:
    """A stem, four blocks, a classifier."""
    torch.manual_seed(0)
    stem = (nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU())
    return nn.Sequential(
        *stem, *(Block(32) for _ in range(4)), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)
    )


def step_of(model: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], None]:
    """One step of plain gradient descent."""
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return step


def ao_model() -> nn.Module:
    """torch.ao's eager flow on the same network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.ao import quantization

        model = nn.Sequential(quantization.QuantStub(), *network()).train()
        model.qconfig = quantization.get_default_qat_qconfig("x86")
        prepared: nn.Module = quantization.prepare_qat(model)
    return prepared


def measured(variants: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each variant in each round, after two rounds to warm up."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 2):
        for name, step in variants.items():
            began = time.process_time()
            step()
            if number >= 2:
                times[name].append(time.process_time() - began)
    return times


def show(title: str, times: dict[str, list[float]], base: str) -> dict[str, float]:
    """Print medians, and medians of ratios to `base`; returns the ratios."""
    ratios = {}
    print(f"{title:34}      ms  × {base}")
    for name, found in times.items():
        ratio = ratios[name] = statistics.median(one / other for one, other in zip(found, times[base], strict=True))
        print(f"{name:34} {1000 * statistics.median(found):7.1f} {ratio:8.2f}")
    return ratios


def calibrations(images: Tensor) -> dict[str, Callable[[], object]]:
    """Inference and calibration over 8 batches."""
    model, batches = network().eval(), [images] * 8

    def infer() -> None:
        with torch.no_grad():
            for batch in batches:
                model(batch)

    variants: dict[str, Callable[[], object]] = {"inference": infer}
    for name in ESTIMATORS:
        quantizer = PostTrainingQuantizer(model, 8, 8, estimator_activations=name)
        quantizer.prepare_model(images)
        variants[name] = functools.partial(quantizer.calibrate, batches)
    return variants


def main() -> int:
    """Print the tables; 1 where a claim fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rounds = 3 if options.quick else options.rounds
    torch.set_num_threads(1)
    images, labels = torch.randn(16, 3, 32, 32), torch.randint(10, (16,))
    variants: dict[str, Callable[[], object]] = {"float": step_of(network(), images, labels)}
    for method in METHODS:
        for fold in (False, True) if method is LinearQATQuantizer else (False,):
            quantizer = method(network(), fold_batch_norm=fold)
            quantizer.prepare_model(images)
            name = f"{method.__name__}{', BatchNorm folded' if fold else ''}"
            variants[name] = step_of(quantizer.model, images, labels)
    variants[PEER] = step_of(ao_model(), images, labels)
    steps = show("step", measured(variants, rounds), "float")
    passes = show("calibration", measured(calibrations(images), rounds // 3 + 1), "inference")
    failed = [
        f"{name}: expected at most {STEP} x float, found {ratio:.2f}"
        for name, ratio in steps.items()
        if ratio > STEP and name != PEER
    ]
    if passes["min-max"] > CALIBRATION:
        failed.append(f"min-max: expected at most {CALIBRATION} x inference, found {passes['min-max']:.2f}")
    print("\n".join(failed) or "all claims hold")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
