"""Methods without training, by the names that the command line and quant.yaml give them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from qprep.quantizer.base import Quantizer
from qprep.quantizer.post_training import DynamicQuantizer, PostTrainingQuantizer, WeightOnlyQuantizer

METHODS: Final = MappingProxyType[str, type[Quantizer]](
    {
        "ptq": PostTrainingQuantizer,
        "dynamic": DynamicQuantizer,
        "weight-only": WeightOnlyQuantizer,
    }
)
