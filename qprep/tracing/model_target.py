"""Builds the model that a target names, and its inputs: runs in a child process only."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean
from qprep.tracing.overlay import overlaid
from qprep.tracing.request import InputSpec, Request, split_target

_PREFIX: Final = "_qprep_target_"


@dataclass(frozen=True, slots=True)
class Inputs:
    """Arguments of a model's call."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def find(target: str) -> object:
    """The model of `target`; puts its folder (or the root of its package) and the current one on sys.path."""
    place, name = split_target(target)
    value: object = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    for part in name.split("."):
        if not hasattr(value, part):
            hint = did_you_mean(part, dir(value), "`")
            raise QprepError(f"expected {part} in {place}, found no such name{hint}")
        value = getattr(value, part)
    return value


def build(found: object, request: Request) -> tuple[nn.Module, object]:
    """The model that `found` is or makes, on its device and in its mode, and its example inputs or None."""
    with on(request.device):
        made = found() if callable(found) and not isinstance(found, nn.Module) else found
    model, example = made if isinstance(made, (tuple, list)) and len(made) == 2 else (made, None)
    if not isinstance(model, nn.Module):
        raise QprepError(
            f"expected {request.target} to be or return an nn.Module or (model, example_inputs), "
            f"found {type(model).__name__}"
        )
    if request.device != "cpu":
        model.to(request.device)
    return model.train(request.train), example


def inputs(request: Request, example: object) -> Inputs:
    """The arguments to call the model with, on its device."""
    if request.maker is not None:
        maker = find(request.maker)
        example = maker() if callable(maker) else maker
    elif request.inputs:
        made = [(spec.name, _tensor(spec, request.device)) for spec in request.inputs]
        return Inputs(tuple(each for name, each in made if name is None), {name: each for name, each in made if name})
    elif example is None:
        raise QprepError(f"expected inputs for {request.target}: --input 1,3,224,224 or --inputs package.module:maker")
    return _on(request.device, _arguments(example))


def on(device: str) -> contextlib.AbstractContextManager[object]:
    """The device of tensors that name none."""
    return contextlib.nullcontext() if device == "cpu" else torch.device(device)


def _arguments(example: object) -> Inputs:
    """A tensor, the positional arguments, a mapping of keyword arguments, or a pair of both."""
    if isinstance(example, Mapping):
        return Inputs((), {str(name): value for name, value in example.items()})
    if not isinstance(example, (tuple, list)):
        return Inputs((example,), {})
    if len(example) == 2 and isinstance(example[0], (tuple, list)) and isinstance(example[1], Mapping):
        return Inputs(tuple(example[0]), example[1])
    return Inputs(tuple(example), {})


def _on(device: str, arguments: Inputs) -> Inputs:
    if device == "cpu":
        return arguments
    args, kwargs = pytree.tree_map(lambda leaf: _moved(leaf, device), (arguments.args, dict(arguments.kwargs)))
    return Inputs(args, kwargs)


def _moved(leaf: object, device: str) -> object:
    return leaf.to(device) if isinstance(leaf, Tensor) else leaf


def _tensor(spec: InputSpec, device: str) -> Tensor:
    """Normal numbers, 0 and 1 for integers (within any vocabulary), booleans of both kinds."""
    dtype: torch.dtype = getattr(torch, spec.dtype)
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(spec.shape, device=device).to(dtype)
    return torch.randint(0, 2, spec.shape, device=device).to(dtype)


def _import_module(name: str) -> ModuleType:
    _put_first(os.getcwd())
    return importlib.import_module(name)


def _import_file(path: Path) -> ModuleType:
    """Import a file under the name that it has in its package, so that its relative imports work."""
    full = path.resolve()
    if not full.is_file():
        raise QprepError(f"expected a Python file, found none at {path}")
    packages = list(_packages(full))
    _put_first(os.getcwd())
    _put_first(str(full.parents[len(packages)]))
    name = ".".join([*reversed(packages), full.stem])
    loaded = next((each for each in (name, f"{_PREFIX}{full.stem}") if _is_loaded(each, full)), None)
    if loaded is not None:
        return sys.modules[loaded]
    if packages or _is_free(name, full):
        return importlib.import_module(name)
    return _import_as(f"{_PREFIX}{full.stem}", full)


def _is_loaded(name: str, path: Path) -> bool:
    """True if the module `name` is there, and is that file: it runs once, however often it is named."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is not None and os.path.realpath(file) == str(path)


def _packages(path: Path) -> Iterator[str]:
    for folder in path.parents:
        if not (folder / "__init__.py").is_file():
            return
        yield folder.name


def _is_free(name: str, path: Path) -> bool:
    """True if importing `name` finds `path`, not an installed module of the same name."""
    if name in sys.modules or not name.isidentifier():
        return False
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None and os.path.realpath(spec.origin) == str(path)


def _import_as(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise QprepError(f"expected a Python file, found {path}")
    overlaid(spec)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _put_first(folder: str) -> None:
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)
