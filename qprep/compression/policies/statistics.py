"""Statistics of activations, collected at their time."""

from __future__ import annotations

from pathlib import Path

from qprep.compression.coverage import bare
from qprep.compression.errors import CompressionError
from qprep.compression.policy import Policy
from qprep.compression.registry import register
from qprep.compression.training import Training
from qprep.compression.windows import Window
from qprep.quantizer.batches import batches_of
from qprep.quantizer.report.activation_statistics import Statistics, collect_statistics


@register("StatisticsCollector")
class StatisticsPolicy(Policy):
    """Collects statistics of all activations over the calibration batches when its epochs begin.

    path        a YAML file to write them to, in Distiller's layout; each later collection replaces it
    statistics  the latest collection, None before the first
    """

    def __init__(self, path: str | None = None) -> None:
        self.name = "StatisticsCollector"
        self.path = None if path is None else Path(path)
        self.statistics: Statistics | None = None

    def bind(self, training: Training, window: Window) -> None:  # noqa: ARG002
        """CompressionError without data."""
        if training.calibrate is None:
            raise CompressionError("expected calibrate= for StatisticsCollector, found none")

    def on_epoch_begin(self, training: Training, window: Window) -> None:  # noqa: ARG002
        """Collect; QprepError if the file cannot be written."""
        self._collect(training)

    def on_minibatch_begin(self, training: Training, window: Window) -> None:
        """Collect, where the policy has steps."""
        if window.acts(training.clock):
            self._collect(training)

    def _collect(self, training: Training) -> None:
        positional = len(training.example[0]) or None
        self.statistics = collect_statistics(bare(training.model), batches_of(training.calibrate), positional)
        if self.path is not None:
            self.statistics.save(self.path)
