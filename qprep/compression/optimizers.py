"""Several optimizers of one model, seen as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

from torch import Tensor
from torch.optim import Optimizer

from qprep.compression.errors import CompressionError


class JoinedOptimizers(Optimizer):
    """The groups and states of several optimizers, which the training loop goes on to step by themselves.

    Learning rate schedules change the groups of all. What a quantizer learns joins the last. `state_dict` has those of
    all, in their order.
    """

    def __init__(self, members: Sequence[Optimizer]) -> None:
        """CompressionError for fewer than two, the same one twice, and parameters that two of them have."""
        if len(members) < 2 or len({id(each) for each in members}) != len(members):
            raise CompressionError(f"expected two different optimizers or more, found {len(members)}")
        self.members = tuple(members)
        self.defaults = dict(self.members[0].defaults)
        owners: set[Tensor] = set()
        for each in self.members:
            mine = parameters_of(each)
            if owners & mine:
                raise CompressionError(
                    f"expected each parameter in one optimizer, found one in {type(each).__name__} as well"
                )
            owners |= mine

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Of all, one after another."""
        return [group for each in self.members for group in each.param_groups]

    @property
    def state(self) -> dict[Tensor, Any]:  # type: ignore[override]
        """Of all; a change of a parameter's state changes that of its optimizer."""
        return {parameter: state for each in self.members for parameter, state in each.state.items()}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """To the last one."""
        self.members[-1].add_param_group(param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """As in torch, of all."""
        for each in self.members:
            each.zero_grad(set_to_none)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """A step of each; CompressionError with a closure, which every one would call."""
        if closure is not None:
            raise CompressionError("expected a step without a closure of several optimizers: step them by themselves")
        for each in self.members:
            each.step()
        return None

    def state_dict(self) -> dict[str, Any]:
        """See the class."""
        return {"members": [each.state_dict() for each in self.members]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """CompressionError for the state of another number of optimizers."""
        saved = state_dict.get("members", [state_dict])
        if len(saved) != len(self.members):
            raise CompressionError(f"expected the state of {len(self.members)} optimizers, found that of {len(saved)}")
        for each, state in zip(self.members, saved, strict=True):
            each.load_state_dict(state)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(type(each).__name__ for each in self.members)})"


def joined(given: Optimizer | Sequence[Optimizer]) -> Optimizer:
    """One optimizer as it is, or a list of them as one; CompressionError for anything else."""
    several: list[object] = list(given) if isinstance(given, (list, tuple)) else [given]
    members = [each for each in several if isinstance(each, Optimizer)]
    if len(members) < max(len(several), 1):
        wrong = next((type(each).__name__ for each in several if not isinstance(each, Optimizer)), "none")
        raise CompressionError(f"expected an optimizer of torch.optim, or several, found {wrong}")
    return members[0] if len(members) == 1 else JoinedOptimizers(members)


def members_of(optimizer: Optimizer | None) -> tuple[Optimizer, ...]:
    """The optimizers that take steps."""
    if optimizer is None:
        return ()
    return optimizer.members if isinstance(optimizer, JoinedOptimizers) else (optimizer,)


def parameters_of(optimizer: Optimizer) -> set[Tensor]:
    """What it changes."""
    return {each for group in optimizer.param_groups for each in group["params"]}
