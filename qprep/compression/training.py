"""Input of policies: the model in training, its optimizer, masks, time, and notes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from qprep.compression.errors import CompressionError
from qprep.compression.masks import Masks
from qprep.compression.names import ParameterNames, plain
from qprep.compression.windows import TrainingClock


@dataclass(slots=True)
class Training:
    """One model in training.

    optimizer  what changes its parameters; several are joined to one
    stepping   the one of them that takes a step, or took the last
    example    example inputs as positional arguments and keywords; empty where none are known
    teacher    what distillation compares with
    calibrate  batches for pruners that look at activations
    records    what was removed, one entry for each thinning, as plain data
    notes      exceptions that a user may not expect, each sentence once
    generator  random numbers of the policies, the same on every rank
    unmasked_zeros  functions of policies, which return masks of what they set to 0 and no mask holds yet
    """

    model: nn.Module
    optimizer: Optimizer | None
    names: ParameterNames
    masks: Masks
    example: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    teacher: nn.Module | None = None
    calibrate: object = None
    clock: TrainingClock = field(default_factory=TrainingClock)
    records: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))
    on_change: list[Callable[[], None]] = field(default_factory=list)
    stepping: Optimizer | None = None
    unmasked_zeros: list[Callable[[], Mapping[Parameter, Tensor]]] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        """Say something once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def name(self, parameter: Parameter) -> str:
        """The parameter's name without wrappers."""
        return self.names.of(parameter)

    @property
    def has_example(self) -> bool:
        """True if example inputs are known."""
        return bool(self.example[0] or self.example[1])

    def refresh(self) -> None:
        """Read the names anew, after modules were wrapped or removed."""
        self.names = ParameterNames(self.model)
        self.masks.use(self.names)
        for each in self.on_change:
            each()

    def follow(self, wanted: Collection[Parameter]) -> None:
        """Read the names anew if the model has other parameters than before.

        CompressionError for one of `wanted`, or with a mask, that the model had and has no longer: what is done to it
        would not reach the model.
        """
        now = {id(each) for each in self.model.parameters()}
        before = dict(self.names)
        if now == {id(each) for each in before.values()}:
            return
        held = {id(each) for each in (*wanted, *self.masks.parameters)}
        gone = [plain(name) for name, each in before.items() if id(each) in held - now]
        if gone:
            raise CompressionError(
                f"expected the parameter {gone[0]} that the scheduler was given, found a model without it: it was "
                "replaced, as load_state_dict(assign=True) does; make the scheduler after that"
            )
        self.refresh()

    def module_of(self, parameter: Parameter) -> nn.Module | None:
        """The first module that holds `parameter` itself."""
        return layer_of(self.model, parameter)


def layer_of(model: nn.Module, parameter: Parameter) -> nn.Module | None:
    """The first module of `model` that holds `parameter` itself."""
    for module in model.modules():
        if any(each is parameter for each in module._parameters.values()):  # noqa: SLF001
            return module
    return None


@dataclass(frozen=True, slots=True)
class LossComponent:
    """A part of the loss, by the name of the policy that added it."""

    name: str
    value: Tensor


@dataclass(frozen=True, slots=True)
class PolicyLoss:
    """The loss with all that policies add, and each of these parts; Distiller's names."""

    overall_loss: Tensor
    loss_components: list[LossComponent]


Metrics = Mapping[str, float]
