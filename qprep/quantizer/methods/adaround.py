"""AdaRound: weights rounded up or down so that layers' outputs change least (Nagel et al., arXiv:2004.10568)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from qprep.quantizer.batches import batches_of
from qprep.quantizer.formats.affine import QParams, grouped, ungrouped
from qprep.quantizer.formats.grid import between
from qprep.quantizer.formats.spec import Range, Spec
from qprep.quantizer.formats.tensor_quantizers import QuantizerMode, TensorQuantizer, WeightQuantizer
from qprep.quantizer.graph.layer_rows import RowCollector, Rows, joined, rows_of
from qprep.quantizer.graph.quantization_graph import Graph, Node, Weight
from qprep.quantizer.methods.post_training import PostTrainingQuantizer
from qprep.quantizer.ranges.known_ranges import clamp_range

_STRETCH: Final = (-0.1, 1.1)  # the ends of the rectified sigmoid, equation 23
_SHARPNESS: Final = (20.0, 2.0)  # the regularizer's exponent, from first to last
_WARM_UP: Final = 0.2  # the share of iterations before the regularizer begins
_BATCH: Final = 256
_LEARNING_RATE: Final = 0.02
_WEIGHT: Final = 0.02  # of the regularizer; errors are counted in steps of a mean weight times a mean input

Progress = Callable[[int, int], None]


class AdaRoundWeight(WeightQuantizer):
    """A weight on a grid; once `chosen`, `up` says of each value whether it is rounded up instead of down."""

    up: Tensor
    chosen: Tensor
    flags = (*WeightQuantizer.flags, "chosen")

    def __init__(self, name: str, spec: Spec) -> None:
        super().__init__(name, spec)
        self.register_buffer("up", torch.zeros(0, dtype=torch.bool))
        self.add_flag("chosen", False)

    def take_shape(self, parameter: Tensor) -> None:
        """As in the base; a choice for each value, too."""
        super().take_shape(parameter)
        self.up = torch.zeros(parameter.shape, dtype=torch.bool, device=self.up.device)

    def fit(self, weight: Tensor) -> None:
        """Take the scale, and round to nearest until there is a choice."""
        super().fit(weight)
        self.set_flag("chosen", False)

    def choose(self, up: Tensor) -> None:
        """Round up where `up` holds, and down elsewhere."""
        self.up = up
        self.set_flag("chosen", True)

    def quantize(self, input: Tensor) -> Tensor:
        """Each value at the level below or above it."""
        if self.spec.is_float or not self.flag("chosen"):
            return super().quantize(input)
        values = input.float()
        return ((self.below(values) + self.up) * self.step(values)).to(input.dtype)

    @property
    def grid(self) -> QParams:
        """As in the base: each value is on it, above or below."""
        return self.params

    def below(self, weight: Tensor) -> Tensor:
        """The level under each value, less the zero point; never the highest: each level is this or the next."""
        params, zero = self.params, self._along(self.zero_point, weight)
        return (weight / self.step(weight)).floor().clamp(params.low - zero, params.high - 1 - zero)

    def step(self, weight: Tensor) -> Tensor:
        """The scale of each value, broadcastable to `weight`."""
        return self._along(self.scale, weight)

    def _along(self, values: Tensor, weight: Tensor) -> Tensor:
        if values.dim() == 0:
            return values
        rows, axis = grouped(weight, self.spec.axis, self.params.group_size)
        shape = [1] * rows.dim()
        shape[axis] = -1
        spread = values.reshape(shape).expand(rows.shape)
        return spread if rows is weight else ungrouped(spread, weight, self.spec.axis)


@dataclass(frozen=True, slots=True)
class _Layer:
    """A weight whose rounding is to be chosen, where it is used, and what the activation behind clamps to."""

    weight: Weight
    quantizer: AdaRoundWeight
    node: Node
    clamp: Range | None

    def activated(self, output: Tensor) -> Tensor:
        return output if self.clamp is None else output.clamp(*self.clamp)

    def error(self, output: Tensor, target: Tensor) -> Tensor:
        """The distance of the activated output from `target`, if the activation lets it change."""
        error = self.activated(output) - target
        return error if self.clamp is None else between(error, output, *self.clamp)


class AdaRoundQuantizer(PostTrainingQuantizer):
    """AdaRound: static ranges; rounds each weight up or down so that the output of its layer changes least.

    Layers read the results of the quantized layers before them (the paper's asymmetric reconstruction). An output is
    compared behind the clamping activation that follows. Covers weights of linear layers and convolutions; all others
    are rounded to nearest.

    iterations  steps of Adam for each layer
    samples     number of positions in the calibration data at which a layer is compared
    """

    method_name: ClassVar[str] = "adaround"
    defaults: ClassVar[Mapping[str, Any]] = {"estimator_weights": "mse"}

    def __init__(self, *args: Any, iterations: int = 1000, samples: int = 4096, seed: int = 0, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.iterations, self.samples, self.seed = iterations, samples, seed

    def make_weight_quantizer(self, weight: Weight, spec: Spec, name: str) -> TensorQuantizer:
        """Return a quantizer that can round up or down."""
        return AdaRoundWeight(name, spec) if not weight.is_bias else super().make_weight_quantizer(weight, spec, name)

    def calibrate(self, loader: object, progress: Progress | None = None) -> None:
        """Calibrate as the base class, then choose roundings; `progress` gets the layers done and the total."""
        batches = list(batches_of(loader))
        super().calibrate(batches)
        layers = _layers(self.graph)
        number = -(-self.samples // len(batches))
        targets = self._targets(layers, batches, number)
        for done, layer in enumerate(layers):
            ran = layer.weight.parameter in targets
            rows = self._rows_of(layer, batches, number) if ran else None
            if rows is not None:
                layer.quantizer.choose(self._chosen(layer, rows, targets.pop(layer.weight.parameter)))
            if progress is not None:
                progress(done + 1, len(layers))

    def _targets(self, layers: Sequence[_Layer], batches: Sequence[object], number: int) -> dict[Tensor, Tensor]:
        """The float outputs of the layers that ran, at random places."""
        slots = list(self.quantizers)
        modes = [each.mode for each in slots]
        collector = RowCollector([each.weight.parameter for each in layers], number, self.seed)
        for each in slots:
            each.mode = QuantizerMode.OFF
        with torch.no_grad(), collector:
            for batch in batches:
                self.call(batch)
        for each, mode in zip(slots, modes, strict=True):
            each.mode = mode
        targets: dict[Tensor, Tensor] = {}
        for layer in layers:
            parts = collector.found.pop(layer.weight.parameter)
            if parts:
                targets[layer.weight.parameter] = layer.activated(
                    joined(parts).output(layer.weight.parameter.detach().float())
                )
        return targets

    def _rows_of(self, layer: _Layer, batches: Sequence[object], number: int) -> Rows | None:
        """The inputs of the layer at the same places, with all layers before it quantized."""
        collector = RowCollector([layer.weight.parameter], number, self.seed, stop=layer.node.calls == 1)
        layer.quantizer.mode = QuantizerMode.OFF
        with torch.no_grad():
            rows = rows_of(layer.weight.parameter, batches, self.call, collector)
        layer.quantizer.mode = QuantizerMode.QUANTIZE
        return rows

    @torch.no_grad()
    def _chosen(self, layer: _Layer, rows: Rows, target: Tensor) -> Tensor:
        """Equation 25, its gradient written out."""
        weight = layer.weight.parameter.float()
        below, step = layer.quantizer.below(weight), layer.quantizer.step(weight)
        trained = _unstretched((weight / step - below).clamp(0.01, 0.99))
        optimizer = torch.optim.Adam([trained], lr=_LEARNING_RATE, fused=True)
        unit = step.pow(2).mean() * rows.values.pow(2).mean()
        generator = torch.Generator().manual_seed(self.seed)
        for number in range(self.iterations):
            index = torch.randint(len(target), (_BATCH,), generator=generator).to(target.device)
            squashed = torch.sigmoid(trained)
            above = _stretched(squashed)
            part = rows.part(index)
            error = layer.error(part.output((below + above).mul_(step)), target[index])
            slope = part.slope(error, weight).mul_(step * (2 / (_BATCH * unit)))
            sharpness = _sharpness(number / self.iterations)
            if sharpness is not None:
                slope += _regularizer_slope(above, sharpness)
            slope = between(slope, above, 0.0, 1.0)
            trained.grad = slope.mul_(squashed).mul_(1 - squashed)
            optimizer.step()
        return trained >= 0


def _stretched(squashed: Tensor) -> Tensor:
    down, up = _STRETCH
    return (squashed * (up - down)).add_(down).clamp_(0, 1)


def _unstretched(above: Tensor) -> Tensor:
    down, up = _STRETCH
    return torch.logit((above - down) / (up - down))


def _regularizer_slope(above: Tensor, sharpness: float) -> Tensor:
    """Of 1 - |2h - 1|^β, for h."""
    centred = 2 * above - 1
    return centred.abs().pow_(sharpness - 1).copysign_(centred).mul_(-2 * sharpness * _WEIGHT)


def _sharpness(share: float) -> float | None:
    """β at a share of the iterations; None while there is no regularizer."""
    if share < _WARM_UP:
        return None
    first, last = _SHARPNESS
    return last + (first - last) * (1 - (share - _WARM_UP) / (1 - _WARM_UP))


def _layers(graph: Graph) -> list[_Layer]:
    """Quantized weights in the order in which the model uses them."""
    found: dict[Weight, _Layer] = {}
    for node in graph.nodes:
        for weight in node.weights:
            quantizer = weight.quantizer
            if isinstance(quantizer, AdaRoundWeight) and weight.parameter.dim() > 1 and not quantizer.spec.is_float:
                found.setdefault(weight, _Layer(weight, quantizer, node, _clamp_behind(node, graph)))
    return list(found.values())


def _clamp_behind(node: Node, graph: Graph) -> Range | None:
    if len(node.outputs) != 1 or node.outputs[0].spec is not None:
        return None
    following = graph.only_consumer(node.outputs[0])
    return None if following is None else clamp_range(following)
