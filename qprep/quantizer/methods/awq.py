"""AWQ: channels that matter are scaled up before rounding, and ranges cut (Lin et al., arXiv:2306.00978)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final

import torch
from torch import Tensor

from qprep.quantizer.formats.affine import QParams, fake_quantize
from qprep.quantizer.formats.spec import Granularity
from qprep.quantizer.formats.tensor_quantizers import QuantizerMode, WeightQuantizer
from qprep.quantizer.graph.layer_rows import RowCollector, Rows, joined
from qprep.quantizer.graph.quantization_graph import Weight
from qprep.quantizer.methods.layer_by_layer import ByLayerQuantizer, Layer
from qprep.quantizer.methods.smooth_quant import NormGroup, divide, norm_groups

_EXPONENTS: Final = tuple(step / 20 for step in range(20))  # of the mean magnitude, section 3.2
_RATIOS: Final = tuple(1 - step / 20 for step in range(11))  # of a group's range


class AWQQuantizer(ByLayerQuantizer):
    """Behind a normalization s = E|x|^a for each channel goes into the weights, 1 / s into the normalization.

    The exponent is the one of twenty that changes what the layers behind it give least; 0 leaves all as it is. Then
    each group's range is cut to the one of eleven shares that changes its part of the output least.
    """

    method_name: ClassVar[str] = "awq"

    def _begin(self, layers: Sequence[Layer], batches: Sequence[object]) -> None:
        """As in the base, with normalizations as they were, then the channels' factors."""
        groups = list(norm_groups(self.graph))
        norms = [weight.parameter for group in groups for weight in group.norm.weights]
        for parameter in norms:
            parameter.copy_(self.float_values.setdefault(parameter, parameter.detach().clone()))
        super()._begin(layers, batches)
        slots = {layer.weight: layer.slot for layer in layers}
        for group in groups:
            if slots.keys() >= set(group.readers):
                self._scale(group, slots, batches)
        super(ByLayerQuantizer, self).quantize_params()

    def _scale(self, group: NormGroup, slots: Mapping[Weight, WeightQuantizer], batches: Sequence[object]) -> None:
        readers = group.readers
        number = -(-self.samples // len(batches))
        collector = RowCollector([each.parameter for each in readers], number, self.seed)
        for each in readers:
            slots[each].mode = QuantizerMode.OFF
        with collector:
            for batch in batches:
                self.call(batch)
        for each in readers:
            slots[each].mode = QuantizerMode.QUANTIZE
        seen = {each: joined(found) for each in readers if (found := collector.found[each.parameter])}
        if len(seen) == len(readers):
            divide(group, _best_factor(seen))

    def choose(self, layer: Layer, rows: Rows) -> None:
        """Cut the range of each group of the layer's weight, for the inputs in `rows`."""
        slot, weight = layer.slot, layer.weight.parameter.detach().float()
        if slot.spec.granularity is Granularity.TENSOR:
            return
        first = slot.params
        best, least = first.scale.clone(), torch.full_like(first.scale, torch.inf)
        for ratio in _RATIOS:
            cut = replace(first, scale=first.scale * ratio)
            error = _group_errors(fake_quantize(weight, cut) - weight, rows, cut)
            better = error < least
            best, least = torch.where(better, cut.scale, best), torch.where(better, error, least)
        slot.set_params(replace(first, scale=best))


def _group_errors(change: Tensor, rows: Rows, grid: QParams) -> Tensor:
    """The squared change of the output that each group of the weight makes by itself."""
    outputs = change.flatten(1)
    size = grid.group_size or outputs.shape[1]
    parts = rows.values.shape[1]
    found = []
    for number, part in enumerate(outputs.chunk(parts)):
        inputs = rows.values[:, number]
        pieces = zip(torch.split(part, size, 1), torch.split(inputs, size, 1), strict=True)
        found.append(torch.stack([(given @ piece.T).pow(2).sum(0) for piece, given in pieces], 1))
    return torch.cat(found).reshape(-1)


def _best_factor(seen: dict[Weight, Rows]) -> Tensor:
    """The channels' factors (d,) that change the outputs of all readers least."""
    magnitude = torch.cat([rows.values[:, 0] for rows in seen.values()]).abs().mean(0).clamp(min=1e-8)
    best, least = torch.ones_like(magnitude), torch.inf
    for exponent in _EXPONENTS:
        factor = magnitude.pow(exponent)
        factor = factor / (factor.max() * factor.min()).sqrt()
        error = sum(_error(weight, rows, factor) for weight, rows in seen.items())
        if error < least:
            best, least = factor, error
    return best


def _error(weight: Weight, rows: Rows, factor: Tensor) -> float:
    """The squared change of a layer's output where its weight is rounded times `factor`."""
    values, slot = weight.parameter.detach().float(), weight.quantizer
    assert isinstance(slot, WeightQuantizer)  # noqa: S101  (the graph of this method)
    trial = WeightQuantizer(slot.name, slot.spec).to(values.device)
    trial.fit(values * factor)
    change = trial.quantize(values * factor) / factor - values
    return float((rows.values[:, 0] @ change.T).pow(2).sum())
