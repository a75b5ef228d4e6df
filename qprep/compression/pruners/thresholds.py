"""Whole structures below a threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.nn import Parameter

from qprep.compression.coverage import Coverage
from qprep.compression.errors import CompressionError
from qprep.compression.pruners.layouts import CRITERIA, Regime, above, regime_of
from qprep.compression.pruners.pruner import Context, Pruner, Weights
from qprep.compression.registry import register
from qprep.compression.training import Training


@register
class StructureParameterPruner(Pruner):
    """Structures whose largest (Max) or mean (Mean_Abs) magnitude is not above a threshold go.

    A channel goes as a whole, with bias and BatchNorm, if all weights that compute it, or all that read it, are named
    and below their thresholds there.

    reg_regims    [threshold, group] by name, with the groups of `GroupLassoRegularizer`
    weights_only  whether the masks are of the named weights alone, as Distiller's
    """

    def __init__(
        self,
        reg_regims: Mapping[str, Sequence[Any]],
        threshold_criteria: str,
        *,
        weights_only: bool = False,
        ignore: Weights = (),
        allow_missing: bool = False,
    ) -> None:
        if threshold_criteria not in CRITERIA:
            raise CompressionError(f"expected threshold_criteria Max or Mean_Abs, found {threshold_criteria!r}")
        super().__init__(dict(reg_regims), ignore=ignore, allow_missing=allow_missing)
        self.criterion, self.weights_only = threshold_criteria, weights_only
        self.regimes = {name: regime_of(name, value, "threshold") for name, value in reg_regims.items()}
        layouts = [layout for regime in self.regimes.values() for layout in regime.layouts]
        self.wants_example = not weights_only and any(layout.dim is not None for layout in layouts)
        self._regimes: dict[Parameter, Regime] = {}
        self._coverage: Coverage | None = None

    def check(self, name: str, parameter: Parameter) -> None:
        """The weight has such groups."""
        self._regime(parameter).check(name, parameter)

    def bind(self, training: Training) -> None:
        """As in the base; what is named is known before it is checked, and what goes together is looked up."""
        self.parameters = {each: pattern for pattern in self.regimes for each in training.names.find(pattern)}
        super().bind(training)
        self._regimes = {each: self._regime(each).of_layer(training.module_of(each)) for each in self.parameters}
        self._coverage = None if self.weights_only else Coverage(training)

    def mask(self, parameter: Parameter, context: Context) -> Tensor:
        """See the class."""
        regime = self._regime(parameter)
        return above(context.values, regime.strength, regime.layouts, self.criterion)

    def masks(self, contexts: Mapping[Parameter, Context]) -> dict[Parameter, Tensor]:
        """See the class."""
        found = super().masks(contexts)
        return found if self._coverage is None else self._coverage.with_channels(found, self._dimensions)

    def _regime(self, parameter: Parameter) -> Regime:
        known = self._regimes.get(parameter)
        found: Regime = self.value_for(parameter, self.regimes) if known is None else known
        return found

    def _dimensions(self, parameter: Parameter) -> list[int]:
        return [each.dim for each in self._regime(parameter).layouts if each.dim is not None]
