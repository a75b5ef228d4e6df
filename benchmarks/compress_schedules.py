"""Loads Distiller's schedule files against stand-in models and runs every callback of every epoch; prints a table.

python benchmarks/compress_schedules.py [--schedules DIR] [--only TEXT]

A stand-in has the parameters that a file names, as small layers in a row or as a narrow CIFAR ResNet, and no data but
noise: 2 minibatches of 2 in an epoch. Exits 1 where a file does not load or run, or ends at another sparsity than it
says.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path
from typing import Any

import torch
import yaml
from benchmark_inputs import SHARED, skip_without
from torch import Tensor, nn

from qprep.compression import Scheduler
from qprep.compression.names import plain
from qprep.foundation.errors import QprepError

QUICK = ["--only", "resnet20_filters.schedule_agp.yaml"]  # groups and thinning; more files take minutes
WIDTH = 16
_DISTILLER = re.compile(r"resnet(?:20|56)")


class Block(nn.Module):
    """Of a CIFAR ResNet; with a projection where the width grows."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        self.downsample: nn.Module | None = None
        if stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, out, H / stride, W / stride)."""
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(y + (x if self.downsample is None else self.downsample(x)))  # type: ignore[no-any-return]


class CifarResNet(nn.Module):
    """Three stages of `depth` blocks, with the names of Distiller's models."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.conv1, self.bn1, self.relu = nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        widths = (8, 8, 12, 16)
        for stage in (1, 2, 3):
            first = Block(widths[stage - 1], widths[stage], 1 if stage == 1 else 2)
            rest = [Block(widths[stage], widths[stage], 1) for _ in range(depth - 1)]
            setattr(self, f"layer{stage}", nn.Sequential(first, *rest))
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 10)."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(self.pool(x).flatten(1))  # type: ignore[no-any-return]


class Row(nn.Module):
    """The layers that a file names, one after another: convolutions, then matrices; what else it names beside them."""

    def __init__(self, layers: dict[str, nn.Module], others: list[nn.Module]) -> None:
        super().__init__()
        for name, layer in layers.items():
            put(self, name, layer)
        self.others = others and nn.ModuleList(others)
        made = list(layers.values())
        self.row = [each for each in made if isinstance(each, nn.Conv2d)]
        self.norms = nn.ModuleList([nn.BatchNorm2d(WIDTH) for _ in self.row])
        self.relus = nn.ModuleList([nn.ReLU() for _ in self.row])
        self.matrices = [each for each in made if isinstance(each, nn.Linear)]
        self.gammas = [each for each in made if isinstance(each, nn.BatchNorm2d)]
        self.recurrent = [each for each in made if isinstance(each, (nn.LSTM, nn.Embedding))]
        self.stem, self.pool, self.last = nn.Conv2d(3, WIDTH, 1), nn.AdaptiveAvgPool2d(1), nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, 10)."""
        x = self.stem(x)
        for layer, norm, relu in zip(self.row, self.norms, self.relus, strict=True):
            x = relu(norm(layer(x)))
        for gamma in self.gammas:
            x = gamma(x)
        x = self.pool(x).flatten(1)
        for matrix in self.matrices:
            x = matrix(x)
        for each in self.recurrent:
            if isinstance(each, nn.LSTM):
                x = each(x.unsqueeze(0))[0].squeeze(0)
            else:
                x = x + each(torch.zeros(len(x), dtype=torch.long))
        return self.last(x)  # type: ignore[no-any-return]


def put(root: nn.Module, name: str, layer: nn.Module) -> None:
    """Make the modules of a dotted name."""
    *folders, last = name.split(".")
    for folder in folders:
        if folder not in dict(root.named_children()):
            root.add_module(folder, nn.Module())
        root = root.get_submodule(folder)
    root.add_module(last, layer)


def named(data: dict[str, Any]) -> dict[str, str]:
    """Parameter names of a file, without `module.`, and the kind of group that is pruned there."""
    found: dict[str, str] = {}
    for section in ("pruners", "regularizers"):
        for entry in (data.get(section) or {}).values():
            weights = entry.get("weights", [])
            for name in [weights] if isinstance(weights, str) else weights:
                found.setdefault(plain(name), str(entry.get("group_type", "")))
            for key in ("sensitivities", "levels", "thresholds", "reg_regims"):
                for name, value in (entry.get(key) or {}).items():
                    kind = str(value[1]) if isinstance(value, list) else ""
                    found[plain(name)] = found.get(plain(name)) or kind
    found.pop("*", None)
    return found


def stand_in(data: dict[str, Any], path: Path) -> nn.Module:
    """A model with all parameters that a file names, and the modules of its quantizers' overrides."""
    names = named(data)
    match = _DISTILLER.search(path.name) or _DISTILLER.search(str(data.get("extensions", "")))
    for depth in (3, 9):
        model = CifarResNet(depth)
        if names and names.keys() <= dict(model.named_parameters()).keys() and (match or depth == 3):
            return model
    layers: dict[str, nn.Module] = {}
    for name, kind in names.items():
        holder, _, parameter = name.rpartition(".")
        layers.setdefault(holder, layer_of(holder, parameter, kind))
    for quantizer in (data.get("quantizers") or {}).values():
        for name in quantizer.get("overrides") or {}:
            layers.setdefault(plain(name), nn.ReLU() if "relu" in name else nn.Linear(WIDTH, WIDTH))
    return Row(layers, [])


def layer_of(holder: str, parameter: str, kind: str) -> nn.Module:
    """A layer that has such a parameter."""
    if parameter.startswith("weight_"):
        return nn.LSTM(WIDTH, WIDTH, num_layers=2)
    if holder == "encoder":
        return nn.Embedding(32, WIDTH)
    if kind in ("Rows", "Cols") or re.search(r"fc|classifier|decoder|linear", holder):
        return nn.Linear(WIDTH, WIDTH)
    return nn.BatchNorm2d(WIDTH) if re.search(r"bn\d*$", holder) else nn.Conv2d(WIDTH, WIDTH, 3, padding=1)


def last_epoch(data: dict[str, Any]) -> int:
    """The first epoch after all policies."""
    return max(max(each["epochs"]) + 1 if "epochs" in each else each["ending_epoch"] for each in data["policies"])


def run(path: Path) -> tuple[Scheduler, dict[str, Any], int]:
    """Every callback of every epoch, 2 minibatches of 2."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    torch.manual_seed(0)
    model = stand_in(data, path)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images, labels = torch.randn(2, 3, 8, 8), torch.randint(0, 10, (2,))
    scheduler = Scheduler.from_file(path, model, optimizer, example_inputs=(images,))
    epochs = last_epoch(data)
    for epoch in range(epochs):
        scheduler.on_epoch_begin(epoch, optimizer)
        for minibatch in range(2):
            scheduler.on_minibatch_begin(epoch, minibatch, 2, optimizer)
            loss = nn.functional.cross_entropy(model(images), labels)
            policy_loss = scheduler.before_backward_pass(
                epoch, minibatch, 2, loss, optimizer, return_loss_components=True
            )
            optimizer.zero_grad()
            policy_loss.overall_loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scheduler.before_parameter_optimization(epoch, minibatch, 2, optimizer)
            optimizer.step()
            scheduler.on_minibatch_end(epoch, minibatch, 2, optimizer)
        scheduler.on_epoch_end(epoch, optimizer, metrics={"min": float(loss.detach()), "max": 0.0})
    return scheduler, data, epochs


def differences(scheduler: Scheduler, data: dict[str, Any]) -> list[str]:
    """Weights of gradual pruners that end at another share of masked values than the file says."""
    found = []
    thinned = bool(scheduler.training.records)
    ends: dict[str, tuple[float, str]] = {}
    for policy in data["policies"]:
        if "pruner" in policy:
            entry = data["pruners"][policy["pruner"]["instance_name"]]
            weights = entry.get("weights", [])
            for name in [weights] if isinstance(weights, str) else weights:
                final = entry.get("final_sparsity", entry.get("desired_sparsity"))
                if final is not None and "Bernoulli" not in entry["class"]:
                    ends[plain(name)] = (final, str(entry.get("group_type", "")))
    for name, (final, group) in ends.items():
        mask = scheduler.masks[name]
        if mask is None or (thinned and group):
            continue
        masked = 1 - float(mask.float().mean())
        unit = 1 / mask.numel() if not group else 1 / min(mask.shape[:2])
        if abs(masked - final) > unit + 1e-6 and not (masked > final and sum(name in each for each in ends) > 1):
            found.append(f"{name}: {masked:.4f} masked, the file says {final}")
    return found


def main() -> int:
    """Print a row for each file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=Path, default=SHARED / "data" / "distiller-schedules")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    skip_without("Distiller's schedules are", options.schedules)
    torch.set_num_threads(1)
    failed = 0
    paths = [each for each in sorted(options.schedules.rglob("*.yaml")) if options.only in str(each)]
    for path in paths:
        began = time.process_time()
        try:
            scheduler, data, epochs = run(path)
            wrong = differences(scheduler, data)
        except QprepError as error:
            wrong, epochs, scheduler = [f"error: {error}"], 0, None
        failed += bool(wrong)
        state = "ok" if not wrong else "; ".join(wrong[:3])
        thinned = 0 if scheduler is None else len(scheduler.training.records)
        print(f"{path.name:60} {epochs:4} epochs, {thinned} changes, {time.process_time() - began:5.1f} s  {state}")
        for note in [] if scheduler is None else scheduler.notes:
            print(f"    note: {note}"[:180])
    print(f"{len(paths) - failed} of {len(paths)} files load, run and end as they say")
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
