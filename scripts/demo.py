"""Show qprep on copies of the fixture models: check, fix --diff, fix, and that the rewritten models give the same.

Every file of `fixtures/before` defines `example()`, which returns a model and the inputs of one forward pass.
"""

from __future__ import annotations

import copy
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from rich.console import Console
from rich.table import Table

from qprep.tracing import trace

MODELS = Path(__file__).resolve().parent.parent / "fixtures" / "before"
RUNS = (["check", "--output-format", "concise"], ["fix", "--diff"], ["fix"])


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
    with tempfile.TemporaryDirectory() as folder:
        copies = Path(folder)
        for path in sorted(MODELS.glob("*.py")):
            shutil.copy(path, copies)
        for arguments in RUNS:
            run_qprep(arguments, copies)
        results = [compare(path, copies / path.name) for path in sorted(MODELS.glob("*.py"))]
    show(results)
    return 0 if results and not any(result.different or result.after for result in results) else 1


def run_qprep(arguments: list[str], folder: Path) -> None:
    """Run the command line as a user would, in the folder of the copies."""
    print(f"\n$ qprep {' '.join(arguments)}", flush=True)
    code = subprocess.run([sys.executable, "-m", "qprep", *arguments, "--isolated"], cwd=folder, check=False).returncode
    if code not in (0, 1):
        sys.exit(code)


def show(results: list[Comparison]) -> None:
    """The comparisons as a table."""
    table = Table(title="Rewritten models against their originals: same weights, same seed", title_justify="left")
    table.add_column("model")
    table.add_column("places without a module", justify="right")
    table.add_column("outputs, gradients, state_dict, in eval and train mode")
    for result in results:
        verdict = f"{result.tensors} tensors, bit for bit the same"
        if result.different:
            verdict = f"DIFFERENT: {', '.join(result.different)}"
        table.add_row(result.name, f"{result.before} → {result.after}", verdict)
    console = Console(width=110)  # a line a model, also where nothing tells the width
    console.print()
    console.print(table)


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
