"""Show qprep on copies of the fixture models: check, fix --diff, fix, and that the rewritten models give the same.

Every file of `fixtures/before` defines `example()`, which returns a model and the inputs of one forward pass.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import torch

MODELS = Path(__file__).resolve().parent.parent / "fixtures" / "before"


def main() -> int:
    """Run the demonstration; 1 where a rewritten model differs."""
    with tempfile.TemporaryDirectory() as folder:
        copies = Path(folder)
        for path in sorted(MODELS.glob("*.py")):
            shutil.copy(path, copies)
        for arguments in (["check"], ["fix", "--diff"], ["fix"]):
            run_qprep(arguments, copies)
        print("\nEach rewritten model against its original, weights and seed the same:")
        results = [compare(path, copies / path.name) for path in sorted(MODELS.glob("*.py"))]
    return 0 if results and all(results) else 1


def run_qprep(arguments: list[str], folder: Path) -> None:
    """Run the command line as a user would, in the folder of the copies."""
    print(f"\n$ qprep {' '.join(arguments)}", flush=True)
    code = subprocess.run([sys.executable, "-m", "qprep", *arguments, "--isolated"], cwd=folder, check=False).returncode
    if code not in (0, 1):
        sys.exit(code)


def compare(before: Path, after: Path) -> bool:
    """Print whether outputs, gradients and the keys of state_dict are the same, bit for bit."""
    old, new = observe(load(before, "before")), observe(load(after, "after"))
    same = old.keys() == new.keys() and all(torch.equal(old[key], new[key]) for key in old)
    verdict = "same outputs and gradients, in eval and train mode" if same else "DIFFERENT"
    print(f"  {before.name}: {verdict} ({len(old)} tensors compared)")
    return same


def observe(module: ModuleType) -> dict[str, torch.Tensor]:
    """Everything that a rewrite must keep: weights by key, and by mode the output and the gradients."""
    torch.manual_seed(0)
    model, inputs = module.example()
    seen = {f"state {key}": value.clone() for key, value in model.state_dict().items()}
    for mode in (False, True):
        model.train(mode)
        model.zero_grad()
        torch.manual_seed(1)
        output = model(*(value.clone() for value in inputs))
        output.sum().backward()
        seen[f"output {mode}"] = output.detach()
        seen |= {f"gradient {mode} {name}": value.grad.clone() for name, value in model.named_parameters()}
    return seen


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
