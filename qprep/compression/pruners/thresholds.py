"""Whole structures below a threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from qprep.compression.errors import CompressionError
from qprep.compression.pruners.layouts import layout_of
from qprep.compression.pruners.pruner import Context, Pruner, Weights, check_at_least
from qprep.compression.registry import register

_CRITERIA = ("Max", "Mean_Abs")


@register
class StructureParameterPruner(Pruner):
    """Structures whose largest (Max) or mean (Mean_Abs) magnitude is not above a threshold go.

    reg_regims  [threshold, group] by name, with the groups of `GroupLassoRegularizer`
    """

    def __init__(
        self,
        reg_regims: Mapping[str, Sequence[Any]],
        threshold_criteria: str,
        *,
        ignore: Weights = (),
        allow_missing: bool = False,
    ) -> None:
        if threshold_criteria not in _CRITERIA:
            raise CompressionError(f"expected threshold_criteria Max or Mean_Abs, found {threshold_criteria!r}")
        super().__init__(dict(reg_regims), ignore=ignore, allow_missing=allow_missing)
        self.largest = threshold_criteria == "Max"
        self.regimes = {}
        for name, value in reg_regims.items():
            if not isinstance(value, (list, tuple)) or not 2 <= len(value) <= 3:
                raise CompressionError(f"expected [threshold, group] for {name}, found {value!r}")
            kinds = str(value[1]).split("+")
            block = value[2] if len(value) == 3 else None
            layouts = [layout_of(kind, block, ranked=False) for kind in kinds]
            self.regimes[name] = check_at_least(value[0], f"the threshold of {name}"), layouts, kinds

    def check(self, name: str, parameter: Parameter) -> None:
        """The weight has such groups."""
        _, layouts, kinds = self.value_for(parameter, self.regimes)
        for layout, kind in zip(layouts, kinds, strict=True):
            layout.check(name, parameter.shape, kind)

    def bind(self, training: Any) -> None:  # noqa: ANN401  (as in the base)
        """As in the base; what is named is known before it is checked."""
        found = {each: pattern for pattern in self.regimes for each in training.names.find(pattern)}
        self.parameters = found
        super().bind(training)

    def mask(self, parameter: Parameter, context: Context) -> Tensor:
        """See the class."""
        threshold, layouts, _ = self.value_for(parameter, self.regimes)
        keep = torch.ones_like(parameter, dtype=torch.bool)
        for layout in layouts:
            rows = layout.rows(context.values).abs()
            size = rows.amax(1) if self.largest else rows.mean(1)
            keep &= layout.spread(size > threshold, parameter.shape)
        return keep
