"""The base of methods that choose weights layer by layer, on the outputs of the quantized layers before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.batches import batches_of
from qprep.quantizer.config.config_settings import Bits
from qprep.quantizer.formats.spec import Spec
from qprep.quantizer.formats.tensor_quantizers import QuantizerMode, TensorQuantizer, WeightQuantizer
from qprep.quantizer.graph.layer_rows import RowCollector, Rows, rows_of
from qprep.quantizer.graph.quantization_graph import Graph, Node, Weight
from qprep.quantizer.methods.post_training import WeightOnlyQuantizer

GROUP: Final = 128  # weights that share a scale, where nothing else is asked


class ChosenWeight(WeightQuantizer):
    """A weight whose scale data decides; `chosen` once that was done."""

    flags = (*WeightQuantizer.flags, "chosen")

    def __init__(self, name: str, spec: Spec) -> None:
        super().__init__(name, spec)
        self.add_flag("chosen", False)

    def fit(self, weight: Tensor) -> None:
        """Take the scale from the weight alone, until there is a choice."""
        super().fit(weight)
        self.set_flag("chosen", False)


@dataclass(frozen=True, slots=True)
class Layer:
    """A weight to be chosen, and the operation that uses it first."""

    weight: Weight
    slot: ChosenWeight
    node: Node

    @property
    def matrix(self) -> Tensor:
        """The weight in float32, one row for each output."""
        return self.weight.parameter.detach().float().flatten(1)


class ByLayerQuantizer(WeightOnlyQuantizer):
    """Weights alone, in 4 bits and groups of 128 unless asked otherwise, chosen on calibration data.

    A subclass says in `choose` what it makes of one layer. Weights of linear layers and convolutions; others, and those
    that the data never reaches, are rounded to nearest.

    samples  places of the calibration data at which a layer is observed
    """

    quantizes_vectors = False  # in 4 bits a normalization's weights would lose more than all layers do

    def __init__(
        self,
        model: nn.Module,
        bits_weights: Bits = 4,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        samples: int = 4096,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        grouped = {"granularity_weights": "per-group", "group_size": GROUP}
        chosen = settings if "granularity_weights" in settings or "backend" in settings else grouped | settings
        super().__init__(model, bits_weights, overrides, **chosen)
        self.samples, self.seed = samples, seed

    def make_weight_quantizer(self, weight: Weight, spec: Spec, name: str) -> TensorQuantizer:
        """One that remembers whether it was chosen."""
        return ChosenWeight(name, spec) if not weight.is_bias else super().make_weight_quantizer(weight, spec, name)

    def calibrate(self, loader: object) -> None:
        """Choose every weight on the data of `loader`, in the order in which the model uses them.

        Raises QprepError before prepare_model, for a loader without data, and where no layer was reached.
        """
        batches = list(batches_of(loader))
        layers = list(_layers(self.graph))
        if not batches:
            raise QprepError("expected data to calibrate with, found an empty loader")
        self.model.eval()
        with torch.no_grad():
            self._begin(layers, batches)
            for layer in layers:
                rows = self._rows(layer, batches)
                if rows is not None:
                    self.choose(layer, rows)
                    layer.slot.set_flag("chosen", True)
        self.check_calibrated("the end of calibrate")

    def _begin(self, layers: Sequence[Layer], batches: Sequence[object]) -> None:  # noqa: ARG002  (for subclasses)
        """Float weights and their own scales, in whatever state an earlier calibration left them."""
        for layer in layers:
            kept = self.float_values.setdefault(layer.weight.parameter, layer.weight.parameter.detach().clone())
            layer.weight.parameter.copy_(kept)
        super().quantize_params()

    def choose(self, layer: Layer, rows: Rows) -> None:
        """Give the slot of `layer` its scales, and the weight its values, for what the layer is given in `rows`."""
        raise NotImplementedError

    def check_calibrated(self, before: str) -> None:
        """QprepError if no weight was chosen on data."""
        slots = [each for each in self.quantizers if isinstance(each, ChosenWeight) and not each.spec.is_float]
        if slots and not any(each.flag("chosen") for each in slots):
            raise QprepError(f"expected calibrate before {before}, found no weight that data was seen for")

    def _rows(self, layer: Layer, batches: Sequence[object]) -> Rows | None:
        """The inputs of the layer, with all layers before it quantized; None if it did not run."""
        number = -(-self.samples // len(batches))
        collector = RowCollector([layer.weight.parameter], number, self.seed, stop=layer.node.calls == 1)
        layer.slot.mode = QuantizerMode.OFF
        rows = rows_of(layer.weight.parameter, batches, self.call, collector)
        layer.slot.mode = QuantizerMode.QUANTIZE
        return rows


def _layers(graph: Graph) -> Iterator[Layer]:
    seen: set[Weight] = set()
    for node in graph.nodes:
        for weight in node.weights:
            slot = weight.quantizer
            if weight not in seen and isinstance(slot, ChosenWeight) and not slot.spec.is_float:
                seen.add(weight)
                if weight.parameter.dim() > 1:
                    yield Layer(weight, slot, node)
