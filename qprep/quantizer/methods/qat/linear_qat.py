"""Linear quantization, straight-through: weights by their own range, activations by a moving average."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from qprep.foundation.errors import QprepError
from qprep.quantizer.distributed import reduced_range
from qprep.quantizer.formats.affine import QParams, fake_quantize, qparams
from qprep.quantizer.formats.spec import Granularity, Range, Spec
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.graph.quantization_graph import Edge, Weight
from qprep.quantizer.methods.qat.qat_base import LearningQuantizer, TrainingQuantizer, in_backward
from qprep.quantizer.ranges.estimators import MIN_MAX, make_estimator

_DECAY = 0.99


class MovingRange(LearningQuantizer):
    """A batch's range, as the format's estimator has it, as a moving average that starts at the first batch's.

    It is fixed in evaluation mode. With several processes it is that of all of them.
    """

    low: Tensor
    high: Tensor

    def __init__(self, name: str, spec: Spec, fixed: Range | None = None, bounds: Range | None = None) -> None:
        super().__init__(name, spec)
        self.fixed, self.bounds = fixed, bounds
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self._kept: tuple[tuple[int, ...], QParams] | None = None

    def start(self, input: Tensor) -> None:
        """The range of the first batch."""
        low, high = self._seen(input)
        self.low.copy_(low)
        self.high.copy_(high)
        self._set()

    def learned(self, input: Tensor) -> Tensor:
        """Straight-through inside the range, no gradient outside."""
        if self.training and self.tracks and self.fixed is None and not in_backward():
            with torch.no_grad():
                low, high = self._seen(input)
                self.low.copy_(torch.lerp(low, self.low.to(low), _DECAY))
                self.high.copy_(torch.lerp(high, self.high.to(high), _DECAY))
                self._set()
        return fake_quantize(input, self.params)

    @property
    def params(self) -> QParams:
        """The grid over the range; tensors of its own, as the range moves before a backward has read them."""
        if torch.compiler.is_compiling() or self.low.is_inference():
            return qparams(self.spec, self.low, self.high)
        key = tuple(number for each in (self.low, self.high) for number in (id(each), each._version))  # noqa: SLF001
        if self._kept is None or self._kept[0] != key:
            self._kept = key, qparams(self.spec, self.low, self.high)
        return self._kept[1]

    def _seen(self, input: Tensor) -> tuple[Tensor, Tensor]:
        if self.fixed is not None:
            low, high = input.new_tensor(self.fixed[0]), input.new_tensor(self.fixed[1])
            return low.float(), high.float()
        low, high = self._estimated(input.detach().float())
        if self.bounds is not None:
            low, high = low.clamp(*self.bounds), high.clamp(*self.bounds)
        return reduced_range(low, high)

    def _estimated(self, input: Tensor) -> tuple[Tensor, Tensor]:
        if self.spec.estimator == MIN_MAX:
            low, high = torch.aminmax(input)
            return low, high
        found: tuple[Tensor, Tensor] = self._by_estimator(input)
        return found

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _by_estimator(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """The range of this batch alone by the estimator; QprepError, with the name, for NaN and infinity."""
        estimator = make_estimator(self.spec)
        try:
            estimator.update(input.reshape(1, -1), input.shape[0] if input.dim() > 1 else 1)
        except QprepError as error:
            raise QprepError(f"{error}, at the output of {self.name or 'the model'}") from error
        low, high = (bound.squeeze(0) for bound in estimator.range())
        return low, high

    def _set(self) -> None:
        try:
            if self.needs_sign and not self.flag("signed"):
                self.set_flag("signed", bool(self.low < 0))
            self.keep_params(self.params)
        except QprepError as error:
            raise QprepError(f"{error}, at the output of {self.name or 'the model'}") from error

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._kept = None


class OwnRange(LearningQuantizer):
    """The parameter's current range, straight-through."""

    @property
    def grid(self) -> QParams:
        """That of the last forward."""
        return self.params

    def start(self, input: Tensor) -> None:
        """The parameter is there from the start: nothing else is needed."""

    def learned(self, input: Tensor) -> Tensor:
        """`input` on a grid over its largest magnitude."""
        rows = input.detach()
        if self.spec.granularity is Granularity.TENSOR:
            low, high = torch.aminmax(rows)
        else:
            rows = self.rows(rows)
            low, high = rows.amin(1), rows.amax(1)
        if self.needs_sign and not self.flag("signed") and not torch.compiler.is_compiling():
            self.set_flag("signed", bool((low < 0).any()))
        params = qparams(self.spec, low, high)
        self.keep_params(params)
        return fake_quantize(input, params)


class LinearQATQuantizer(TrainingQuantizer):
    """Linear quantization-aware training (Jacob et al., arXiv:1712.05877).

    estimator_activations  computes the range of each batch; for few bits use one that omits outliers, such as
                           aciq-laplace
    """

    unread: ClassVar[tuple[str, ...]] = ("estimator_weights",)

    def make_activation_quantizer(self, edge: Edge, spec: Spec, name: str) -> TensorQuantizer:
        """Return a quantizer with a moving average of the range."""
        return MovingRange(name, spec, edge.fixed, edge.bounds)

    def make_weight_quantizer(self, weight: Weight, spec: Spec, name: str) -> TensorQuantizer:  # noqa: ARG002
        """Return a quantizer that uses the range of the parameter."""
        return OwnRange(name, spec)
