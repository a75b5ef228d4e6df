"""Linear quantization, straight-through: weights by their own range, activations by a moving average."""

from __future__ import annotations

import torch
from torch import Tensor

from qprep.foundation.errors import QprepError
from qprep.quantizer.distributed import reduced_range
from qprep.quantizer.formats.affine import fake_quantize, qparams
from qprep.quantizer.formats.spec import Granularity, Range, Spec
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.graph.quantization_graph import Edge, Weight
from qprep.quantizer.methods.qat.qat_base import LearningQuantizer, TrainingQuantizer

_DECAY = 0.99


class MovingRange(LearningQuantizer):
    """Minimum and maximum as moving averages that start at the first batch's; fixed in evaluation mode.

    With several processes the range is that of all of them.
    """

    low: Tensor
    high: Tensor

    def __init__(self, name: str, spec: Spec, fixed: Range | None = None, bounds: Range | None = None) -> None:
        super().__init__(name, spec)
        self.fixed, self.bounds = fixed, bounds
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))

    def start(self, input: Tensor) -> None:
        """The range of the first batch."""
        self.low, self.high = self._seen(input)
        self._set()

    def learned(self, input: Tensor) -> Tensor:
        """Straight-through inside the range, no gradient outside."""
        if self.training and torch.is_grad_enabled() and self.fixed is None:
            with torch.no_grad():
                low, high = self._seen(input)
                self.low = torch.lerp(low, self.low, _DECAY)
                self.high = torch.lerp(high, self.high, _DECAY)
                self._set()
        return fake_quantize(input, self.params)

    def _seen(self, input: Tensor) -> tuple[Tensor, Tensor]:
        if self.fixed is not None:
            low, high = input.new_tensor(self.fixed[0]), input.new_tensor(self.fixed[1])
            return low.float(), high.float()
        low, high = (bound.float() for bound in torch.aminmax(input.detach()))
        if self.bounds is not None:
            low, high = low.clamp(*self.bounds), high.clamp(*self.bounds)
        return reduced_range(low, high)

    def _set(self) -> None:
        try:
            self.spec = self.spec.holding(self.low)
            params = qparams(self.spec, self.low, self.high)
        except QprepError as error:
            raise QprepError(f"{error}, at the output of {self.name or 'the model'}") from error
        self.scale, self.zero_point = params.scale, params.zero_point


class OwnRange(LearningQuantizer):
    """The parameter's range of the moment, straight-through."""

    def start(self, input: Tensor) -> None:
        """Nothing is kept."""

    def learned(self, input: Tensor) -> Tensor:
        """`input` on a grid over its largest magnitude."""
        rows = input.detach()
        if self.spec.granularity is Granularity.TENSOR:
            low, high = torch.aminmax(rows)
        else:
            rows = self.rows(rows)
            low, high = rows.amin(1), rows.amax(1)
        params = qparams(self.spec, low, high)
        self.scale, self.zero_point = params.scale, params.zero_point
        return fake_quantize(input, params)


class LinearQATQuantizer(TrainingQuantizer):
    """Linear quantization-aware training (Jacob et al., arXiv:1712.05877)."""

    def make_activation_quantizer(self, edge: Edge, spec: Spec, name: str) -> TensorQuantizer:
        """A moving average of the range."""
        return MovingRange(name, spec, edge.fixed, edge.bounds)

    def make_weight_quantizer(self, weight: Weight, spec: Spec, name: str) -> TensorQuantizer:  # noqa: ARG002
        """The parameter's own range."""
        return OwnRange(name, spec)
