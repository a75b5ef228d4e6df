"""Example inputs of the first run of a model, where none were given."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils import _pytree as pytree

from qprep.compression.training import Training


class FirstRun:
    """A hook of the model that takes the inputs of its first run, then removes itself."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._handle = training.model.register_forward_pre_hook(self._remember, with_kwargs=True)

    def remove(self) -> None:
        """Take the hook off."""
        self._handle.remove()

    def _remember(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._training.example = pytree.tree_map(_detached, (args, kwargs))
        self._training.note("no example inputs were given; the inputs of the first run are used")
        self._training.refresh()
        self.remove()


def _detached(leaf: object) -> object:
    return leaf.detach().clone() if isinstance(leaf, Tensor) else leaf
