"""The protocol of a quantizer for reports, files and backends, so that none of them imports the base class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from torch import Tensor, nn
from torch.nn import Parameter

from qprep.quantizer.config.config_settings import Overrides
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.graph.graph_passes import Passes
from qprep.quantizer.graph.quantization_graph import Graph


class PreparedModel(Protocol):
    """A quantizer after `prepare_model`; see `Quantizer` for each member."""

    model: nn.Module
    settings: Overrides
    passes: Passes
    notes: list[str]
    float_values: dict[Parameter, Tensor]
    is_trained: bool

    @property
    def example(self) -> tuple[tuple[object, ...], dict[str, object]]:
        """The example inputs, by position and by keyword."""

    @property
    def graph(self) -> Graph:
        """The module graph as planned."""

    @property
    def quantizers(self) -> Iterator[TensorQuantizer]:
        """Every tensor quantizer in the model, once."""

    def parameters_with_quantizers(self) -> Iterable[tuple[Parameter, TensorQuantizer]]:
        """Each quantized parameter and what quantizes it."""

    def values_of(self, parameter: Tensor) -> Tensor:
        """The input of the quantizer of `parameter`."""

    def call(self, batch: object) -> Any:  # noqa: ANN401  (whatever the model returns)
        """Run the model on a batch of a loader."""

    def convert(self, check: bool = True) -> nn.Module:
        """The model that simulates the final arithmetic."""
