"""The base of pruners: which parameters, and the mask of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from qprep.compression.errors import CompressionError
from qprep.compression.names import ALL, ParameterNames, by_pattern
from qprep.compression.training import Training
from qprep.compression.windows import Window

Weights = str | Sequence[str]


@dataclass(frozen=True, slots=True)
class Context:
    """The inputs of a pruner other than the parameter itself.

    progress     0 at the first step of the policy, 1 at the last
    gradient     the mean gradient since the last mask, None if none was collected
    activations  statistics of the layer's output by channel, None if none were collected
    values       what to rank: the parameter, or with BatchNorm folded into it
    mask         what other policies keep of the parameter, None if no other masks it
    held         what the last mask of this policy keeps for good, None before the first and for masks in forward only
    """

    name: str
    epoch: int
    step: int
    progress: float
    model: nn.Module
    generator: torch.Generator
    values: Tensor
    gradient: Tensor | None = None
    activations: Any = None
    mask: Tensor | None = None
    held: Tensor | None = None


class Pruner:
    """`mask` gives what to keep of one parameter; a pruner of your own overrides that.

    weights        names of parameters, or regular expressions that match a whole name; "*" is all of two dimensions or
                   more; one string is one name
    ignore         the same, of parameters to leave alone
    allow_missing  whether names that match nothing are notes, not errors
    """

    needs_gradients: ClassVar[bool] = False
    needs_activations: ClassVar[bool] = False
    needs_steps: ClassVar[bool] = False  # whether a window of one step is an error
    forward_copies: ClassVar[bool] = False  # whether masks only ever hold while the model runs
    scale: float = 1.0
    wants_example: bool = False  # whether masks are better with example inputs

    def __init__(
        self, weights: Weights | Mapping[str, Any], *, ignore: Weights = (), allow_missing: bool = False
    ) -> None:
        self.weights: Weights | Mapping[str, Any] = [weights] if isinstance(weights, str) else weights
        self.ignore = [ignore] if isinstance(ignore, str) else list(ignore)
        self.allow_missing = allow_missing
        self.parameters: dict[Parameter, str] = {}  # each with the pattern that named it

    def bind(self, training: Training) -> None:
        """Find the parameters and check them; CompressionError names what is wrong."""
        names = training.names
        if isinstance(self.weights, Mapping):
            found, notes = by_pattern(self.weights, names, self.allow_missing)
            barred, more = names.ignored(self.ignore, self.allow_missing)
            found, notes = {each: pattern for each, pattern in found.items() if each not in barred}, [*notes, *more]
        else:
            found, notes = names.wanted(self.weights, self.ignore, self.allow_missing)
        for sentence in notes:
            training.note(sentence)
        self.parameters = {each: pattern for each, pattern in found.items() if self._fits(training, each, pattern)}
        if not self.parameters and not notes:
            raise CompressionError(f"expected parameters for {type(self).__name__}, found none")

    def _fits(self, training: Training, parameter: Parameter, pattern: str) -> bool:
        """True if it can be pruned; what "*" finds and cannot is left with a note, what is named is an error."""
        try:
            self.check(training.name(parameter), parameter)
        except CompressionError as error:
            if pattern != ALL:
                raise
            training.note(f"{training.name(parameter)}: left as it is: {error}")
            return False
        return True

    def at_window(self, training: Training, window: Window) -> None:
        """Look at the epochs or steps of the policy; CompressionError if the pruner cannot work in them."""

    def check(self, name: str, parameter: Parameter) -> None:
        """CompressionError, with name and shape, for a parameter that this pruner cannot prune."""

    def mask(self, parameter: Parameter, context: Context) -> Tensor | None:
        """The mask of `parameter`: booleans of its shape or of its first dimensions; None to leave its mask."""
        raise NotImplementedError

    def masks(self, contexts: Mapping[Parameter, Context]) -> dict[Parameter, Tensor]:
        """The masks of all parameters, of their shapes; what compares parameters with each other overrides this."""
        found = {each: self.mask(each, context) for each, context in contexts.items()}
        return {each: expanded(mask, each, contexts[each].name) for each, mask in found.items() if mask is not None}

    def value_for(self, parameter: Parameter, values: Mapping[str, Any]) -> Any:  # noqa: ANN401  (of the file)
        """The entry of a mapping by names that is meant for `parameter`."""
        return values[self.parameters[parameter]]

    def lowest(self, scores: Tensor, level: float) -> Tensor:
        """A mask without the share `level` of the lowest `scores`, of their shape; of equal ones the first go."""
        return keep_highest(scores, round(level * scores.numel()))

    def state_dict(self) -> dict[str, Any]:
        """The state of the pruner: tensors and plain data."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any], names: ParameterNames) -> None:
        """Take the result of `state_dict`."""


def keep_highest(scores: Tensor, number: int) -> Tensor:
    """Booleans of the shape of `scores`: False for the `number` lowest; of equal ones the first are False."""
    flat = scores.detach().reshape(-1).float()
    if number <= 0:
        return torch.ones_like(flat, dtype=torch.bool).view(scores.shape)
    last = torch.kthvalue(flat, number).values  # takes a sixth of the time of sorting millions of weights
    if bool(last.isnan()):  # more than there are numbers
        keep = torch.ones_like(flat, dtype=torch.bool)
        keep[torch.argsort(flat, stable=True)[:number]] = False
        return keep.view(scores.shape)
    keep = ~(flat < last)
    equal = (flat == last).nonzero().flatten()
    keep[equal[: number - int((~keep).sum())]] = False
    return keep.view(scores.shape)


def expanded(mask: Tensor, parameter: Tensor, name: str) -> Tensor:
    """`mask` of the shape of `parameter`, from its shape or its first dimensions; CompressionError otherwise."""
    if mask.shape != parameter.shape[: mask.dim()]:
        raise CompressionError(
            f"expected a mask of shape {tuple(parameter.shape)}, or of its first dimensions, for {name}, "
            f"found {tuple(mask.shape)}"
        )
    wide = mask.reshape(*mask.shape, *[1] * (parameter.dim() - mask.dim()))
    return wide.expand(parameter.shape).to(torch.bool).contiguous()


def check_share(value: object, name: str, *, lower: float = 0.0) -> float:
    """A number from `lower` to 1; CompressionError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lower <= value <= 1:
        raise CompressionError(f"expected {name} from {lower:g} to 1, found {value!r}")
    return float(value)


def check_above(value: object, name: str, lower: float = 0.0) -> float:
    """A finite number above `lower`; CompressionError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lower < value < float("inf"):
        raise CompressionError(f"expected {name} above {lower:g}, found {value!r}")
    return float(value)


def check_at_least(value: object, name: str, lower: float = 0.0) -> float:
    """A finite number from `lower` on; CompressionError otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not lower <= value < float("inf"):
        raise CompressionError(f"expected {name} from {lower:g} on, found {value!r}")
    return float(value)
