"""Channels by L1 norm, then least squares for what is left (He et al., arXiv:1707.06168)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from qprep.compression.errors import CompressionError
from qprep.compression.grams import check_layer, gram, matrix_of
from qprep.compression.pruners.layouts import StructureKind
from qprep.compression.pruners.pruner import Context
from qprep.compression.pruners.ranked import L1RankedStructureParameterPruner
from qprep.compression.registry import register
from qprep.compression.training import Training


@register
class FMReconstructionChannelPruner(L1RankedStructureParameterPruner):
    """Input channels are removed by L1 norm; the others are fitted to keep the layer's output on calibration data.

    The fit is exact least squares: with G = XᵀX of all inputs, W' = W Gₐₖ Gₖₖ⁻¹ over the inputs k that stay.
    """

    needs_data: ClassVar[bool] = True

    def bind(self, training: Training) -> None:
        """CompressionError without data, and for other structures than channels."""
        if training.calibrate is None:
            raise CompressionError(f"expected calibrate= for {type(self).__name__}, found none")
        if self.layout.kind is not StructureKind.INPUTS:
            raise CompressionError(f"expected group_type Channels for reconstruction, found {self.group_type!r}")
        super().bind(training)
        self._layers: dict[Parameter, nn.Module] = {}
        for parameter in self.parameters:
            layer = training.module_of(parameter)
            check_layer(training.name(parameter), layer)
            assert layer is not None  # noqa: S101  (checked)
            self._layers[parameter] = layer

    @torch.no_grad()
    def masks(self, contexts: Mapping[Parameter, Context]) -> dict[Parameter, Tensor]:
        """See the class."""
        training: Any = self._training
        products = {
            each: gram(training.model, self._layers[each], training.example[0], training.calibrate) for each in contexts
        }
        found = super().masks(contexts)
        for parameter in contexts:
            keep = matrix_of(found[parameter].to(torch.bool))[0]
            parameter.copy_(fitted(matrix_of(parameter), products[parameter], keep).view(parameter.shape))
        return found


def fitted(weight: Tensor, products: Tensor, keep: Tensor) -> Tensor:
    """`weight` (outputs, inputs) with 0 where `keep` (inputs) is False, the others by least squares on XᵀX."""
    made = torch.zeros_like(weight)
    if not bool(keep.any()):
        return made
    inner = products[keep][:, keep]
    target = products[keep] @ weight.double().T
    made[:, keep] = torch.linalg.lstsq(inner, target, driver="gelsd").solution.T.to(weight.dtype)
    return made
