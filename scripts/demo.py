"""Show qprep on copies of the fixture models, on one screen: check, fix, comparison, an INT8 file and a picture.

Every file of `fixtures/before` defines `example()`, which returns a model and the inputs of one forward pass. The files
that the demonstration writes are in `build/demo`.
"""

from __future__ import annotations

import copy
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from types import ModuleType

import torch

from qprep.tracing import trace

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "fixtures" / "before"
OUT = ROOT / "build" / "demo"
DATA = """\
import torch


def batches():
    torch.manual_seed(0)
    return [torch.randn(8, 3, 32, 32) for _ in range(4)]
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model before and after: places left outside modules of their own, tensors compared, those that differ."""

    name: str
    before: int
    after: int
    tensors: int
    different: tuple[str, ...]


def main() -> int:
    """Run the demonstration; 1 where a rewritten model differs or is not prepared."""
    warnings.filterwarnings("ignore", category=UserWarning)  # of torch, on options of the models
    models = sorted(MODELS.glob("*.py"))
    with tempfile.TemporaryDirectory() as folder:
        copies = Path(folder)
        for path in models:
            shutil.copy(path, copies)
        run_qprep("check --statistics --isolated", copies)
        run_qprep("fix --isolated", copies, last=1)
        results = [compare(path, copies / path.name) for path in models]
        show(results)
        (copies / "data.py").write_text(DATA, encoding="utf-8")
        run_qprep(
            "quantize resnet.py:example --calibrate data.py:batches --quiet --onnx resnet.onnx --report resnet.html",
            copies,
        )
        keep(copies, "resnet.onnx", "resnet.html")
    return 0 if results and not any(result.different or result.after for result in results) else 1


def run_qprep(arguments: str, folder: Path, last: int | None = None) -> None:
    """Run the command line as a user would, in the folder of the copies; print the output or its `last` lines."""
    print(f"\n$ qprep {arguments}", flush=True)
    command = [sys.executable, "-m", "qprep", *arguments.split()]
    outcome = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    lines = outcome.stdout.rstrip().splitlines()
    print("\n".join(lines if last is None else lines[-last:]), flush=True)
    if outcome.returncode not in (0, 1):
        sys.exit(outcome.returncode)


def keep(folder: Path, *names: str) -> None:
    """Copy files to `build/demo`, and print where they are and their size."""
    OUT.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(folder / name, OUT)
        print(f"{OUT / name}: {(OUT / name).stat().st_size:,} bytes")


def show(results: list[Comparison]) -> None:
    """The comparisons, two models a line, then those that differ."""
    tensors_compared = sum(result.tensors for result in results)
    print("\nplaces without a module, before → after; tensors (outputs, gradients, state_dict) compared bit for bit:")
    cells = [f"{each.name:20} {each.before:3} → {each.after}  {each.tensors:4} {verdict(each)}" for each in results]
    half = (len(cells) + 1) // 2
    for left, right in zip_longest(cells[:half], cells[half:], fillvalue=""):
        print(f"  {left:44}  {right}".rstrip())
    print(f"{len(results)} models, {tensors_compared:,} tensors")
    for result in results:
        if result.different:
            print(f"{result.name} differs in {', '.join(result.different)}")


def verdict(result: Comparison) -> str:
    """`equal`, or `DIFFERENT`."""
    return "DIFFERENT" if result.different else "equal"


def compare(before: Path, after: Path) -> Comparison:
    """Everything that a rewrite must keep, of both, tensor by tensor."""
    old, old_places = observe(load(before, "before"))
    new, new_places = observe(load(after, "after"))
    different = [key for key in old.keys() | new.keys() if key not in old or key not in new]
    different += [key for key in old.keys() & new.keys() if not torch.equal(old[key], new[key])]
    if list(old) != list(new):
        different.append("order")
    return Comparison(before.stem, old_places, new_places, len(old), tuple(sorted(different)))


def observe(module: ModuleType) -> tuple[dict[str, torch.Tensor], int]:
    """Weights by key, and by mode output and gradients; then how many places stand outside modules of their own."""
    torch.manual_seed(0)
    model, inputs = module.example()
    seen = {f"state {key}": value.clone() for key, value in model.state_dict().items()}
    for mode in (False, True):
        model.train(mode)
        model.zero_grad()
        torch.manual_seed(1)
        parts = list(tensors(model(*copy.deepcopy(inputs))))
        torch.stack([part.sum() for part in parts if part.requires_grad]).sum().backward()
        seen |= {f"output {mode} {i}": part.detach() for i, part in enumerate(parts)}
        gradients = {name: value.grad for name, value in model.named_parameters()}
        seen |= {f"gradient {mode} {name}": value.clone() for name, value in gradients.items() if value is not None}
    report = trace(model.eval(), *inputs)
    return seen, len(report.unowned) + len(report.reused)


def tensors(output: object) -> Iterator[torch.Tensor]:
    """The tensors of an output, however it nests tuples and lists."""
    if isinstance(output, torch.Tensor):
        yield output
    elif isinstance(output, tuple | list):
        for part in output:
            yield from tensors(part)


def load(path: Path, package: str) -> ModuleType:
    """Import a file under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"{package}_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
