"""`qprep.quantize`: a calibrated quantizer in one call."""

from __future__ import annotations

from typing import Any

from torch import nn

from qprep.quantizer.config.job_config import QuantConfig, check_method
from qprep.quantizer.loaders import Batches, example_of
from qprep.quantizer.quantizer_base import Quantizer


def quantize(
    model: nn.Module, data: object, *, method: str = "ptq", allow_unprepared: bool = False, **settings: Any
) -> Quantizer:
    """Return a quantizer that is prepared on the first batch of `data` and calibrated on all of them.

    model             a model in float; it does not change
    data              an iterable of batches, or a function that returns one. A batch is a tensor, a tuple such as
                      (images, labels), or a dict of keywords; labels are not used
    method            a name of `--method`: ptq, dynamic, weight-only, gptq, awq, adaround, lapq, or one of a package
    allow_unprepared  keep operations without a module in float
    settings          arguments of the method's class, such as `bits_weights=4` or `overrides={…}`

    `convert()` of the result returns the quantized model; `report(data)`, `export_onnx(path)` and `save(path)` are the
    next steps. Raises QprepError for unknown methods and settings and for data without batches, and NotPreparedError
    for operations without a module.
    """
    check_method(method, "method")
    batches = Batches(data, "data")
    quantizer = QuantConfig().quantizer(model, method, **settings)
    inputs, keywords = example_of(quantizer.model, batches)
    quantizer.prepare_model(*inputs, allow_unprepared=allow_unprepared, **keywords)
    quantizer.calibrate(batches)
    return quantizer
