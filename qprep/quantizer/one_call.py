"""`qprep.quantize`: a calibrated quantizer in one call."""

from __future__ import annotations

from typing import Any

from torch import nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.config.job_config import QuantConfig, check_method
from qprep.quantizer.loaders import Batches, example_of
from qprep.quantizer.methods.bias_correction import bias_correction
from qprep.quantizer.methods.layer_by_layer import ByLayerQuantizer
from qprep.quantizer.quantizer_base import Quantizer


def quantize(
    model: nn.Module,
    data: object,
    *,
    method: str = "ptq",
    allow_unprepared: bool = False,
    correct_biases: bool = False,
    **settings: Any,
) -> Quantizer:
    """Return a quantizer that is prepared on the first batch of `data` and calibrated on all of them.

    model             a model in float; it does not change
    data              an iterable of batches, or a function that returns one. A batch is a tensor, a tuple such as
                      (images, labels), or a dict of keywords; labels are not used
    method            a name of `--method`: ptq, dynamic, weight-only, gptq, awq, adaround, lapq, or one of a package
    allow_unprepared  keep operations without a module in float
    correct_biases    subtract from each bias the mean error that rounding the weight causes on `data`
    settings          arguments of the method's class, such as `bits_weights=4` or `overrides={…}`

    `convert()` of the result returns the quantized model; `report(data)`, `export_onnx(path)` and `save(path)` are the
    next steps. Raises QprepError for unknown methods and settings and for data without batches, and NotPreparedError
    for operations without a module.
    """
    check_method(method, "method")
    batches = Batches(data, "data")
    quantizer = QuantConfig().quantizer(model, method, **settings)
    inputs, keywords = example_of(quantizer.model, batches)
    if correct_biases:
        _correct_biases(quantizer, batches)
    quantizer.prepare_model(*inputs, allow_unprepared=allow_unprepared, **keywords)
    quantizer.calibrate(batches)
    return quantizer


def _correct_biases(quantizer: Quantizer, batches: Batches) -> None:
    """Insert the pass behind the one that folds BatchNorm, first where there is none.

    QprepError for a method that rounds a weight so that the next ones make up for it: there is no such error then.
    """
    if isinstance(quantizer, ByLayerQuantizer):
        name = quantizer.method_name
        raise QprepError(
            f"expected a method that rounds to nearest for correct_biases, found {name}, which compensates"
        )
    passes, correct = quantizer.passes, bias_correction(batches)
    if "fold-batch-norm" in passes.names:
        passes.insert_after("fold-batch-norm", "bias-correction", correct)
    else:
        passes.insert_before(passes.names[0], "bias-correction", correct)
