"""The modules that stand in a model where a tensor is quantized: one for an activation, one for a parameter."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.distributed import reduced_range
from qprep.quantizer.formats.affine import QParams, fake_quantize, grouped, qparams
from qprep.quantizer.formats.spec import Granularity, Range, Scheme, Spec
from qprep.quantizer.ranges.estimators import make_estimator
from qprep.quantizer.ranges.range_rules import Estimator


class QuantizerMode(enum.Enum):
    """The mode of a quantizer: what it does with its input."""

    OFF = "off"
    OBSERVE = "observe"
    QUANTIZE = "quantize"


class TensorQuantizer(nn.Module):
    """The base of all tensor quantizers: a name for messages, a format, a mode, and `params` once the range is known.

    scale, zero_point  of the range in use; `take_shape` gives them the shape that they keep
    started            whether a range is known; until then tensors pass in float
    signed             whether values below 0 were seen, for formats that depend on it
    finished           whether `convert` has rounded the parameter itself, so that it passes as it is

    All of them are buffers: copies, averages, broadcasts and a state_dict carry them. Flags are floats, true where
    they are not 0, as many averages of models carry floating tensors only. Empty, integer and boolean tensors pass
    unchanged.
    """

    scale: Tensor
    zero_point: Tensor
    started: Tensor
    signed: Tensor
    finished: Tensor
    flags: ClassVar[tuple[str, ...]] = ("started", "signed", "finished")

    def __init__(self, name: str, spec: Spec, started: bool = True) -> None:
        super().__init__()
        self.name = name
        self._planned = spec
        self.mode = QuantizerMode.QUANTIZE
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("zero_point", torch.zeros((), dtype=torch.int32))
        self._flags: dict[str, bool] = {}  # what the buffers said when they were last read
        self._versions: dict[str, tuple[int, int]] = {}
        for flag, value in (("started", started), ("signed", spec.signed), ("finished", False)):
            self.add_flag(flag, value)

    @property
    def spec(self) -> Spec:
        """The format; a power-of-two one is signed where values below 0 were seen."""
        planned = self._planned
        return replace(planned, signed=True) if self.needs_sign and self.flag("signed") else planned

    @spec.setter
    def spec(self, spec: Spec) -> None:
        self._planned = spec

    def use_estimator(self, name: str) -> None:
        """Take ranges by this estimator from now on."""
        self._planned = replace(self._planned, estimator=name)

    @property
    def needs_sign(self) -> bool:
        """True if the limits of the format depend on what is quantized."""
        return self._planned.scheme is Scheme.POWER_OF_TWO and not self._planned.signed

    def add_flag(self, name: str, value: bool) -> None:
        """Register the buffer of a flag."""
        self.register_buffer(name, torch.tensor(float(value)))
        self.flag(name)

    def flag(self, name: str) -> bool:
        """The value of a flag's buffer.

        Reading a buffer of another device than the CPU waits for it, so that is done where it was written to, or
        replaced, since the last time. `tensor.data.copy_` leaves no trace there: on the CPU each call reads.
        """
        if torch.compiler.is_compiling():
            return self._flags[name]
        buffer = self._buffers[name]
        assert buffer is not None  # noqa: S101  (registered)
        place, version = id(buffer), 0 if buffer.is_inference() else buffer._version  # noqa: SLF001
        if buffer.device.type == "cpu" or self._versions.get(name) != (place, version) or buffer.is_inference():
            self._versions[name], self._flags[name] = (place, version), bool(buffer)
        return self._flags[name]

    def set_flag(self, name: str, value: bool) -> None:
        """Write a flag's buffer."""
        buffer = self._buffers[name]
        assert buffer is not None  # noqa: S101  (registered)
        buffer.fill_(value)
        self.flag(name)

    @property
    def is_active(self) -> bool:
        """True if it changes what passes through it."""
        known = self.flag("started") and not self.flag("finished")
        return self.mode is QuantizerMode.QUANTIZE and (self._planned.is_float or known)

    @classmethod
    def declares_grid(cls) -> bool:
        """True if `grid` says what `quantize` gives: a class that overrides the one has to override the other."""
        return _depth(cls, ("grid", "params")) <= _depth(cls, ("quantize",))

    def take_shape(self, parameter: Tensor) -> None:
        """Give scale and zero point one element for each scale of `parameter`."""
        if self.spec.is_float or self.spec.granularity is Granularity.TENSOR:
            return
        number = self.rows(parameter.detach()).shape[0]
        self.scale = torch.ones(number, device=self.scale.device)
        self.zero_point = torch.zeros(number, dtype=torch.int32, device=self.scale.device)

    @property
    def params(self) -> QParams:
        """The scale and zero point in use."""
        low, high = self.spec.limits
        axis = None if self.spec.granularity is Granularity.TENSOR else self.spec.axis
        group = self.spec.group_size if self.spec.granularity is Granularity.GROUP else 0
        return QParams(self.scale, self.zero_point, low, high, axis, group)

    @property
    def grid(self) -> QParams:
        """The integers that encode its output; of a range that is learned, as it is now."""
        return self.params

    def set_params(self, params: QParams) -> None:
        """Use this scale and zero point from now on, and quantize."""
        self.keep_params(params)
        self.mode = QuantizerMode.QUANTIZE
        self.set_flag("started", True)

    def keep_params(self, params: QParams) -> None:
        """Write scale and zero point to the buffers, in place where their shape is that."""
        with torch.no_grad():
            for name, value in (("scale", params.scale), ("zero_point", params.zero_point)):
                mine = self._buffers[name]
                if mine is not None and mine.shape == value.shape and mine.device == value.device:
                    mine.copy_(value)
                else:
                    self._buffers[name] = value.detach().clone()

    def rows(self, input: Tensor) -> Tensor:
        """`input` with one row for each scale."""
        if self.spec.granularity is Granularity.TENSOR:
            return input.reshape(1, -1)
        rows, axis = grouped(input, self.spec.axis, self.params.group_size)
        return rows.movedim(axis, 0).reshape(rows.shape[axis], -1)

    def forward(self, input: Tensor) -> Tensor:
        """Observe, quantize or pass on, as mode and flags say."""
        if self.mode is QuantizerMode.OFF or input.numel() == 0 or not input.is_floating_point():
            return input
        if self.mode is QuantizerMode.OBSERVE:
            self.observe(input)
            return input
        return input if self.flag("finished") else self.quantize(input)

    def quantize(self, input: Tensor) -> Tensor:
        """`input` as its format can say it."""
        if self._planned.dtype is not None:
            return input.to(getattr(torch, self._planned.dtype)).to(input.dtype)
        return fake_quantize(input, self.params) if self.flag("started") else input

    def observe(self, input: Tensor) -> None:
        """Take `input` into the range."""

    def extra_repr(self) -> str:
        """Bits and scheme."""
        spec = self.spec
        return f"{spec.dtype}" if spec.is_float else f"{spec.bits} bits, {spec.scheme}, {spec.granularity}"

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._versions = {}
        self._read_flags()

    def _format(self) -> list[float]:
        """The plan in numbers: bits, 0 for a floating format, the place of the scheme, sign, size of groups."""
        spec = self._planned
        return [
            float(spec.bits or 0),
            float(list(Scheme).index(spec.scheme)),
            float(spec.signed),
            float(spec.group_size),
        ]

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}format"] = torch.tensor(self._format(), device=self.scale.device)

    def _load_from_state_dict(  # noqa: PLR0917  (torch's)
        self,
        state_dict: dict[str, Tensor],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load the state of a slot with the same format; another one is an error, as its integers mean other values."""
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        key = f"{prefix}format"
        if key in unexpected_keys:
            unexpected_keys.remove(key)
        if key not in state_dict:
            missing_keys.append(key)
        elif not state_dict[key].is_meta and state_dict[key].tolist() != self._format():
            found = [int(each) for each in state_dict[key].tolist()[:1]]
            bits = self._planned.bits or "floating"
            error_msgs.append(
                f"expected the state of a slot with the format of {self.name or 'the model'} ({bits} bits, "
                f"{self._planned.scheme}), found another one ({found[0] or 'floating'} bits)"
            )
        self._read_flags()

    def _read_flags(self) -> None:
        for name in self.flags:
            self.flag(name)


def _depth(kind: type, names: tuple[str, ...]) -> int:
    """The distance to the first base of a class that defines one of `names`."""
    return next(place for place, each in enumerate(kind.__mro__) if not vars(each).keys().isdisjoint(names))


class ActivationQuantizer(TensorQuantizer):
    """A range from calibration, or one that the operation fixes, within what the consumers can see."""

    low: Tensor
    high: Tensor

    def __init__(self, name: str, spec: Spec, fixed: Range | None = None, bounds: Range | None = None) -> None:
        super().__init__(name, spec, started=spec.is_float)
        self.fixed = fixed
        self.bounds = bounds
        low, high = (math.inf, -math.inf) if fixed is None else fixed
        self.register_buffer("low", torch.tensor(low))
        self.register_buffer("high", torch.tensor(high))
        self.estimator: Estimator | None = None

    @property
    def range(self) -> Range | None:
        """The range that scale and zero point were made for; None before calibration."""
        low, high = float(self.low), float(self.high)
        return None if low > high else (low, high)

    def set_range(self, low: Tensor, high: Tensor) -> None:
        """Use a range (two scalars) from now on, and quantize."""
        self.low.copy_(low)
        self.high.copy_(high)
        self.set_flag("signed", bool(low < 0))
        self.set_params(qparams(self.spec, low, high))

    @property
    def needs_data(self) -> bool:
        """True if the range is to be observed."""
        return self.fixed is None and not self.spec.is_float

    def start_observing(self) -> None:
        """Pass tensors on and keep their range, from now on."""
        if self.needs_data:
            self.estimator = make_estimator(self.spec)
            self.mode = QuantizerMode.OBSERVE

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
        self.mode = QuantizerMode.QUANTIZE
        if bool(low > high):
            self.set_flag("started", False)
            return False
        self.set_range(low, high)
        return True

    def _range(self) -> tuple[Tensor, Tensor]:
        """The observed or known range; an empty one before any batch."""
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

    def __init__(self, name: str, spec: Spec) -> None:
        super().__init__(name, spec, started=spec.is_float)

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
        self.set_flag("signed", bool((low < 0).any()))
        self.set_params(qparams(self.spec, low, high))


class TableQuantizer(WeightQuantizer):
    """The grid of what is looked up, for a table that nothing else reads: its rows are rounded once, not twice."""

    def __init__(self, name: str, output: TensorQuantizer) -> None:
        super().__init__(name, output.spec)
        self._output = (output,)  # in a tuple, so that it is no module of this one

    def fit(self, weight: Tensor) -> None:
        """Take scale and zero point of the output, or of `weight` where nothing was looked up."""
        (output,) = self._output
        if not output.flag("started"):
            super().fit(weight)
            return
        self.set_flag("signed", output.flag("signed"))
        self.set_params(output.params)


class FunctionQuantizer(TensorQuantizer):
    """Applies a function to a parameter in each forward, with the function's own gradient."""

    def __init__(self, name: str, spec: Spec, function: Callable[[Tensor, TensorQuantizer], Tensor]) -> None:
        super().__init__(name, spec)
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
