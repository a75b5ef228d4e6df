"""Halve the channels of torchvision's models with qprep and with Torch-Pruning; print what differs and the time.

python benchmarks/thin_models.py [MODEL …] [--quick] [--rounds N]

One thread, images of 96 × 96 (224 for AlexNet, VGG and the transformer, 299 for Inception), two of them, random
statistics in every BatchNorm, random numbers in every parameter that starts constant (a head of zeros, scales of 1e-6):
fresh ones hide what masks leave. Half of each family of channels goes, lowest L1 norms
first. `difference` is that between the masked and the thin model, of the largest output. `seconds` are processor time
of tracing, ranking and removing: qprep's with its trial of every family and its gate, Torch-Pruning's without any check
(1.6.1, `pip install torch-pruning`; MagnitudePruner with its defaults, the last layer left out).

Claims: a difference of at most 1e-6 on every model, and on densenet121 no more time than Torch-Pruning, the fastest of
the rounds of each. Exits 1 where one of them fails. --quick takes a part of the models, smaller images and one round.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from benchmark_inputs import import_torchvision
from torch import Tensor, nn

from qprep.compression.structure import choose, groups, macs, scores, thin

BOUND = 1e-6
TIMED = "densenet121"
SIZES = {
    **dict.fromkeys(("resnet18", "mobilenet_v2", "mobilenet_v3_small", TIMED, "googlenet", "shufflenet_v2_x0_5"), 96),
    **dict.fromkeys(("squeezenet1_1", "efficientnet_b0", "regnet_y_400mf", "resnext50_32x4d", "mnasnet0_5"), 96),
    "convnext_tiny": 96,
    **dict.fromkeys(("vgg11_bn", "alexnet", "vit_b_32"), 224),
    "inception_v3": 299,
}
QUICK = ["--quick"]
QUICK_MODELS = ("resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_1", "regnet_y_400mf", TIMED)


@dataclass(frozen=True)
class Row:
    """The result of a tool for a model: ratios to the original, NaN where it failed, and its error."""

    seconds: float
    macs: float = float("nan")
    parameters: float = float("nan")
    difference: float = float("nan")
    error: str = ""


def build(name: str, size: int) -> tuple[nn.Module, Tensor]:
    """A model with random weights and statistics, and images."""
    torch.manual_seed(0)
    quiet = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model: nn.Module = getattr(import_torchvision().models, name)(weights=None, **quiet).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
                module.running_mean.normal_(0, 0.3)
            if isinstance(module, nn.BatchNorm2d) and module.running_var is not None:
                module.running_var.uniform_(0.5, 1.5)
        for parameter in model.parameters():
            if parameter.numel() > 1 and bool((parameter == parameter.flatten()[0]).all()):
                parameter.uniform_(0.5, 1.5) if bool(parameter.any()) else parameter.normal_(0, 0.3)
    return model, torch.randn(2, 3, size, size)


def with_qprep(model: nn.Module, images: Tensor) -> Row:
    """Trace, rank, mask and thin."""
    start = time.process_time()
    found = groups(model, images)
    with torch.no_grad():
        for name, mask in found.masks(choose(scores(found), 0.5)).items():
            model.get_parameter(name).mul_(mask)
    seconds = time.process_time() - start
    masked = copy.deepcopy(model)
    start = time.process_time()
    thin(model, (images,), found=found)
    seconds += time.process_time() - start
    with torch.no_grad():
        before, after = masked(images), model(images)
    difference = float((before - after).abs().max() / before.abs().max())
    return Row(seconds, macs(model, images), _count(model), difference)


def with_torch_pruning(model: nn.Module, images: Tensor) -> Row:
    """Trace, rank and remove."""
    import torch_pruning

    last = [module for module in model.modules() if isinstance(module, (nn.Linear, nn.Conv2d))][-1]
    start = time.process_time()
    try:
        pruner = torch_pruning.pruner.MagnitudePruner(
            model,
            images,
            importance=torch_pruning.importance.MagnitudeImportance(p=1),
            pruning_ratio=0.5,
            ignored_layers=[last],
        )
        pruner.step()
        seconds = time.process_time() - start
        with torch.no_grad():
            model(images)
    except Exception as error:  # noqa: BLE001  (its errors are part of the table)
        return Row(time.process_time() - start, error=f"{type(error).__name__}: {' '.join(str(error).split())[:40]}")
    return Row(seconds, macs(model, images), _count(model))


def _count(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters())


def fastest(tool: Callable[[nn.Module, Tensor], Row], name: str, size: int, rounds: int) -> Row:
    """The row of the fastest round, in shares of the model as it was."""
    rows = []
    for _ in range(rounds):
        model, images = build(name, size)
        whole = macs(model, images), _count(model)
        row = tool(model, images)
        rows.append(Row(row.seconds, row.macs / whole[0], row.parameters / whole[1], row.difference, row.error))
    return min(rows, key=lambda row: row.seconds)


def main() -> int:
    """Print the table; 1 where a claim fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(SIZES)}")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    names = given.models or (QUICK_MODELS if given.quick else SIZES)
    compares = find_spec("torch_pruning") is not None
    torch.set_num_threads(1)
    with_qprep(*build("squeezenet1_1", 64))  # the catalogue is loaded once
    print(f"{'':20} {'qprep':>36}   {'Torch-Pruning':>22}")
    shares = f"{'MACs':>6} {'params':>6} {'seconds':>8}"
    print(f"{'model':20} {'difference':>10} {shares}   {shares}")
    failed = []
    for name in names:
        rounds = 1 if given.quick or name != TIMED else given.rounds
        size = 64 if given.quick and SIZES[name] == 96 else SIZES[name]
        ours = fastest(with_qprep, name, size, rounds)
        theirs = fastest(with_torch_pruning, name, size, rounds) if compares else None
        text = "not installed" if theirs is None else theirs.error or _shares(theirs)
        print(f"{name:20} {ours.difference:10.1e} {_shares(ours)}   {text}", flush=True)
        if not ours.difference <= BOUND:
            failed.append(f"{name}: expected a difference of at most {BOUND:g}, found {ours.difference:.2g}")
        if theirs is not None and name == TIMED and ours.seconds > theirs.seconds:
            failed.append(f"{name}: expected at most {theirs.seconds:.2f} seconds, found {ours.seconds:.2f}")
    print("\n".join(failed) or "all claims hold")
    return 1 if failed else 0


def _shares(row: Row) -> str:
    return f"{row.macs:6.2f} {row.parameters:6.2f} {row.seconds:8.2f}"


if __name__ == "__main__":
    sys.exit(main())
