"""Modules that passes put into a model: in the place of an operation, or before one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from qprep.quantizer.graph.module_wrapper import ModuleWrapper
from qprep.quantizer.graph.tensor_leaves import map_tensors


class FirstArgument(nn.Module):
    """Gives back what it is given first: in the place of an operation that was given more."""

    def forward(self, input: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        """`input`."""
        return input


class InsertedBefore(ModuleWrapper):
    """Runs `module` with some of the tensors among its arguments, by their numbers, changed by modules of `before`."""

    def __init__(self, module: nn.Module, before: Mapping[int, nn.Module]) -> None:
        super().__init__()
        self.module = module
        self.before = nn.ModuleDict({str(at): each for at, each in before.items()})
        self.training = module.training

    def forward(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (whatever the module takes and gives)
        """As `module`."""
        args, kwargs = map_tensors(self._changed, (args, kwargs))
        return self.module(*args, **kwargs)

    def _changed(self, at: int, tensor: torch.Tensor) -> torch.Tensor:
        name = str(at)
        return self.before[name](tensor) if name in self.before else tensor
