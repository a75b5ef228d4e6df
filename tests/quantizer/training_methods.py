"""The methods of quantization-aware training, for tests that run with each of them."""

from __future__ import annotations

from qprep.quantizer import (
    DorefaQuantizer,
    LinearQATQuantizer,
    LSQQuantizer,
    PACTQuantizer,
    TQTQuantizer,
    WRPNQuantizer,
)
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer

TRAINING_METHODS: tuple[type[TrainingQuantizer], ...] = (
    LinearQATQuantizer,
    DorefaQuantizer,
    WRPNQuantizer,
    PACTQuantizer,
    TQTQuantizer,
    LSQQuantizer,
)
