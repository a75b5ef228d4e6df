"""Methods without training, by the names that the command line and quant.yaml give them, and their options."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from qprep.quantizer.methods.adaround import AdaRoundQuantizer
from qprep.quantizer.methods.lapq import LAPQQuantizer
from qprep.quantizer.methods.post_training import DynamicQuantizer, PostTrainingQuantizer, WeightOnlyQuantizer
from qprep.quantizer.quantizer_base import Quantizer

METHODS: Final = MappingProxyType[str, type[Quantizer]](
    {
        "ptq": PostTrainingQuantizer,
        "dynamic": DynamicQuantizer,
        "weight-only": WeightOnlyQuantizer,
        "adaround": AdaRoundQuantizer,
        "lapq": LAPQQuantizer,
    }
)


def options_of(method: type[Quantizer]) -> Mapping[str, int | float | bool]:
    """The numbers, by name with their defaults, that a method's constructor takes beside what all take."""
    parameters = inspect.signature(method).parameters.values()
    return {
        each.name: each.default
        for each in parameters
        if each.kind is each.KEYWORD_ONLY and isinstance(each.default, (int, float))
    }


OPTIONS: Final = MappingProxyType({name: options_of(method) for name, method in METHODS.items()})
