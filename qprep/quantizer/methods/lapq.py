"""LAPQ: all ranges searched together for the least loss of the whole model (Nahshan et al., arXiv:1911.07190)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from qprep.foundation.errors import QprepError
from qprep.quantizer.batches import batches_of
from qprep.quantizer.formats.affine import qparams
from qprep.quantizer.formats.spec import Granularity
from qprep.quantizer.formats.tensor_quantizers import (
    ActivationQuantizer,
    QuantizerMode,
    TensorQuantizer,
    WeightQuantizer,
)
from qprep.quantizer.graph.error_measure import Ratio
from qprep.quantizer.methods.post_training import PostTrainingQuantizer
from qprep.quantizer.ranges.histograms import MeanSquaredError

Loss = Callable[[Any, Any], Tensor | float]
Progress = Callable[[int, int], None]

_NORMS: Final = (2.0, 2.5, 3.0, 3.5, 4.0)
_WHOLE: Final = math.inf  # the norm that weighs the largest error alone: nothing is clipped
_FACTORS: Final = (0.3, 1.4)  # how far the search may shrink and widen a range


@dataclass(frozen=True, slots=True)
class _SearchedRange:
    """One range to be searched, for each scale (one, or one per channel), and how to find it for a norm."""

    quantizer: TensorQuantizer
    estimator: MeanSquaredError

    def bounds(self, norm: float) -> tuple[Tensor, Tensor]:
        if norm == _WHOLE:
            low, high = self.estimator.low, self.estimator.high
        else:
            self.estimator.norm = norm
            low, high = self.estimator.range()
        if self.quantizer.spec.granularity is Granularity.TENSOR:
            low, high = low.squeeze(0), high.squeeze(0)
        seen = self.quantizer.bounds if isinstance(self.quantizer, ActivationQuantizer) else None
        return (low, high) if seen is None else (low.clamp(*seen), high.clamp(*seen))


class LAPQQuantizer(PostTrainingQuantizer):
    """LAPQ: static ranges in three steps: least L_p error of each tensor, the best p for the loss, Powell's method.

    The whole range of each tensor is a candidate as well, the limit of large p: some models need their outliers.

    loss         a function of (output, batch) to minimize; by default the squared error against the float outputs
    evaluations  how often Powell's method may run the calibration data; 0 omits this step

    Powell's method needs scipy (`qprep[lapq]`). The loss after calibration is `best_loss`.
    """

    method_name: ClassVar[str] = "lapq"
    defaults: ClassVar[Mapping[str, Any]] = {"estimator_activations": "mse", "estimator_weights": "mse"}

    def __init__(self, *args: Any, loss: Loss | None = None, evaluations: int = 500, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.loss, self.evaluations = loss, evaluations
        self.best_loss = math.inf
        self._slots: list[_SearchedRange] = []

    def calibrate(self, loader: object, progress: Progress | None = None) -> None:
        """Calibrate as the base class, then search; `progress` gets the number of evaluations done and the maximum.

        Estimators other than "mse" fix their ranges before the search. Raises QprepError if scipy is missing, or
        the loss of every candidate is NaN.
        """
        minimize = _powell() if self.evaluations else None
        batches = list(batches_of(loader))
        self._slots = []
        super().calibrate(batches)
        self._slots += _weight_slots(self)
        search = _RangeSearch(self, batches, progress, len(_NORMS) + 2 + self.evaluations)
        norm = search.best_norm()
        search.start_from(norm)
        if minimize is not None and self._slots:
            minimize(
                search.loss_of,
                [1.0] * len(self._slots),
                method="Powell",
                bounds=[_FACTORS] * len(self._slots),
                options={"maxfev": self.evaluations, "xtol": 1e-2, "ftol": 1e-4},
            )
        self.best_loss = search.finish()
        self._slots = []

    def _observe(self, loader: object, observers: list[ActivationQuantizer]) -> None:
        super()._observe(loader, observers)
        for each in observers:  # the estimator goes when the observer freezes
            if isinstance(each.estimator, MeanSquaredError) and each.estimator.count:
                self._slots.append(_SearchedRange(each, each.estimator))


class _RangeSearch:
    """The loss as a function of norms and factors; remembers the best ranges."""

    def __init__(
        self, quantizer: LAPQQuantizer, batches: Sequence[object], progress: Progress | None, total: int
    ) -> None:
        self._quantizer, self._batches = quantizer, batches
        self._progress, self._total, self._done = progress, total, 0
        self._slots = quantizer._slots  # noqa: SLF001  (of its own module)
        self._reference = None if quantizer.loss else self._float_outputs()
        self._bounds: list[tuple[Tensor, Tensor]] = []
        self._best, self._best_factors = math.inf, [1.0] * len(self._slots)

    def best_norm(self) -> float:
        """The least of the losses at a few norms, at the minimum of a parabola through them, and without clipping."""
        losses = {}
        for norm in (*_NORMS, _WHOLE):
            self.start_from(norm)
            losses[norm] = self.loss_of([1.0] * len(self._slots))
        between = _vertex(losses)
        if between is not None:
            self.start_from(between)
            losses[between] = self.loss_of([1.0] * len(self._slots))
        best = min(losses, key=lambda norm: losses[norm])
        if math.isinf(losses[best]):
            raise QprepError("expected a loss to search ranges by, found NaN for every candidate")
        return best

    def start_from(self, norm: float) -> None:
        """Count factors from the ranges of this norm."""
        self._bounds = [each.bounds(norm) for each in self._slots]
        self._best, self._best_factors = math.inf, [1.0] * len(self._slots)

    def loss_of(self, factors: Sequence[float]) -> float:
        """The loss with each range multiplied by its factor."""
        self._apply(factors)
        found = self._loss()
        if found < self._best:
            self._best, self._best_factors = found, [float(each) for each in factors]
        self._done += 1
        if self._progress is not None:
            self._progress(min(self._done, self._total), self._total)
        return found

    def finish(self) -> float:
        """Use the best ranges seen from the last start; their loss."""
        if math.isinf(self._best):
            self.loss_of(self._best_factors)
        self._apply(self._best_factors)
        return self._best

    def _apply(self, factors: Sequence[float]) -> None:
        for slot, (low, high), factor in zip(self._slots, self._bounds, factors, strict=True):
            quantizer = slot.quantizer
            scaled = low * float(factor), high * float(factor)
            if isinstance(quantizer, ActivationQuantizer):
                quantizer.set_range(*scaled)
            else:
                quantizer.set_params(qparams(quantizer.spec, *scaled))

    def _loss(self) -> float:
        with torch.no_grad():
            outputs = [self._quantizer.call(batch) for batch in self._batches]
            if self._quantizer.loss is not None:
                pairs = zip(outputs, self._batches, strict=True)
                found = sum(float(self._quantizer.loss(output, batch)) for output, batch in pairs) / len(outputs)
            else:
                found = self._noise(outputs)
        return found if math.isfinite(found) else math.inf

    def _noise(self, outputs: Sequence[object]) -> float:
        ratio = Ratio()
        for expected, output in zip(self._reference or (), outputs, strict=True):
            ratio.add_all(expected, output)
        return ratio.noise / ratio.signal if ratio.signal else ratio.noise

    def _float_outputs(self) -> list[object]:
        slots = list(self._quantizer.quantizers)
        modes = [each.mode for each in slots]
        for each in slots:
            each.mode = QuantizerMode.OFF
        with torch.no_grad():
            found = [self._quantizer.call(batch) for batch in self._batches]
        for each, mode in zip(slots, modes, strict=True):
            each.mode = mode
        return found


def _weight_slots(quantizer: LAPQQuantizer) -> list[_SearchedRange]:
    found = []
    for parameter, each in quantizer.parameters_with_quantizers():
        if isinstance(each, WeightQuantizer) and not each.spec.is_float and each.spec.estimator == "mse":
            estimator = MeanSquaredError(each.spec)
            estimator.update(each.rows(parameter.detach()))
            found.append(_SearchedRange(each, estimator))
    return found


def _vertex(losses: Mapping[float, float]) -> float | None:
    """The minimum of a parabola fitted to the losses; None if it opens downwards or lies outside the norms."""
    norms = torch.tensor([each for each in _NORMS if math.isfinite(losses[each])], dtype=torch.double)
    if len(norms) < 3:
        return None
    values = torch.tensor([losses[norm] for norm in norms.tolist()], dtype=torch.double)
    powers = torch.stack([norms**2, norms, torch.ones_like(norms)], 1)
    square, linear, _ = torch.linalg.lstsq(powers, values).solution.tolist()
    if square <= 0:
        return None
    vertex = -linear / (2 * square)
    return float(vertex) if min(_NORMS) < vertex < max(_NORMS) else None


def _powell() -> Callable[..., Any]:
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise QprepError("expected scipy for LAPQ, found none: pip install 'qprep[lapq]'") from error
    return minimize  # type: ignore[no-any-return]
