"""GPTQ: what rounding a weight adds is taken from the weights not yet rounded (Frantar et al., arXiv:2210.17323)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from qprep.quantizer.formats.affine import QParams, qparams
from qprep.quantizer.formats.spec import Granularity, Spec
from qprep.quantizer.graph.layer_rows import Rows
from qprep.quantizer.methods.layer_by_layer import ByLayerQuantizer, Layer
from qprep.quantizer.ranges.estimators import make_estimator

_BLOCK: Final = 128  # columns that are rounded before the others are told


class GPTQQuantizer(ByLayerQuantizer):
    """Each layer's columns rounded one after another; the columns behind make up for the error in its output.

    A group's scale is taken when its first column comes up, from the weights as they are then.

    damping  what is added to the diagonal of the inputs' second moments, as a share of its mean
    """

    method_name: ClassVar[str] = "gptq"

    def __init__(self, *args: Any, damping: float = 0.01, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.damping = damping

    def choose(self, layer: Layer, rows: Rows) -> None:
        """Round the layer's weight, for the inputs in `rows`."""
        spec, weight = layer.slot.spec, layer.matrix
        whole = None if spec.granularity is Granularity.GROUP else layer.slot.params
        parts = rows.values.shape[1]  # groups of a convolution
        made, grids = [], []
        for number, part in enumerate(weight.chunk(parts)):
            solved = _inverse(rows.values[:, number], self.damping)
            mine = None if whole is None else _rows_of(whole, number * len(part), len(part))
            values, found = _rounded(part.clone(), solved, spec, mine)
            made.append(values)
            grids.append(found)
        parameter = layer.weight.parameter
        parameter.copy_(torch.cat(made).reshape(parameter.shape))
        if whole is None:
            old = layer.slot.params
            scale = torch.cat([torch.stack([each.scale for each in found], 1) for found in grids]).flatten()
            zero = torch.cat([torch.stack([each.zero_point for each in found], 1) for found in grids]).flatten()
            layer.slot.set_params(QParams(scale, zero, old.low, old.high, old.axis, old.group_size))


def _inverse(values: Tensor, damping: float) -> Tensor:
    """The upper Cholesky factor of the inverse of the second moments (d, d) of `values` (N, d)."""
    moments = values.double().T @ values.double()
    diagonal = moments.diagonal()
    unseen = diagonal == 0
    diagonal[unseen] = 1.0
    diagonal += damping * diagonal[~unseen].mean() if not bool(unseen.all()) else damping
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(moments))
    found: Tensor = torch.linalg.cholesky(inverse, upper=True)
    return found.float()


def _rounded(weight: Tensor, factor: Tensor, spec: Spec, whole: QParams | None) -> tuple[Tensor, list[QParams]]:
    """The weight (outputs, d) on its grids, and the grid of each group; `whole` is that of all columns."""
    width = weight.shape[1]
    size = spec.group_size if whole is None else width
    grids: list[QParams] = [] if whole is None else [whole]
    for start in range(0, width, _BLOCK):
        end = min(start + _BLOCK, width)
        errors = torch.zeros_like(weight[:, start:end])
        for column in range(start, end):
            if column % size == 0 and whole is None:
                grids.append(_grid(spec, weight[:, column : column + size]))
            values = _on_grid(weight[:, column], grids[-1])
            error = (weight[:, column] - values) / factor[column, column]
            weight[:, column:end] -= error[:, None] * factor[column, column:end]
            weight[:, column] = values
            errors[:, column - start] = error
        weight[:, end:] -= errors @ factor[start:end, end:]
    return weight, grids


def _grid(spec: Spec, columns: Tensor) -> QParams:
    """One scale for each row of `columns`."""
    estimator = make_estimator(spec)
    estimator.update(columns)
    return qparams(spec, *estimator.range())


def _on_grid(column: Tensor, grid: QParams) -> Tensor:
    levels = (column / grid.scale).round() + grid.zero_point
    return (levels.clamp(grid.low, grid.high) - grid.zero_point) * grid.scale


def _rows_of(grid: QParams, first: int, number: int) -> QParams:
    """The part of a grid for some outputs."""
    if grid.scale.dim() == 0:
        return grid
    here = slice(first, first + number)
    return QParams(grid.scale[here], grid.zero_point[here], grid.low, grid.high, grid.axis)
