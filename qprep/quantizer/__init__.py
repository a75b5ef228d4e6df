"""Quantizes a prepared model module by module; needs torch."""

from qprep.quantizer.backends.exporters.exporter_names import EXPORTERS
from qprep.quantizer.backends.exporters.exporter_protocol import Exporter
from qprep.quantizer.backends.integer.agreement import Agreement, slot_agreement
from qprep.quantizer.backends.integer.integer_model import IntegerModel
from qprep.quantizer.backends.integer.integer_tensor import IntegerTensor
from qprep.quantizer.backends.onnx.export import write_onnx
from qprep.quantizer.backends.onnx.export_report import ExportReport
from qprep.quantizer.config.backend_presets import BACKENDS
from qprep.quantizer.config.config_settings import LayerSettings
from qprep.quantizer.config.job_config import QuantConfig, load_config
from qprep.quantizer.formats.spec import Granularity, Scheme, Spec
from qprep.quantizer.formats.tensor_quantizers import ActivationQuantizer, TensorQuantizer, WeightQuantizer
from qprep.quantizer.graph.forward_methods import forward_method
from qprep.quantizer.graph.graph_passes import Passes, default_passes
from qprep.quantizer.graph.module_registry import register, wrap
from qprep.quantizer.graph.partition import Device, Kernel, Part, partition
from qprep.quantizer.graph.pass_registry import register_pass
from qprep.quantizer.graph.pattern import Branches, Captured, Maybe, Pattern
from qprep.quantizer.graph.quantization_graph import Edge, Graph, Node
from qprep.quantizer.graph.quantized_module import QuantizedModule
from qprep.quantizer.methods.adaround import AdaRoundQuantizer
from qprep.quantizer.methods.awq import AWQQuantizer
from qprep.quantizer.methods.bias_correction import bias_correction
from qprep.quantizer.methods.dynamic_modules import quantize_dynamic
from qprep.quantizer.methods.equalization import cross_layer_equalization
from qprep.quantizer.methods.gptq import GPTQQuantizer
from qprep.quantizer.methods.lapq import LAPQQuantizer
from qprep.quantizer.methods.post_training import DynamicQuantizer, PostTrainingQuantizer, WeightOnlyQuantizer
from qprep.quantizer.methods.qat.dorefa import DorefaQuantizer, WRPNQuantizer
from qprep.quantizer.methods.qat.learned import LSQQuantizer, TQTQuantizer
from qprep.quantizer.methods.qat.linear_qat import LinearQATQuantizer
from qprep.quantizer.methods.qat.pact import PACTQuantizer
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer
from qprep.quantizer.methods.smooth_quant import smooth_quant
from qprep.quantizer.quantizer_base import Quantizer
from qprep.quantizer.quantizer_errors import NotPreparedError
from qprep.quantizer.report.activation_statistics import Statistics, collect_statistics
from qprep.quantizer.report.graph_picture import graph_svg
from qprep.quantizer.report.quantization_report import QuantizationReport

__all__ = [
    "BACKENDS",
    "EXPORTERS",
    "AWQQuantizer",
    "ActivationQuantizer",
    "AdaRoundQuantizer",
    "Agreement",
    "Branches",
    "Captured",
    "Device",
    "DorefaQuantizer",
    "DynamicQuantizer",
    "Edge",
    "ExportReport",
    "Exporter",
    "GPTQQuantizer",
    "Granularity",
    "Graph",
    "IntegerModel",
    "IntegerTensor",
    "Kernel",
    "LAPQQuantizer",
    "LSQQuantizer",
    "LayerSettings",
    "LinearQATQuantizer",
    "Maybe",
    "Node",
    "NotPreparedError",
    "PACTQuantizer",
    "Part",
    "Passes",
    "Pattern",
    "PostTrainingQuantizer",
    "QuantConfig",
    "QuantizationReport",
    "QuantizedModule",
    "Quantizer",
    "Scheme",
    "Spec",
    "Statistics",
    "TQTQuantizer",
    "TensorQuantizer",
    "TrainingQuantizer",
    "WRPNQuantizer",
    "WeightOnlyQuantizer",
    "WeightQuantizer",
    "bias_correction",
    "collect_statistics",
    "cross_layer_equalization",
    "default_passes",
    "forward_method",
    "graph_svg",
    "load_config",
    "partition",
    "quantize_dynamic",
    "register",
    "register_pass",
    "slot_agreement",
    "smooth_quant",
    "wrap",
    "write_onnx",
]
