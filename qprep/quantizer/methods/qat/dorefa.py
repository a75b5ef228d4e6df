"""DoReFa-Net (Zhou et al., arXiv:1606.06160) and WRPN (Mishra et al., arXiv:1709.01134)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import torch
from torch import Tensor
from torch.autograd import Function

from qprep.foundation.errors import QprepError
from qprep.quantizer.distributed import reduced_range
from qprep.quantizer.formats.affine import QParams
from qprep.quantizer.formats.grid import after, before, between, by_passes
from qprep.quantizer.formats.spec import Granularity, Scheme, Spec
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.graph.graph_passes import Passes, mark_rectified
from qprep.quantizer.graph.quantization_graph import Edge, Weight
from qprep.quantizer.methods.qat.linear_qat import MovingRange
from qprep.quantizer.methods.qat.qat_base import LearningQuantizer, TrainingQuantizer

# How far tanh is used: up to 0.25 it is x within 2 %. Beyond 0.5 the error is less at few bits, and so are gradients of
# large weights: a transformer in 4 bits then trains to 0.3 to 2.3 points less.
_BENDS: Final = (0.1, 0.25, 0.5)


def straight_through(input: Tensor, output: Tensor) -> Tensor:
    """The values of `output` with the gradient of `input`."""
    return input + (output - input).detach()


class _Steps(Function):
    """x rounded to multiples of 1 / number, the gradient straight through."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, number: int) -> Tensor:  # noqa: ANN401, ARG004
        return (input * number).round_().div_(number)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401, ARG004
        return grads[0], None


class _UnitSteps(Function):
    """The same after a clamp to [0, 1], which lets the gradient through in there, ends included."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, number: int) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(input)
        return input.clamp(0, 1).mul_(number).round_().div_(number)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        (given,) = ctx.saved_tensors
        return between(grads[0], given, before(0.0), after(1.0)), None


class _ReachSteps(Function):
    """The same on [0, reach], in the passes of one tensor: clamp(x n / reach, 0, n) rounded, times reach / n."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, reach: float, number: int) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(input)
        ctx.reach = reach
        return (input * (number / reach)).clamp_(0, number).round_().mul_(reach / number)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        (given,) = ctx.saved_tensors
        return between(grads[0], given, before(0.0), ctx.reach), None, None


def steps(input: Tensor, number: int) -> Tensor:
    """Q: values in [0, 1] (or [-1, 1]) rounded to multiples of 1 / number, straight-through."""
    found: Tensor = _Steps.apply(input, number)  # type: ignore[no-untyped-call]
    return found


def dorefa_weights(weight: Tensor, bits: int, axis: int | None = None) -> Tensor:
    """2 Q(tanh w / (2 max |tanh w|) + 1/2) - 1; with one bit sign(w) · E|w|, sign(0) = +1.

    Maximum and mean are those of the whole tensor, as in the paper, or of each channel along `axis`.
    """
    others = tuple(each for each in range(weight.dim()) if each != axis)
    if bits == 1:
        sign = torch.where(weight >= 0, 1.0, -1.0).to(weight.dtype)
        return straight_through(weight, sign * weight.detach().abs().mean(others, keepdim=True))
    squashed = torch.tanh(weight)
    largest = squashed.detach().abs().amax(others, keepdim=True).clamp(min=torch.finfo(weight.dtype).tiny)
    return 2 * steps(squashed / (2 * largest) + 0.5, 2**bits - 1) - 1


def wrpn_weights(weight: Tensor, bits: int) -> Tensor:
    """Weights clamped to [-1, 1], with 2^(bits - 1) - 1 steps on either side of zero; 2 bits or more."""
    return steps(weight.clamp(-1, 1), 2 ** (bits - 1) - 1)


def unit_activations(input: Tensor, bits: int) -> Tensor:
    """Activations clamped to [0, 1], with 2^bits - 1 steps."""
    found: Tensor = _UnitSteps.apply(input, 2**bits - 1)  # type: ignore[no-untyped-call]
    return found


def by_steps(slot: TensorQuantizer, scale: Tensor, low: int, high: int) -> QParams:
    """A grid around zero point 0, with one scale or one for each channel."""
    axis = None if scale.dim() == 0 else slot.spec.axis
    return QParams(scale.detach().float(), slot.zero_point.new_zeros(scale.shape), low, high, axis)


class UnitActivation(LearningQuantizer):
    """The formula for [0, 1] on values in [0, reach], divided by the largest of the first batch.

    The paper trains from random numbers, with BatchNorm; a trained model without would lose all above 1.
    """

    reach: Tensor

    def __init__(self, name: str, spec: Spec) -> None:
        super().__init__(name, spec)
        self.register_buffer("reach", torch.ones(()))

    def start(self, input: Tensor) -> None:
        """The largest value, over all processes."""
        self.reach.copy_(largest_of(input))

    @property
    def grid(self) -> QParams:
        """Steps of reach / (2^bits - 1)."""
        number = 2 ** (self.spec.bits or 0) - 1
        return by_steps(self, self.reach / number, 0, number)

    def learned(self, input: Tensor) -> Tensor:
        """See `unit_activations`."""
        if by_passes(input) and input.dtype == torch.float32:
            found: Tensor = _ReachSteps.apply(  # type: ignore[no-untyped-call]
                input, float(self.reach), 2 ** (self.spec.bits or 0) - 1
            )
            return found
        reach = self.reach.clone()
        return (unit_activations(input.float() / reach, self.spec.bits or 0) * reach).to(input.dtype)


def largest_of(input: Tensor) -> Tensor:
    """The largest value of a tensor, over all processes; 1 where none is above 0."""
    _, high = reduced_range(*(each.float() for each in torch.aminmax(input)))
    return torch.where(high > 0, high, torch.ones_like(high))


class _Rescaled(LearningQuantizer):
    """A formula for weights in [-1, 1], given back the scale that its layer had.

    Without a BatchNorm behind it a layer whose weights are brought to [-1, 1] is another function. Per channel the
    formula and the scale are those of each channel. Raises QprepError for scales per group.
    """

    largest: Tensor
    by_formula = True

    def __init__(self, name: str, spec: Spec) -> None:
        super().__init__(name, spec)
        if spec.granularity is Granularity.GROUP:
            raise QprepError(f"expected one scale per tensor or per channel, found per group at {name}")
        self.register_buffer("largest", torch.ones(()))

    def take_shape(self, parameter: Tensor) -> None:
        """As in the base; one scale for each channel, where the format has that."""
        super().take_shape(parameter)
        if self.axis is not None:
            self.largest = torch.ones(parameter.shape[self.axis], device=self.largest.device)

    @property
    def axis(self) -> int | None:
        """The channels' dimension, None if there is one scale."""
        return self.spec.axis if self.spec.granularity is Granularity.CHANNEL else None

    def along(self, values: Tensor, weight: Tensor) -> Tensor:
        """A number, or one for each channel, broadcastable to `weight`."""
        return (
            values
            if self.axis is None
            else values.reshape([-1 if each == self.axis else 1 for each in range(weight.dim())])
        )

    @property
    def bits(self) -> int:
        """Of its format."""
        return self.spec.bits or 0

    def learned(self, input: Tensor) -> Tensor:
        """The formula's values times the largest magnitude of the weight, through which no gradient flows."""
        weight = input.float()
        scale = self.scale_of(weight.detach())
        with torch.no_grad():
            self.largest.copy_(scale)
        scale = self.along(scale, weight)
        return (self.formula(weight, scale) * scale).to(input.dtype)

    def scale_of(self, weight: Tensor) -> Tensor:
        """The factor of the formula's values, of the shape of `largest`."""
        magnitudes = self.rows(weight).abs().amax(1)
        return magnitudes.reshape(self.largest.shape).clamp(min=torch.finfo(torch.float32).tiny)

    def formula(self, weight: Tensor, scale: Tensor) -> Tensor:
        """Values in [-1, 1]."""
        raise NotImplementedError


class DorefaWeight(_Rescaled):
    """See `dorefa_weights`, of weights times bend / max |w|, times gain max |w|.

    tanh bends large weights, which is a loss at 8 bits and a gain at few. Both numbers are those that leave the least
    squared error on the weights that training begins with.
    """

    bend: Tensor
    gain: Tensor

    def __init__(self, name: str, spec: Spec) -> None:
        super().__init__(name, spec)
        self.register_buffer("bend", torch.tensor(_BENDS[0]))
        self.register_buffer("gain", torch.ones(()))

    def take_shape(self, parameter: Tensor) -> None:
        """As in the base; the bends and the gains are fitted to the values."""
        super().take_shape(parameter)
        self.bend = torch.full_like(self.largest, _BENDS[0])
        self.gain = torch.ones_like(self.largest)
        weight = parameter.detach().float()
        if self.spec.is_float or self.bits == 1 or not bool(torch.isfinite(weight).all()):
            return
        rows = self.rows(weight)
        rows = rows / rows.abs().amax(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        found = [_fitted(rows, bend, self.bits) for bend in _BENDS]
        best = torch.stack([error for error, _ in found]).argmin(0)
        gains = torch.stack([gain for _, gain in found]).gather(0, best[None])[0]
        self.bend.copy_(torch.tensor(_BENDS, device=best.device)[best].reshape(self.bend.shape))
        self.gain.copy_(gains.reshape(self.gain.shape))

    @property
    def grid(self) -> QParams:
        """The odd multiples of 1 / (2^bits - 1) of the scale, which take a bit more; with one bit ± the last E|w|."""
        number = 2**self.bits - 1
        return by_steps(self, self.largest / number, -number, number)

    def scale_of(self, weight: Tensor) -> Tensor:
        """Gain times the largest magnitude; with one bit E|w|."""
        if self.bits == 1:
            means = self.rows(weight).abs().mean(1).reshape(self.largest.shape)
            return means.clamp(min=torch.finfo(torch.float32).tiny)
        return super().scale_of(weight) * self.gain

    def formula(self, weight: Tensor, scale: Tensor) -> Tensor:
        """See `dorefa_weights`."""
        if self.bits == 1:
            return dorefa_weights(weight, 1, self.axis) / scale
        factor = self.along(self.bend * self.gain, weight) / scale
        return dorefa_weights(weight * factor, self.bits, self.axis)


def _fitted(rows: Tensor, bend: float, bits: int) -> tuple[Tensor, Tensor]:
    """The least squared error of each row in [-1, 1] at this bend, and the gain that has it; 1 for a row of zeros."""
    found = dorefa_weights(rows * bend, bits, 0)
    gain = (rows * found).sum(1) / found.square().sum(1)
    gain = torch.where(gain > 0, gain, torch.ones_like(gain))
    return (rows - gain[:, None] * found).square().sum(1), gain


class WRPNWeight(_Rescaled):
    """See `wrpn_weights`."""

    @property
    def grid(self) -> QParams:
        """Steps of 1 / (2^(bits - 1) - 1) of each scale."""
        number = 2 ** (self.bits - 1) - 1
        return by_steps(self, self.largest / number, -number, number)

    def formula(self, weight: Tensor, scale: Tensor) -> Tensor:
        """See `wrpn_weights`."""
        return wrpn_weights(weight / scale, self.bits)


class DorefaQuantizer(TrainingQuantizer):
    """DoReFa: quantizes weights after tanh, and the outputs of clamping activations in [0, 1].

    The papers do not cover other tensors (inputs, sums, norms, attention). They have linear ranges, which
    `estimator_activations` computes from each batch.
    """

    unread: ClassVar[tuple[str, ...]] = ("estimator_weights", "scheme_weights")

    def default_passes(self) -> Passes:
        """The passes of the base class; activations without negative values get unsigned integers."""
        passes = super().default_passes()
        passes.insert_after("plan-activations", "mark-rectified", mark_rectified)
        return passes

    def make_activation_quantizer(self, edge: Edge, spec: Spec, name: str) -> TensorQuantizer:
        """Return the method's quantizer after a rectifier, and a moving range elsewhere."""
        if spec.scheme is Scheme.UNSIGNED and edge.fixed is None:
            return self.make_rectified_quantizer(spec, name)
        return MovingRange(name, spec, edge.fixed, edge.bounds)

    def make_rectified_quantizer(self, spec: Spec, name: str) -> TensorQuantizer:
        """Return a quantizer of [0, 1] in equal steps."""
        return UnitActivation(name, spec)

    def make_weight_quantizer(self, weight: Weight, spec: Spec, name: str) -> TensorQuantizer:  # noqa: ARG002
        """Return a quantizer with the formula of DoReFa."""
        return DorefaWeight(name, spec)


class WRPNQuantizer(DorefaQuantizer):
    """WRPN: weights in [-1, 1], activations as in DoReFa. It does not widen layers; define a wider model."""

    def make_weight_quantizer(self, weight: Weight, spec: Spec, name: str) -> TensorQuantizer:  # noqa: ARG002
        """Return a quantizer with the formula of WRPN; QprepError for one bit, which has no steps."""
        if spec.bits == 1:
            raise QprepError(f"expected 2 bits or more for WRPN weights, found 1 at {name}")
        return WRPNWeight(name, spec)
