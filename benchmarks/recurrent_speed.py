"""Time the staged LSTM, GRU and RNN against torch's, one thread, no gradients; print a table of ratios.

python benchmarks/recurrent_speed.py [--rounds N] [--no-compile] [--quick]

Every round runs every variant once, one after the other, so that all see the same machine; a ratio is the median over
the rounds of a variant's time divided by that of torch's module in the same round.

default    as a user runs it: nothing looks at a stage, torch's kernel runs
stages     force_stages=True: every gate, sum and product runs as a module of its own
hooked     as a quantizer's calibration runs it: a forward hook on every stage
plain      for comparison: a loop over time that calls one module an operation, its input product inside the loop
compiled   the stages, with each step compiled by torch.compile (inductor)

`--quick` takes two shapes and seven rounds, without compiling, and exits 1 where the default is slower than DEFAULT
times torch's module, or the stages slower than STAGES times the plain loop. How far the stages are from torch's kernel
depends on the processor, so no claim is made of that.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from qprep.runtime_modules import recurrent
from qprep.runtime_modules._recurrent_steps import RecurrentStep

QUICK = ["--quick"]
DEFAULT = 1.25  # measured 0.95 to 1.06: torch's kernel and a look at the hooks; the rest is noise of short runs
STAGES = 1.15  # measured 0.6 to 0.85: the input product of all steps at once must not cost more than one a step
Forward = Callable[[Tensor], Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """One row: the layer and its input, (steps, rows, features)."""

    kind: str
    steps: int
    rows: int
    features: int
    hidden: int
    layers: int
    limit: float | None = None  # what the project holds itself to

    def label(self) -> str:
        """The row's first cell."""
        return (
            f"{self.kind} T={self.steps} B={self.rows} in={self.features} H={self.hidden} "
            f"{self.layers} layer{'s' * (self.layers > 1)}"
        )


SHAPES = (
    Shape("LSTM", 160, 8, 40, 256, 3, limit=2.2),
    Shape("LSTM", 35, 1, 650, 650, 2, limit=1.2),
    Shape("LSTM", 50, 32, 128, 128, 1),
    Shape("GRU", 160, 8, 40, 256, 3),
    Shape("GRU", 35, 1, 650, 650, 2),
    Shape("RNN", 160, 8, 40, 256, 3),
)


class PlainLSTM(nn.Module):
    """The decomposition that one writes first: twelve modules, called at every time step."""

    def __init__(self, own: nn.LSTM) -> None:
        super().__init__()
        self.hidden_size = own.hidden_size
        self.layers = nn.ModuleList(self._layer(weights) for weights in own.all_weights)

    @staticmethod
    def _layer(weights: list[nn.Parameter]) -> nn.ModuleDict:
        linears = [nn.Linear(weight.size(1), weight.size(0)) for weight in weights[:2]]
        for linear, weight, bias in zip(linears, weights[:2], weights[2:4], strict=True):
            linear.weight, linear.bias = weight, bias
        names = ("input_sigmoid", "forget_sigmoid", "output_sigmoid")
        others = {name: nn.Sigmoid() for name in names} | {"cell_tanh": nn.Tanh(), "hidden_tanh": nn.Tanh()}
        return nn.ModuleDict({"input": linears[0], "hidden": linears[1], **others})

    def forward(self, sequence: Tensor) -> Tensor:
        """`sequence` (T, B, F); returns (T, B, H)."""
        outputs = list(sequence)
        for layer in cast("list[nn.ModuleDict]", list(self.layers)):
            h = c = sequence.new_zeros(sequence.size(1), self.hidden_size)
            for t, x in enumerate(outputs):
                i, f, g, o = (layer["input"](x) + layer["hidden"](h)).chunk(4, 1)
                kept, new = layer["forget_sigmoid"](f) * c, layer["input_sigmoid"](i) * layer["cell_tanh"](g)
                c = kept + new
                h = layer["output_sigmoid"](o) * layer["hidden_tanh"](c)
                outputs[t] = h
        return torch.stack(outputs)


def variants(shape: Shape, *, with_compile: bool) -> dict[str, Forward]:
    """The candidates to time, torch's own first."""
    torch.manual_seed(0)
    own = getattr(nn, shape.kind)(shape.features, shape.hidden, shape.layers)

    def staged(**options: Any) -> nn.Module:
        module: nn.Module = getattr(recurrent, shape.kind)(shape.features, shape.hidden, shape.layers, **options)
        module.load_state_dict(own.state_dict())
        return module

    made: dict[str, Forward] = {"torch": own, "default": staged(), "stages": staged(force_stages=True)}
    made["hooked"] = _hooked(staged())
    if isinstance(own, nn.LSTM):
        made["plain"] = PlainLSTM(own)
    if with_compile and shape.limit is not None:
        made["compiled"] = _compiled(staged(force_stages=True))
    return made


def _hooked(module: nn.Module) -> nn.Module:
    for stage in module.stages.modules():  # type: ignore[union-attr]
        if not any(stage.children()):
            stage.register_forward_hook(lambda *_: None)
    return module


def _compiled(module: nn.Module) -> nn.Module:
    for step in module.modules():
        if isinstance(step, RecurrentStep):
            compiled = torch.compile(step.bind())
            step.bind = lambda compiled=compiled: compiled  # type: ignore[method-assign, misc]
    return module


def measure(shape: Shape, rounds: int, *, with_compile: bool) -> tuple[dict[str, float], float]:
    """The median ratio to torch's module by variant, and torch's median time in milliseconds."""
    made, sequence = variants(shape, with_compile=with_compile), torch.randn(shape.steps, shape.rows, shape.features)
    times: dict[str, list[float]] = {name: [] for name in made}
    names = list(made)
    for number in range(rounds + 1):
        names.append(names.pop(0))  # each takes each place in a round: a place has its own cache to start from
        for name in names:
            start = time.perf_counter()
            made[name](sequence)
            if number:  # the first round warms up, and compiles
                times[name].append(time.perf_counter() - start)
    own = times.pop("torch")
    ratios = {
        name: statistics.median(t / base for t, base in zip(taken, own, strict=True)) for name, taken in times.items()
    }
    return ratios, 1e3 * statistics.median(own)


def broken_claims(shape: Shape, ratios: dict[str, float]) -> list[str]:
    """Sentences for the bars that a shape misses."""
    found = []
    if ratios["default"] > DEFAULT:
        found.append(f"{shape.label()}: expected at most {DEFAULT} x torch, found {ratios['default']:.2f}")
    share = ratios["stages"] / ratios.get("plain", float("inf"))
    if share > STAGES:
        found.append(f"{shape.label()}: expected the stages at most {STAGES} x plain, found {share:.2f}")
    return found


def main() -> int:
    """Print one line a shape; 1 where a claim of --quick fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--no-compile", action="store_true", help="leave the compiled variant out")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    shapes, failed = SHAPES, []
    if arguments.quick:
        shapes, arguments.rounds, arguments.no_compile = SHAPES[1:3], 7, True
    torch.set_num_threads(1)
    names = ("default", "stages", "hooked", "plain", "compiled")
    print(f"{'':44s}{'torch ms':>9s}" + "".join(f"{name:>10s}" for name in names) + f"{'limit':>8s}")
    with torch.no_grad():
        for shape in shapes:
            ratios, own = measure(shape, arguments.rounds, with_compile=not arguments.no_compile)
            cells = "".join(f"{ratios[name]:9.2f}x" if name in ratios else f"{'-':>10s}" for name in names)
            limit = f"{shape.limit:7.1f}x" if shape.limit else f"{'-':>8s}"
            print(f"{shape.label():44s}{own:9.1f}{cells}{limit}")
            failed += broken_claims(shape, ratios) if arguments.quick else []
    if arguments.quick:
        print("\n".join(failed) or "all claims hold")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
