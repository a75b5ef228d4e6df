"""The data of a report: slots, layers, and what stayed in float."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from qprep.quantizer.report.graph_view import GraphView

_FIRST = 5
_COSTLY = 0.1  # share of the noise from which a layer is worth a look


@dataclass(frozen=True, slots=True)
class SlotReport:
    """One quantized tensor.

    layer        path of the module whose settings decide on it
    kind         "weight" or "activation"
    bits         None in a floating format, then `scheme` names it
    low, high    the range of the values seen
    reach        the smallest and largest value that the integers encode; None with several scales, or moving ones
    clipped      share of values outside what the integers reach; 0 to 1
    snr          decibels of the tensor against float: of an activation with all before it quantized
    sensitivity  decibels of the model's output when this slot alone is quantized; NaN where that was not measured
    size         bytes, of weights
    histogram    counts over `edges`, what lies outside in the outer ones
    channels     largest magnitude of each channel, of weights
    """

    name: str
    layer: str
    kind: str
    bits: int | None
    scheme: str
    low: float
    high: float
    reach: tuple[float, float] | None
    clipped: float
    snr: float
    sensitivity: float
    size: float
    histogram: tuple[int, ...] = field(repr=False)
    edges: tuple[float, float] = field(repr=False)
    channels: tuple[float, ...] = field(repr=False)

    @property
    def format(self) -> str:
        """Such as "8 bit asymmetric", or "float16"."""
        return self.scheme if self.bits is None else f"{self.bits} bit {self.scheme}"

    @property
    def ran(self) -> bool:
        """True if any value was seen."""
        return self.low <= self.high


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One module and its slots, in the order in which modules ran.

    sensitivity  decibels of the model's output when this layer alone is quantized; NaN where that was not measured
    """

    path: str
    module_class: str
    slots: tuple[SlotReport, ...]
    sensitivity: float

    @property
    def weights(self) -> tuple[SlotReport, ...]:
        """Its parameters."""
        return tuple(slot for slot in self.slots if slot.kind == "weight")

    @property
    def activations(self) -> tuple[SlotReport, ...]:
        """Its outputs, and inputs that are quantized for it."""
        return tuple(slot for slot in self.slots if slot.kind == "activation")

    @property
    def weight_snr(self) -> float:
        """Of its parameters the lowest; NaN without any."""
        return min((slot.snr for slot in self.weights), default=math.nan)

    @property
    def output_snr(self) -> float:
        """Of its activations the lowest; NaN without any."""
        return min((slot.snr for slot in self.activations if slot.ran), default=math.nan)

    @property
    def clipped(self) -> float:
        """Of its slots the largest share."""
        return max(slot.clipped for slot in self.slots)

    @property
    def size(self) -> float:
        """Bytes of its quantized parameters."""
        return sum(slot.size for slot in self.slots)


@dataclass(frozen=True, slots=True)
class FloatPart:
    """A layer that stayed in float, with the reason."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Fact:
    """How a report was made: a version, a setting, the data."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Score:
    """A number that an evaluation function returned for the float and for the quantized model."""

    name: str
    before: float
    after: float


@dataclass(frozen=True, slots=True, repr=False)
class ReportData:
    """All slots as the model holds them, its layers in order, its output, sizes in bytes, what stayed in float.

    facts   versions, date, settings and data
    graph   the module graph with the formats of its tensors
    scores  results of an evaluation function, if there was one
    """

    model_class: str
    method: str
    slots: tuple[SlotReport, ...]
    layers: tuple[LayerReport, ...]
    output_snr: float
    float_size: float
    size: float
    in_float: tuple[FloatPart, ...]
    notes: tuple[str, ...]
    facts: tuple[Fact, ...] = ()
    graph: GraphView = field(default=GraphView((), ()), repr=False)
    scores: tuple[Score, ...] = ()

    @property
    def first_to_widen(self) -> tuple[SlotReport, ...]:
        """The slots to give more bits first, which alone cause the most noise. Empty without sensitivity."""
        measured = [slot for slot in self.slots if slot.sensitivity < math.inf]
        return tuple(sorted(measured, key=lambda slot: slot.sensitivity)[:_FIRST])

    @property
    def layers_to_widen(self) -> tuple[LayerReport, ...]:
        """The layers to give more bits first, which alone cause the most noise. Empty without sensitivity."""
        measured = [layer for layer in self.layers if layer.sensitivity < math.inf]
        return tuple(sorted(measured, key=lambda layer: layer.sensitivity)[:_FIRST])

    @property
    def noise_shares(self) -> dict[str, float]:
        """The noise power that each layer alone causes at the output, as a share of the sum over all layers, by path.

        Empty if sensitivity was not measured or no layer causes noise.
        """
        noise = {layer.path: 10 ** (-layer.sensitivity / 10) for layer in self.layers if layer.sensitivity < math.inf}
        total = sum(noise.values())
        return {path: each / total for path, each in noise.items()} if total else {}

    @property
    def costly_layers(self) -> frozenset[str]:
        """Paths of the layers that cause more than a tenth of the noise."""
        return frozenset(path for path, share in self.noise_shares.items() if share > _COSTLY)
