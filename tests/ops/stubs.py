"""Signatures of torch's C++ functions, read from the type stubs that torch ships."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import lru_cache
from pathlib import Path

import torch

Overload = tuple[str, ...]  # names of the parameters, in order


@lru_cache(maxsize=1)
def overloads() -> dict[str, list[Overload]]:
    """Of "torch.add" and "Tensor.add", the overloads."""
    folder = Path(torch.__file__).parent / "_C"
    found: dict[str, list[Overload]] = defaultdict(list)
    _collect(found, "torch", ast.parse((folder / "_VariableFunctions.pyi").read_text()).body)
    for node in ast.parse((folder / "__init__.pyi").read_text()).body:
        if isinstance(node, ast.ClassDef) and node.name == "TensorBase":
            _collect(found, "Tensor", node.body)
    return found


def _collect(found: dict[str, list[Overload]], place: str, body: list[ast.stmt]) -> None:
    for node in body:
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            names = [argument.arg for argument in arguments.posonlyargs + arguments.args]
            names += [arguments.vararg.arg] if arguments.vararg else []
            names += [argument.arg for argument in arguments.kwonlyargs if argument.arg != "out"]
            found[f"{place}.{node.name}"].append(tuple(names))
