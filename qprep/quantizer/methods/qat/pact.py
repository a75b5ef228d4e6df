"""PACT: a clipping level that is learned (Choi et al., arXiv:1805.06085)."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import Parameter

from qprep.quantizer.formats.affine import QParams
from qprep.quantizer.formats.grid import before, between, by_passes
from qprep.quantizer.formats.spec import Spec
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.methods.qat.dorefa import DorefaQuantizer, by_steps, largest_of
from qprep.quantizer.methods.qat.qat_base import LearningQuantizer, at_least

_START: Final = 8.0
_SHRINK: Final = 64.0  # by how much a level may shrink from its first value


class _Clip(Function):
    """y = clamp(x, 0, α) rounded to α / (2^k - 1); dy/dx = 1 on (0, α), dy/dα = 1 where x ≥ α."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, alpha: Tensor, number: int) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(input, alpha)
        if by_passes(input):
            return (input * (number / alpha)).clamp_(0, number).round_().mul_(alpha / number)
        return torch.round(input.clamp(min=0).minimum(alpha) * (number / alpha)) * (alpha / number)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401
        given, alpha = ctx.saved_tensors
        if by_passes(given):
            level = float(alpha)
            above = torch.ops.aten.threshold_backward(grads[0], given, before(level))
            return between(grads[0], given, 0.0, level), above.sum().reshape(alpha.shape), None
        above = given >= alpha
        return grads[0] * ((given > 0) & ~above), (grads[0] * above).sum().reshape(alpha.shape), None


def pact(input: Tensor, alpha: Tensor, bits: int) -> Tensor:
    """`input` clipped to [0, α] on 2^bits levels; α is a positive scalar."""
    found: Tensor = _Clip.apply(input, alpha, 2**bits - 1)  # type: ignore[no-untyped-call]
    return found


class PACTActivation(LearningQuantizer):
    """One α for each activation, the largest value of the first batch at the start, never below 1/64 of that."""

    least: Tensor

    def __init__(self, name: str, spec: Spec) -> None:
        super().__init__(name, spec)
        self.alpha = Parameter(torch.tensor(_START))
        self.register_buffer("least", torch.tensor(_START / _SHRINK))

    def start(self, input: Tensor) -> None:
        """Nothing is clipped at first."""
        largest = largest_of(input)
        self.alpha.copy_(largest)
        self.least.copy_(largest / _SHRINK)

    def settle(self) -> None:
        """Bring α back above zero, where an optimizer left it below."""
        self.alpha.data.clamp_(min=self.least)

    @property
    def grid(self) -> QParams:
        """Steps of α / (2^bits - 1)."""
        number = 2 ** (self.spec.bits or 0) - 1
        return by_steps(self, torch.maximum(self.alpha, self.least) / number, 0, number)

    def learned(self, input: Tensor) -> Tensor:
        """See `pact`."""
        alpha = at_least(self.alpha, self.least)
        if not torch.compiler.is_compiling():
            return pact(input.float(), alpha.float(), self.spec.bits or 0).to(input.dtype)
        number = 2 ** (self.spec.bits or 0) - 1
        steps = torch.minimum(input.clamp(min=0), alpha) * (number / alpha).detach()
        clipped = torch.minimum(input.clamp(min=0), alpha)
        rounded = steps.round() * (alpha / number)
        found: Tensor = clipped + (rounded - clipped).detach()
        return found


class PACTQuantizer(DorefaQuantizer):
    """PACT: learned clipping levels α behind a ReLU, DoReFa for weights. α has a separate group and weight decay.

    All other tensors are quantized as in DoReFa.
    """

    def __init__(self, *args: Any, alpha_decay: float = 1e-4, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.alpha_decay = alpha_decay

    def make_rectified_quantizer(self, spec: Spec, name: str) -> TensorQuantizer:
        """Return a quantizer with a learned clipping level."""
        return PACTActivation(name, spec)

    def _get_updated_optimizer_params_groups(self) -> list[dict[str, Any]]:
        alphas = [each.alpha for each in self.quantizers if isinstance(each, PACTActivation)]
        return [{"params": alphas, "weight_decay": self.alpha_decay}] if alphas else []
