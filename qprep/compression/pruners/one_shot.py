"""One-shot pruning on calibration data: Wanda, SparseGPT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from qprep.compression.errors import CompressionError
from qprep.compression.grams import check_layer, gram, matrix_of
from qprep.compression.pruners.nm import nm_mask, parsed
from qprep.compression.pruners.pruner import Context, Pruner, Weights, check_share, keep_highest
from qprep.compression.registry import register
from qprep.compression.training import Training

_BLOCK: Final = 128  # columns that share one selection, as in the paper
_DAMPING: Final = 0.01  # of the mean diagonal, as in the paper


class OneShotPruner(Pruner):
    """Layers one after another, each on what the layers before it give once they are pruned.

    sparsity  the share that goes
    pattern   "2:4" and the like, in place of it
    """

    def __init__(
        self,
        weights: Weights,
        sparsity: float = 0.5,
        pattern: str | None = None,
        *,
        ignore: Weights = (),
        allow_missing: bool = False,
    ) -> None:
        super().__init__(weights, ignore=ignore, allow_missing=allow_missing)
        self.sparsity = check_share(sparsity, "sparsity")
        self.pattern = None if pattern is None else parsed(pattern)
        self._layers: dict[Parameter, nn.Module] = {}
        self._training: Training | None = None

    def bind(self, training: Training) -> None:
        """CompressionError without data, and for weights of other layers."""
        if training.calibrate is None:
            raise CompressionError(f"expected calibrate= for {type(self).__name__}, found none")
        self._training = training
        super().bind(training)
        for parameter in self.parameters:
            layer = training.module_of(parameter)
            check_layer(training.name(parameter), layer)
            assert layer is not None  # noqa: S101  (checked)
            self._layers[parameter] = layer
            if self.pattern is not None and parameter.shape[1] % self.pattern[1]:
                raise CompressionError(
                    f"expected inputs that are a multiple of {self.pattern[1]}, found {training.name(parameter)} of "
                    f"shape {tuple(parameter.shape)}"
                )

    @torch.no_grad()
    def masks(self, contexts: Mapping[Parameter, Context]) -> dict[Parameter, Tensor]:
        """See the class; weights are changed in place as well."""
        training = self._training
        assert training is not None  # noqa: S101  (bound)
        found = {}
        for parameter in contexts:
            products = gram(training.model, self._layers[parameter], training.example[0], training.calibrate)
            keep, weight = self.prune(matrix_of(parameter).double(), products, parameter)
            found[parameter] = keep.view(parameter.shape)
            parameter.copy_((weight * keep).view(parameter.shape).to(parameter.dtype))
        return found

    def prune(self, weight: Tensor, products: Tensor, parameter: Parameter) -> tuple[Tensor, Tensor]:
        """The mask of a layer's matrix (outputs, inputs), and its new values; `products` is XᵀX / rows."""
        raise NotImplementedError

    def select(self, scores: Tensor, parameter: Parameter) -> Tensor:
        """The mask of a whole matrix by scores, each row by itself."""
        if self.pattern is not None:
            return nm_mask(scores.view(parameter.shape), *self.pattern).view(scores.shape)
        return torch.stack([keep_highest(row, round(self.sparsity * row.numel())) for row in scores])


@register
class WandaPruner(OneShotPruner):
    """|w| · ‖x‖₂, compared within each output (Sun et al., arXiv:2306.11695); what stays is not changed."""

    def prune(self, weight: Tensor, products: Tensor, parameter: Parameter) -> tuple[Tensor, Tensor]:
        """See the class."""
        return self.select(weight.abs() * products.diagonal().clamp(min=0).sqrt(), parameter), weight


@register
class SparseGPTPruner(OneShotPruner):
    """By w² / [H⁻¹]ⱼⱼ², column by column; what stays makes up for what went (Frantar and Alistarh, arXiv:2301.00774).

    Columns are selected by blocks, with a pattern by groups of M inputs, each when its turn comes: by the weights that
    already make up for the columns before it.
    """

    def prune(self, weight: Tensor, products: Tensor, parameter: Parameter) -> tuple[Tensor, Tensor]:
        """See the class."""
        order = self._order(parameter)
        weight, hessian = weight[:, order], products[order][:, order]
        dead = hessian.diagonal() == 0  # inputs that are always 0 need no weight
        hessian.diagonal()[dead] = 1
        weight[:, dead] = 0
        hessian.diagonal().add_(_DAMPING * float(hessian.diagonal().mean()))
        inverse = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)
        size, width = weight.shape[1], _BLOCK if self.pattern is None else self.pattern[1]
        keep = torch.ones_like(weight, dtype=torch.bool)
        for column in range(size):
            if column % width == 0:
                stop = min(column + width, size)
                scores = weight[:, column:stop].square() / inverse.diagonal()[column:stop].square()
                keep[:, column:stop] = self._selected(scores)
            error = weight[:, column] * ~keep[:, column] / inverse[column, column]
            weight[:, column:] -= error.outer(inverse[column, column:])
        back = torch.argsort(order)
        return keep[:, back], weight[:, back]

    def _order(self, parameter: Parameter) -> Tensor:
        """Columns of the matrix so that inputs at the same place of a kernel follow one another, as a pattern is."""
        columns = torch.arange(parameter[0].numel(), device=parameter.device)
        return columns if self.pattern is None else columns.view(parameter.shape[1], -1).T.flatten()

    def _selected(self, scores: Tensor) -> Tensor:
        if self.pattern is not None:
            return nm_mask(scores, *self.pattern)
        return keep_highest(scores, round(self.sparsity * scores.numel()))
