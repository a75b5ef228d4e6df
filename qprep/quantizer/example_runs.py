"""Runs a model on the example inputs that it was prepared with, and leaves its modes as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from qprep.quantizer.graph.tensor_leaves import map_tensors

Example = tuple[tuple[object, ...], dict[str, object]]


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode; every module's own mode again afterwards."""
    training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode


def example_of(model: nn.Module, example: Example) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Copies of the example inputs, on the device that the model is on now."""
    device = next((each.device for each in (*model.parameters(), *model.buffers())), None)

    def copied(_: int, tensor: Tensor) -> Tensor:
        made = tensor.detach().clone()
        return made if device is None else made.to(device)

    args, kwargs = map_tensors(copied, example)
    return args, kwargs


def floating_type(model: nn.Module) -> torch.dtype | None:
    """The floating type of all parameters; None if there is not exactly one."""
    kinds = {each.dtype for each in model.parameters() if each.is_floating_point()}
    return next(iter(kinds)) if len(kinds) == 1 else None


def in_type(example: Example, before: torch.dtype | None, now: torch.dtype | None) -> Example:
    """The example inputs of a model that was moved from one floating type to another: tensors of the first follow."""

    def moved(_: int, tensor: Tensor) -> Tensor:
        return tensor.to(now) if tensor.dtype is before else tensor

    args, kwargs = map_tensors(moved, example)
    return args, kwargs


def run_example(model: nn.Module, example: Example) -> Any:  # noqa: ANN401  (whatever the model returns)
    """The outputs of `model` in evaluation mode, without gradients; the random seed is the same each time."""
    args, kwargs = example_of(model, example)
    with evaluating(model), torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return model(*args, **kwargs)
