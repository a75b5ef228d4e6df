"""Bit-for-bit comparison of a rewrite: two folders of sources, one seed, everything that a user could see.

A folder's entry module defines `example()`, which gives a model and the inputs of one forward pass; without it the
model is the last nn.Module class of the module, constructed without arguments and fed the first shape it accepts.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
from torch import nn

from qprep.tracing import TraceReport, trace

SHAPES = ((2, 4, 4, 4), (2, 4), (2, 3, 4, 4))


@dataclass(frozen=True, slots=True)
class Run:
    """One forward pass (and backward pass): output, inputs as it left them, gradients, buffers, random state, error."""

    tensors: Mapping[str, torch.Tensor]
    structure: str
    error: str


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything seen of one model."""

    model: nn.Module
    inputs: tuple[object, ...]
    state: Mapping[str, torch.Tensor]
    tied: tuple[tuple[str, ...], ...]
    signatures: Mapping[str, str]
    runs: Mapping[str, Run]


@contextmanager
def importing_from(folder: Path) -> Iterator[None]:
    """Let `import model` find a folder's files, and forget them afterwards."""
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    known = set(sys.modules)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - known:
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(folder)):
                del sys.modules[name]


def observe(folder: Path, entry: str = "model") -> Observation:
    """Build the model of a folder under one seed and run it in eval and in train mode."""
    with importing_from(folder):
        module = importlib.import_module(entry)
        torch.manual_seed(0)
        model, inputs = example(module)
        state = {key: value.detach().clone() for key, value in model.state_dict().items()}
        state["random state after construction"] = torch.get_rng_state()
        runs = {mode: _run(model, inputs, training=mode == "train") for mode in ("eval", "train")}
        return Observation(model, inputs, state, _tied(model), _signatures(model, folder), runs)


def example(module: ModuleType) -> tuple[nn.Module, tuple[object, ...]]:
    """The model of a module and the inputs of one forward pass."""
    if hasattr(module, "example"):
        return cast("tuple[nn.Module, tuple[object, ...]]", module.example())
    own = [c for c in vars(module).values() if inspect.isclass(c) and c.__module__ == module.__name__]
    model = [c for c in own if issubclass(c, nn.Module)][-1]()
    parameters = inspect.signature(model.forward).parameters.values()
    wanted = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    state = torch.get_rng_state()
    for shape in SHAPES:
        torch.set_rng_state(state)
        inputs = tuple(torch.randn(shape) for _ in wanted)
        if _run(model, inputs, training=False).tensors:
            return model, inputs
    raise AssertionError(f"{module.__name__}: its last model runs on none of {SHAPES}")


def _run(model: nn.Module, inputs: tuple[object, ...], *, training: bool) -> Run:
    model.train(training)
    model.zero_grad()
    leaves = [_leaf(value) for value in inputs]
    given = [value.clone() if isinstance(value, torch.Tensor) else value for value in leaves]
    torch.manual_seed(1)
    seen: dict[str, torch.Tensor] = {}
    try:
        output = model(*given)
        structure = _collect(output, "output", seen)
    except Exception as error:  # noqa: BLE001 -- whatever a model raises is compared
        return Run({}, "", f"{type(error).__name__}: {error}")
    _collect(given, "input afterwards", seen)
    seen = {name: value.detach().clone() for name, value in seen.items()}
    error_text = _backward(output)
    gradients = {f"gradient of input {i}": leaf.grad for i, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)}
    gradients |= {f"gradient of {name}": parameter.grad for name, parameter in model.named_parameters()}
    seen |= {name: value.clone() for name, value in gradients.items() if value is not None}
    seen |= {f"buffer {name}": value.clone() for name, value in model.named_buffers()}
    seen["random state"] = torch.get_rng_state()
    return Run(seen, structure, error_text)


def _leaf(value: object) -> object:
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.detach().clone().requires_grad_()
    return value


def _backward(output: object) -> str:
    tensors: dict[str, torch.Tensor] = {}
    _collect(output, "", tensors)
    used = [value for value in tensors.values() if value.requires_grad]
    try:
        if used:
            torch.autograd.backward([(value.abs() if value.is_complex() else value * 0.5).sum() for value in used])
    except RuntimeError as error:
        return f"backward: {type(error).__name__}"
    return ""


def _collect(value: object, name: str, into: dict[str, torch.Tensor]) -> str:
    """Put every tensor of a nest into `into`; the text says what else it is made of."""
    if isinstance(value, torch.Tensor):
        into[name] = value
        return f"{type(value).__name__}({value.dtype}, {tuple(value.shape)}, {value.stride()}, {value.requires_grad})"
    if isinstance(value, Mapping):
        return f"{type(value).__name__}{ {key: _collect(item, f'{name}.{key}', into) for key, item in value.items()} }"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}{[_collect(item, f'{name}.{i}', into) for i, item in enumerate(value)]}"
    return repr(value)


def _tied(model: nn.Module) -> tuple[tuple[str, ...], ...]:
    """Names in state_dict that stand for one tensor."""
    groups: dict[int, list[str]] = {}
    for name, value in model.state_dict(keep_vars=True).items():
        groups.setdefault(id(value), []).append(name)
    return tuple(tuple(names) for names in groups.values())


def _signatures(model: nn.Module, folder: Path) -> dict[str, str]:
    """The signatures of `forward` of the user's modules, by path."""
    found: dict[str, str] = {}
    for path, module in model.named_modules():
        home = sys.modules.get(type(module).__module__)
        if str(getattr(home, "__file__", "")).startswith(str(folder)):
            found[f"{path}: {type(module).__name__}"] = re.sub(r" at 0x\w+", "", str(inspect.signature(module.forward)))
    return found


def differences(before: Observation, after: Observation) -> list[str]:
    """Everything that is not the same, in words; empty where a rewrite kept all."""
    found = _tensor_differences("state_dict", before.state, after.state)
    if before.tied != after.tied:
        found.append(f"tied weights: {before.tied} and {after.tied}")
    for path, signature in before.signatures.items():
        if after.signatures.get(path) != signature:
            found.append(f"{path}{signature} became {after.signatures.get(path)}")
    for mode, run in before.runs.items():
        other = after.runs[mode]
        found += _tensor_differences(mode, run.tensors, other.tensors)
        if run.structure != other.structure:
            found.append(f"{mode}: output {run.structure} became {other.structure}")
        if run.error != other.error:
            found.append(f"{mode}: error {run.error!r} became {other.error!r}")
    return found or _load_differences(before.model, after.model)


def _tensor_differences(where: str, old: Mapping[str, torch.Tensor], new: Mapping[str, torch.Tensor]) -> list[str]:
    if list(old) != list(new):
        return [f"{where}: {list(old)} became {list(new)}"]
    return [f"{where}: {name} differs" for name, value in old.items() if not _same(value, new[name])]


def _same(old: torch.Tensor, new: torch.Tensor) -> bool:
    if old.dtype != new.dtype or old.shape != new.shape:
        return False
    kinds: Any = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    if old.is_complex():
        return torch.equal(torch.view_as_real(old), torch.view_as_real(new))
    bits = kinds[old.element_size()]
    return torch.equal(old.contiguous().view(bits), new.contiguous().view(bits))


def _load_differences(old: nn.Module, new: nn.Module) -> list[str]:
    """Strict loading, both ways."""
    found = []
    for name, target, source in (("old into new", new, old), ("new into old", old, new)):
        try:
            target.load_state_dict(source.state_dict(), strict=True)
        except RuntimeError as error:
            found.append(f"loading {name}: {error}")
    return found


def residue(seen: Observation) -> TraceReport:
    """The operations of one forward pass, in eval mode, that no module of their own runs."""
    model = seen.model.eval()
    given = [value.clone() if isinstance(value, torch.Tensor) else value for value in seen.inputs]
    return trace(model, *given)
