"""The modules that stand in a model where a tensor is quantized: one for an activation, one for a parameter."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.distributed import reduced_range
from qprep.quantizer.formats.affine import QParams, fake_quantize, grouped, qparams
from qprep.quantizer.formats.spec import Granularity, Range, Spec
from qprep.quantizer.ranges.estimators import make_estimator
from qprep.quantizer.ranges.range_rules import Estimator


class Mode(enum.Enum):
    """What a quantizer does with what passes through it."""

    OFF = "off"
    OBSERVE = "observe"
    QUANTIZE = "quantize"


class TensorQuantizer(nn.Module):
    """What all have in common: a name for messages, a format, a mode, and `params` once the range is known.

    Empty, integer and boolean tensors pass unchanged.
    """

    scale: Tensor
    zero_point: Tensor

    def __init__(self, name: str, spec: Spec) -> None:
        super().__init__()
        self.name = name
        self.spec = spec
        self.mode = Mode.QUANTIZE if spec.is_float else Mode.OFF
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("zero_point", torch.zeros((), dtype=torch.int32))

    @property
    def params(self) -> QParams:
        """The scale and zero point in use."""
        low, high = self.spec.limits
        axis = None if self.spec.granularity is Granularity.TENSOR else self.spec.axis
        group = self.spec.group_size if self.spec.granularity is Granularity.GROUP else 0
        return QParams(self.scale, self.zero_point, low, high, axis, group)

    @property
    def grid(self) -> QParams:
        """The integers that what it gives out stands for; of a range that is learned, as it is now."""
        return self.params

    def set_params(self, params: QParams) -> None:
        """Use this scale and zero point from now on, and quantize."""
        self.scale, self.zero_point = params.scale, params.zero_point
        self.mode = Mode.QUANTIZE

    def rows(self, input: Tensor) -> Tensor:
        """`input` with one row for each scale."""
        if self.spec.granularity is Granularity.TENSOR:
            return input.reshape(1, -1)
        rows, axis = grouped(input, self.spec.axis, self.params.group_size)
        return rows.movedim(axis, 0).reshape(rows.shape[axis], -1)

    def forward(self, input: Tensor) -> Tensor:
        """Observe, quantize or pass on, as the mode says."""
        if self.mode is Mode.OFF or input.numel() == 0 or not input.is_floating_point():
            return input
        if self.mode is Mode.OBSERVE:
            self.observe(input)
            return input
        return self.quantize(input)

    def quantize(self, input: Tensor) -> Tensor:
        """`input` as its format can say it."""
        if self.spec.dtype is not None:
            return input.to(getattr(torch, self.spec.dtype)).to(input.dtype)
        return fake_quantize(input, self.params)

    def observe(self, input: Tensor) -> None:
        """Take `input` into the range."""

    def extra_repr(self) -> str:
        """Bits and scheme."""
        spec = self.spec
        return f"{spec.dtype}" if spec.is_float else f"{spec.bits} bits, {spec.scheme}, {spec.granularity}"

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
        # The shape of a scale is that of the checkpoint: before calibration there is none.
        for name in ("scale", "zero_point"):
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name], device=self.scale.device))
        super()._load_from_state_dict(state_dict, prefix, *args)


class ActivationQuantizer(TensorQuantizer):
    """A range from calibration, or one that the operation fixes, within what the consumers can see."""

    def __init__(self, name: str, spec: Spec, fixed: Range | None = None, bounds: Range | None = None) -> None:
        super().__init__(name, spec)
        self.fixed = fixed
        self.bounds = bounds
        self.range: Range | None = fixed
        self.estimator: Estimator | None = None

    @property
    def needs_data(self) -> bool:
        """Whether the range is to be observed."""
        return self.fixed is None and not self.spec.is_float

    def start_observing(self) -> None:
        """Pass tensors on and keep their range, from now on."""
        if self.needs_data:
            self.estimator = make_estimator(self.spec)
            self.mode = Mode.OBSERVE

    def observe(self, input: Tensor) -> None:
        """Take `input` into the range; QprepError for NaN and infinity."""
        assert self.estimator is not None  # noqa: S101  (start_observing checks)
        try:
            self.estimator.update(input.reshape(1, -1), input.shape[0] if input.dim() > 1 else 1)
        except QprepError as error:
            raise QprepError(f"{error}, at the output of {self.name or 'the model'}") from error

    def freeze(self) -> bool:
        """End observation and fix scale and zero point; False, and float, where nothing was observed.

        With several processes the range is that of all of them.
        """
        if self.spec.is_float:
            return True
        low, high = self._range()
        self.estimator = None
        if bool(low > high):
            self.mode = Mode.OFF
            return False
        self.range = (float(low), float(high))
        self.spec = self.spec.holding(low)
        self.set_params(qparams(self.spec, low, high))
        return True

    def _range(self) -> tuple[Tensor, Tensor]:
        """What was seen, or is known; an empty range where nothing was."""
        if self.fixed is not None:
            return self.scale.new_tensor(self.fixed[0]), self.scale.new_tensor(self.fixed[1])
        if self.estimator is None or self.estimator.count == 0:
            return reduced_range(self.scale.new_tensor(math.inf), self.scale.new_tensor(-math.inf))
        low, high = reduced_range(*(bound.squeeze(0) for bound in self.estimator.range()))
        if self.bounds is not None:
            low, high = (bound.clamp(*self.bounds) for bound in (low, high))
        return low, high


class DynamicActivationQuantizer(TensorQuantizer):
    """The range of each tensor as it comes."""

    def __init__(self, name: str, spec: Spec) -> None:
        super().__init__(name, spec)
        self.mode = Mode.QUANTIZE

    def quantize(self, input: Tensor) -> Tensor:
        """`input` on a grid over its own smallest and largest value."""
        if self.spec.is_float:
            return super().quantize(input)
        return fake_quantize(input, self.params_of(input))

    def params_of(self, input: Tensor) -> QParams:
        """The grid over the values of `input`."""
        low, high = torch.aminmax(input.detach())
        try:
            return qparams(self.spec.holding(low), low, high)
        except QprepError as error:
            raise QprepError(f"{error}, at {self.name or 'the model'}") from error


class WeightQuantizer(TensorQuantizer):
    """A range from the parameter itself."""

    def fit(self, weight: Tensor) -> None:
        """Take scale and zero point from `weight`; QprepError names the parameter where it is not finite."""
        if self.spec.is_float:
            return
        estimator = make_estimator(self.spec)
        try:
            estimator.update(self.rows(weight.detach()))
            low, high = estimator.range()
        except QprepError as error:
            raise QprepError(f"{error}, in the parameter {self.name}") from error
        if self.spec.granularity is Granularity.TENSOR:
            low, high = low.squeeze(0), high.squeeze(0)
        self.set_params(qparams(self.spec, low, high))


class FunctionQuantizer(TensorQuantizer):
    """What a function makes of a parameter, in each forward and with the function's own gradient."""

    def __init__(self, name: str, spec: Spec, function: Callable[[Tensor, TensorQuantizer], Tensor]) -> None:
        super().__init__(name, spec)
        self.mode = Mode.QUANTIZE
        self._function = _Shared(function)

    def quantize(self, input: Tensor) -> Tensor:
        """The function's values."""
        return self._function.call(input, self)


class _Shared:
    """Holds a function that copies of a model have in common, and all that hangs on it."""

    def __init__(self, function: Callable[[Tensor, TensorQuantizer], Tensor]) -> None:
        self.call = function

    def __deepcopy__(self, _: object) -> Self:
        return self
