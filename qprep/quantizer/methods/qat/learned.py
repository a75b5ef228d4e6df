"""TQT: trained thresholds (Jain et al., arXiv:1903.08066). LSQ: learned step size (Esser et al., arXiv:1902.08153)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import Parameter

from qprep.foundation.errors import QprepError
from qprep.quantizer.distributed import any_over_ranks, mean_over_ranks
from qprep.quantizer.formats.affine import QParams
from qprep.quantizer.formats.grid import between, by_passes, inside, rounded
from qprep.quantizer.formats.spec import Granularity, Spec
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.graph.quantization_graph import Edge, Weight
from qprep.quantizer.methods.qat.qat_base import LearningQuantizer, TrainingQuantizer, at_least


class _LearnedRounding(Function):
    """clamp(round(x / s), n, p) s, with the gradient of s; s has the dimensions of x, or is a scalar.

    dq/dx = 1 where n ≤ r ≤ p; dq/ds = r - x/s there, n below and p above. TQT decides by r = round(x/s), LSQ by x/s.
    With q the result that is (q - x) / s inside and q / s outside, so that torch's own kernel does the forward. The
    backward computes q again: a saved q would forbid the model to change its tensors in place.
    """

    @staticmethod
    def forward(  # noqa: PLR0917
        ctx: Any,  # noqa: ANN401
        input: Tensor,
        scale: Tensor,
        low: int,
        high: int,
        by_rounded: bool,
    ) -> Tensor:
        ctx.passes = by_passes(input) and input.dtype == torch.float32
        if ctx.passes:
            ctx.limits, ctx.by_rounded = (low, high), by_rounded
            ctx.save_for_backward(input, scale)
            return rounded(input, scale, low, high)
        output, within = _kernel(input.float(), scale.float(), low, high)
        if not by_rounded:
            within = (input > low * scale) & (input < high * scale)
        ctx.limits = low, high
        ctx.save_for_backward(input, scale, within)
        return output.to(input.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None, None]:  # noqa: ANN401
        given, scale, *rest = ctx.saved_tensors
        if ctx.passes:
            steps = given * scale.reciprocal()
            allowed = inside if ctx.by_rounded else between
            passed = allowed(grads[0], steps, *ctx.limits)
            output = steps.round_().clamp_(*ctx.limits).mul_(scale)
        else:
            passed = grads[0] * rest[0]
            output, _ = _kernel(given.float(), scale.float(), *ctx.limits)
        return passed, _products(grads[0], output, passed, given, scale) / scale, None, None, None


def _products(grad: Tensor, output: Tensor, passed: Tensor, given: Tensor, scale: Tensor) -> Tensor:
    """Sums of grad · output - passed · given, over what shares a scale."""
    if scale.numel() > 1 or grad.dtype != torch.float32:
        return (grad * output - passed * given).sum_to_size(scale.shape)
    found = torch.dot(grad.reshape(-1), output.reshape(-1)) - torch.dot(passed.reshape(-1), given.reshape(-1))
    return found.reshape(scale.shape)


def _kernel(input: Tensor, scale: Tensor, low: int, high: int) -> tuple[Tensor, Tensor]:
    """The quantized values, and whether each rounds to within the limits."""
    zero = torch.zeros(scale.numel(), dtype=torch.int32, device=scale.device)
    if scale.numel() == 1:
        enabled = torch.ones(1, dtype=torch.int64, device=scale.device)  # the CUDA kernel reads no other type
        kernel = torch.ops.aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams  # noqa: SLF001
        output, within = kernel(input, scale.reshape(1), zero, enabled, low, high)
    else:
        axis = next(place for place, size in enumerate(scale.shape) if size > 1)
        kernel = torch.ops.aten.fake_quantize_per_channel_affine_cachemask
        output, within = kernel(input, scale.flatten(), zero, axis, low, high)
    return output, within


class _Ceil(Function):
    """ceil, straight-through."""

    @staticmethod
    def forward(ctx: Any, input: Tensor) -> Tensor:  # noqa: ANN401, ARG004
        return torch.ceil(input)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # noqa: ANN401, ARG004
        return grads[0]


def tqt(input: Tensor, log2_threshold: Tensor, bits: int, signed: bool = True, power_of_two: bool = True) -> Tensor:
    """`input` quantized with the threshold 2^log2_threshold (scalar, or broadcastable).

    s = 2^ceil(log2 t) / 2^(bits - 1) (2^bits unsigned), without ceil where scales are free. The gradient for log2 t is
    s ln 2 times {r - x/s inside, n below, p above}.
    """
    exponent: Tensor = _Ceil.apply(log2_threshold) if power_of_two else log2_threshold  # type: ignore[no-untyped-call]
    scale = torch.exp2(exponent - (bits - 1 if signed else bits))
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    found: Tensor = _LearnedRounding.apply(input, scale, low, high, True)  # type: ignore[no-untyped-call]
    return found


def lsq(input: Tensor, scale: Tensor, bits: int, signed: bool = True) -> Tensor:
    """`input` quantized with step `scale`, whose gradient is scaled by 1 / sqrt(N p) (N values to a scale)."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    slowed = _slowed(scale, input.numel() / scale.numel(), high)
    found: Tensor = _LearnedRounding.apply(input, slowed, low, high, False)  # type: ignore[no-untyped-call]
    return found


def _slowed(scale: Tensor, values: float, high: int) -> Tensor:
    """`scale`, with a gradient 1 / sqrt(values · high) as large."""
    factor = 1 / math.sqrt(values * max(high, 1))
    return scale * factor + (scale * (1 - factor)).detach()


class _Learned(LearningQuantizer):
    """One trained number for each scale, never below `least`; signed where the first tensor has negative values.

    An optimizer may take a step of 0.01 below zero at once. What is used is max(trained, least), so that a scale is
    positive whatever it does, and each forward in training brings the parameter itself back there.
    """

    least: Tensor

    def __init__(self, name: str, spec: Spec, scales: int = 1) -> None:
        super().__init__(name, spec)
        if spec.granularity is Granularity.GROUP:
            raise QprepError(f"expected one trained scale per tensor or per channel, found per group at {name}")
        channels = spec.granularity is not Granularity.TENSOR
        self.trained = Parameter(torch.ones(scales) if channels else torch.ones(()))
        self.register_buffer("least", torch.full_like(self.trained.detach(), -math.inf))

    def start(self, input: Tensor) -> None:
        """Take sign and scale from the first tensor; with several processes from those of all."""
        self.set_flag("signed", any_over_ranks((input < 0).any()))
        first = mean_over_ranks(self.first(self.rows(input).abs())).reshape(self.trained.shape)
        self.trained.copy_(first)
        self.least.copy_(self.floor_of(first))

    def settle(self) -> None:
        """Bring the parameter back to `least`, where an optimizer left it below."""
        self.trained.data.clamp_(min=self.least)

    @property
    def limits(self) -> tuple[int, int]:
        """The smallest and the largest integer."""
        return _limits(self.spec.bits or 0, self.flag("signed"))

    @property
    def grid(self) -> QParams:
        """The trained scale, with zero point 0."""
        scale = self.step.detach().float()
        axis = None if scale.dim() == 0 else self.spec.axis
        return QParams(scale, torch.zeros_like(scale, dtype=torch.int32), *self.limits, axis)

    @property
    def step(self) -> Tensor:
        """The scale in use, of the shape of `trained`."""
        raise NotImplementedError

    def first(self, magnitudes: Tensor) -> Tensor:
        """The first value for each row."""
        raise NotImplementedError

    def floor_of(self, first: Tensor) -> Tensor:
        """The least value, for each first one."""
        raise NotImplementedError

    def along(self, input: Tensor) -> Tensor:
        """The numbers in use, broadcastable to `input`, with gradient for those that are trained."""
        used = at_least(self.trained, self.least)
        if used.dim() == 0:
            return used
        shape = [1] * input.dim()
        shape[self.spec.axis] = -1
        return used.reshape(shape)

    def captured(self, input: Tensor, scale: Tensor, by_rounded: bool) -> Tensor:
        """`_LearnedRounding` by plain operators: what a graph is made of, signed or not by the buffer."""
        bits = self.spec.bits or 0
        low = torch.where(self.signed != 0, -(2.0 ** (bits - 1)), 0.0)
        high = torch.where(self.signed != 0, 2.0 ** (bits - 1) - 1, 2.0**bits - 1)
        given, found = input.float(), scale.float()
        steps = (given * found.reciprocal()).detach()
        whole = steps.round()
        within = (whole >= low) & (whole <= high) if by_rounded else (steps > low) & (steps < high)
        whole = whole.clamp(low, high)
        moves = torch.where(within, given + (whole - steps) * found, whole * found)  # its gradients are the method's
        return ((whole * found).detach() + (moves - moves.detach())).to(input.dtype)


def _limits(bits: int, signed: bool) -> tuple[int, int]:
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


_SHRINK: Final = 64.0  # by how much a step may shrink from its first value


class TQTQuantize(_Learned):
    """A trained log2 of the threshold."""

    power_of_two = True

    @property
    def step(self) -> Tensor:
        """2^ceil(log2 t) by half the levels, without ceil where scales are free."""
        used = torch.maximum(self.trained, self.least)
        exponent = used.ceil() if self.power_of_two else used
        bits = self.spec.bits or 0
        return torch.exp2(exponent - (bits - 1 if self.flag("signed") else bits))

    def first(self, magnitudes: Tensor) -> Tensor:
        """The log2 of 3 root mean squares, at most the largest magnitude."""
        spread = 3 * magnitudes.pow(2).mean(1).sqrt()
        return torch.minimum(spread, magnitudes.amax(1)).clamp(min=1e-8).log2()

    def floor_of(self, first: Tensor) -> Tensor:
        """A threshold of 1/64 of the first."""
        return first - math.log2(_SHRINK)

    def learned(self, input: Tensor) -> Tensor:
        """See `tqt`."""
        bits, exponent = self.spec.bits or 0, self.along(input)
        if not torch.compiler.is_compiling():
            return tqt(input, exponent, bits, self.flag("signed"), self.power_of_two)
        whole = exponent + (exponent.ceil() - exponent).detach() if self.power_of_two else exponent
        return self.captured(input, torch.exp2(whole - torch.where(self.signed != 0, bits - 1.0, float(bits))), True)


class LSQQuantize(_Learned):
    """A trained step, 2 E|v| / sqrt(p) at the start."""

    @property
    def step(self) -> Tensor:
        """The trained parameters."""
        return torch.maximum(self.trained, self.least)

    def first(self, magnitudes: Tensor) -> Tensor:
        """See the class."""
        return (2 * magnitudes.mean(1) / math.sqrt(max(self.limits[1], 1))).clamp(min=1e-8)

    def floor_of(self, first: Tensor) -> Tensor:
        """1/64 of the first step."""
        return first / _SHRINK

    def learned(self, input: Tensor) -> Tensor:
        """See `lsq`."""
        bits, step = self.spec.bits or 0, self.along(input)
        if not torch.compiler.is_compiling():
            return lsq(input, step, bits, self.flag("signed"))
        return self.captured(input, _slowed(step, input.numel() / step.numel(), self.limits[1]), False)


class LSQQuantizer(TrainingQuantizer):
    """LSQ: learned step sizes of weights and activations, by default one for each tensor."""

    defaults: ClassVar[Mapping[str, Any]] = {"granularity_weights": "per-tensor"}
    unread: ClassVar[tuple[str, ...]] = (
        *TrainingQuantizer.unread,
        "scheme_activations",
        "scheme_weights",
        "signed_activations",
    )
    kind: type[_Learned] = LSQQuantize

    def make_activation_quantizer(self, edge: Edge, spec: Spec, name: str) -> TensorQuantizer:  # noqa: ARG002
        """Return a quantizer with one trained number."""
        return self.kind(name, spec)

    def make_weight_quantizer(self, weight: Weight, spec: Spec, name: str) -> TensorQuantizer:
        """Return a quantizer with one trained number, or one for each channel."""
        return self.kind(name, spec, weight.parameter.shape[spec.axis])


class _FreeTQT(TQTQuantize):
    power_of_two = False


class TQTQuantizer(LSQQuantizer):
    """TQT: trained thresholds; scales are powers of two unless `power_of_two` is False."""

    kind = TQTQuantize

    def __init__(self, *args: Any, power_of_two: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.power_of_two = power_of_two
        if not power_of_two:
            self.kind = _FreeTQT
