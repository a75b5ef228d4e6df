"""Quantizes a prepared model module by module; needs torch."""

from qprep.quantizer.adaround import AdaRoundQuantizer
from qprep.quantizer.base import Quantizer
from qprep.quantizer.bias_correction import bias_correction
from qprep.quantizer.config import QuantConfig, load_config
from qprep.quantizer.equalize import cross_layer_equalization
from qprep.quantizer.errors import NotPreparedError
from qprep.quantizer.export.model import write_onnx
from qprep.quantizer.graph import Edge, Graph, Node
from qprep.quantizer.integer.agreement import Agreement, slot_agreement
from qprep.quantizer.integer.model import IntegerModel
from qprep.quantizer.integer.tensor import IntegerTensor
from qprep.quantizer.lapq import LAPQQuantizer
from qprep.quantizer.passes import Passes, default_passes
from qprep.quantizer.pattern import Pattern
from qprep.quantizer.post_training import DynamicQuantizer, PostTrainingQuantizer, WeightOnlyQuantizer
from qprep.quantizer.qat.dorefa import DorefaQuantizer, WRPNQuantizer
from qprep.quantizer.qat.learned import LSQQuantizer, TQTQuantizer
from qprep.quantizer.qat.linear import LinearQATQuantizer
from qprep.quantizer.qat.pact import PACTQuantizer
from qprep.quantizer.registry import register, wrap
from qprep.quantizer.report import QuantizationReport
from qprep.quantizer.settings import Settings
from qprep.quantizer.spec import Granularity, Scheme, Spec
from qprep.quantizer.statistics import Statistics, collect_statistics
from qprep.quantizer.tensor_quantizers import ActivationQuantizer, TensorQuantizer, WeightQuantizer
from qprep.quantizer.wrapper import QuantizedModule

__all__ = [
    "ActivationQuantizer",
    "AdaRoundQuantizer",
    "Agreement",
    "DorefaQuantizer",
    "DynamicQuantizer",
    "Edge",
    "Granularity",
    "Graph",
    "IntegerModel",
    "IntegerTensor",
    "LAPQQuantizer",
    "LSQQuantizer",
    "LinearQATQuantizer",
    "Node",
    "NotPreparedError",
    "PACTQuantizer",
    "Passes",
    "Pattern",
    "PostTrainingQuantizer",
    "QuantConfig",
    "QuantizationReport",
    "QuantizedModule",
    "Quantizer",
    "Scheme",
    "Settings",
    "Spec",
    "Statistics",
    "TQTQuantizer",
    "TensorQuantizer",
    "WRPNQuantizer",
    "WeightOnlyQuantizer",
    "WeightQuantizer",
    "bias_correction",
    "collect_statistics",
    "cross_layer_equalization",
    "default_passes",
    "load_config",
    "register",
    "slot_agreement",
    "wrap",
    "write_onnx",
]
