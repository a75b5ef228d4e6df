"""Runs of a model that leave it as it was: in evaluation mode, masked, or thin."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.parallel import DistributedDataParallel

from qprep.compression.structure.structure_errors import StructureError
from qprep.quantizer.graph.tensor_leaves import tensors_in


def plain(model: nn.Module) -> nn.Module:
    """The module behind torch.compile; StructureError for one that is wrapped for distributed training."""
    inner = getattr(model, "_orig_mod", model)
    if not isinstance(inner, nn.Module):
        raise StructureError(f"expected a model, found {type(model).__name__}")
    wrapped = next((path for path, each in inner.named_modules() if _is_distributed(each)), None)
    if wrapped is not None:
        where = f" at {wrapped}" if wrapped else ""
        kind = type(inner.get_submodule(wrapped)).__name__
        raise StructureError(f"expected a model that is not wrapped yet, found {kind}{where}: thin it before wrapping")
    empty = next((name for name, each in inner.named_parameters() if each.is_meta), None)
    if empty is not None:
        raise StructureError(f"expected parameters with data, found {empty} on the meta device")
    return inner


def hookable(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Modules by path, without those of TorchScript, which take no hooks."""
    return [(path, each) for path, each in model.named_modules() if not isinstance(each, torch.jit.ScriptModule)]


def _is_distributed(module: nn.Module) -> bool:
    return isinstance(module, (DistributedDataParallel, nn.DataParallel)) or hasattr(module, "_fsdp_wrapped_module")


def arguments(inputs: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments.

    A mapping holds those by keyword, a sequence those by position, a pair of both a sequence and a mapping; anything
    else is the only one.
    """
    if isinstance(inputs, (tuple, list)) and len(inputs) == 2 and isinstance(inputs[0], (tuple, list)):
        by_position, by_keyword = inputs
        if isinstance(by_keyword, Mapping):
            return tuple(by_position), {str(name): value for name, value in by_keyword.items()}
    if isinstance(inputs, Mapping):
        return (), {str(name): value for name, value in inputs.items()}
    if isinstance(inputs, (tuple, list)):
        return tuple(inputs), {}
    return (inputs,), {}


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, no gradients, the same random numbers each time, nothing compiled; all as before afterwards."""
    modes = {module: module.training for module in model.modules()}
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    stance = getattr(torch.compiler, "set_stance", None)
    with contextlib.ExitStack() as stack:
        if stance is not None:
            stack.enter_context(stance("force_eager"))
        stack.enter_context(torch.random.fork_rng(devices=_accelerators(model)))
        stack.enter_context(torch.no_grad())
        torch.manual_seed(0)
        try:
            model.eval()
            yield
        finally:
            for module, mode in modes.items():
                module.training = mode
            for buffer, before in buffers:
                if not torch.equal(buffer, before):
                    buffer.copy_(before)


def _accelerators(model: nn.Module) -> list[torch.device]:
    """The CUDA devices that hold a part of the model: their random numbers are kept as well."""
    return list({each.device for each in model.parameters() if each.device.type == "cuda"})


@contextlib.contextmanager
def having(model: nn.Module, attributes: Mapping[str, Mapping[str, int]]) -> Iterator[None]:
    """With other values of attributes of modules, by path and name, for the time of a run."""
    before = [(model.get_submodule(path), name) for path, values in attributes.items() for name in values]
    saved = [(module, name, getattr(module, name)) for module, name in before]
    try:
        for path, values in attributes.items():
            for name, value in values.items():
                setattr(model.get_submodule(path), name, value)
        yield
    finally:
        for module, name, value in saved:
            setattr(module, name, value)


def outputs(
    model: nn.Module,
    tensors: Mapping[str, Tensor],
    attributes: Mapping[str, Mapping[str, int]],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    training: bool = False,
) -> list[Tensor]:
    """The tensors that the model returns with other parameters, buffers and attributes, in evaluation mode or not."""
    kept = {name: buffer.clone() for name, buffer in model.named_buffers() if name not in tensors}
    with evaluating(model), having(model, attributes):
        model.train(training)
        out = functional_call(model, {**kept, **tensors}, tuple(args), dict(kwargs))
        return [each.detach() for each in tensors_in(out)]


def difference(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """The largest difference between floating tensors, relative to the largest number; inf where shapes differ."""
    if len(first) != len(second) or any(a.shape != b.shape for a, b in zip(first, second, strict=True)):
        return float("inf")
    worst = 0.0
    for one, other in zip(first, second, strict=True):
        if not one.numel():
            continue
        if not (one.is_floating_point() or one.is_complex()):
            worst = max(worst, 0.0 if torch.equal(one, other) else float("inf"))
            continue
        if not torch.equal(torch.isfinite(one), torch.isfinite(other)):
            return float("inf")
        finite = torch.isfinite(one)
        wide = torch.promote_types(one.dtype, torch.float64)
        a, b = one[finite].to(wide), other[finite].to(wide)
        if a.numel():
            worst = max(worst, float((a - b).abs().max() / a.abs().max().clamp_min(1e-30)))
    return worst
