"""Quantized operations to write a model with: torch's layers and qprep's operations, with formats as arguments.

`QuantConv2d(3, 8, 3, bits_weights=4, bits_activations=8)` is an nn.Conv2d in every other respect, state_dict included.
Any quantizer adopts a model of them: prepares, calibrates or trains, converts, exports and reports it.
"""

from __future__ import annotations

from torch import nn

from qprep import runtime_modules
from qprep.quantizer.layers.layer_formats import Formatted


class QuantConv1d(Formatted, nn.Conv1d):
    """`torch.nn.Conv1d` with formats; see `Formatted`."""


class QuantConv2d(Formatted, nn.Conv2d):
    """`torch.nn.Conv2d` with formats; see `Formatted`."""


class QuantConv3d(Formatted, nn.Conv3d):
    """`torch.nn.Conv3d` with formats; see `Formatted`."""


class QuantConvTranspose1d(Formatted, nn.ConvTranspose1d):
    """`torch.nn.ConvTranspose1d` with formats; see `Formatted`."""


class QuantConvTranspose2d(Formatted, nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d` with formats; see `Formatted`."""


class QuantConvTranspose3d(Formatted, nn.ConvTranspose3d):
    """`torch.nn.ConvTranspose3d` with formats; see `Formatted`."""


class QuantLinear(Formatted, nn.Linear):
    """`torch.nn.Linear` with formats; see `Formatted`."""


class QuantEmbedding(Formatted, nn.Embedding):
    """`torch.nn.Embedding` with formats; see `Formatted`."""


class QuantReLU(Formatted, nn.ReLU):
    """`torch.nn.ReLU` with formats; see `Formatted`."""


class QuantReLU6(Formatted, nn.ReLU6):
    """`torch.nn.ReLU6` with formats; see `Formatted`."""


class QuantSigmoid(Formatted, nn.Sigmoid):
    """`torch.nn.Sigmoid` with formats; see `Formatted`."""


class QuantTanh(Formatted, nn.Tanh):
    """`torch.nn.Tanh` with formats; see `Formatted`."""


class QuantSoftmax(Formatted, nn.Softmax):
    """`torch.nn.Softmax` with formats; see `Formatted`."""


class QuantGELU(Formatted, nn.GELU):
    """`torch.nn.GELU` with formats; see `Formatted`."""


class QuantSiLU(Formatted, nn.SiLU):
    """`torch.nn.SiLU` with formats; see `Formatted`."""


class QuantHardswish(Formatted, nn.Hardswish):
    """`torch.nn.Hardswish` with formats; see `Formatted`."""


class QuantLayerNorm(Formatted, nn.LayerNorm):
    """`torch.nn.LayerNorm` with formats; see `Formatted`."""


class QuantMaxPool2d(Formatted, nn.MaxPool2d):
    """`torch.nn.MaxPool2d` with formats; see `Formatted`."""


class QuantAvgPool2d(Formatted, nn.AvgPool2d):
    """`torch.nn.AvgPool2d` with formats; see `Formatted`."""


class QuantAdaptiveAvgPool2d(Formatted, nn.AdaptiveAvgPool2d):
    """`torch.nn.AdaptiveAvgPool2d` with formats; see `Formatted`."""


class QuantAdd(Formatted, runtime_modules.EltwiseAdd):
    """`qprep.runtime_modules.EltwiseAdd` with formats; see `Formatted`."""


class QuantMul(Formatted, runtime_modules.EltwiseMul):
    """`qprep.runtime_modules.EltwiseMul` with formats; see `Formatted`."""


class QuantConcat(Formatted, runtime_modules.Concat):
    """`qprep.runtime_modules.Concat` with formats; see `Formatted`."""


class QuantMatMul(Formatted, runtime_modules.MatMul):
    """`qprep.runtime_modules.MatMul` with formats; see `Formatted`."""


class QuantBatchMatMul(Formatted, runtime_modules.BatchMatMul):
    """`qprep.runtime_modules.BatchMatMul` with formats; see `Formatted`."""


class QuantMean(Formatted, runtime_modules.Mean):
    """`qprep.runtime_modules.Mean` with formats; see `Formatted`."""


class QuantLSTM(Formatted, runtime_modules.LSTM):  # type: ignore[misc]
    """`qprep.runtime_modules.LSTM` with formats; see `Formatted`."""


class QuantGRU(Formatted, runtime_modules.GRU):  # type: ignore[misc]
    """`qprep.runtime_modules.GRU` with formats; see `Formatted`."""


class QuantRNN(Formatted, runtime_modules.RNN):  # type: ignore[misc]
    """`qprep.runtime_modules.RNN` with formats; see `Formatted`."""


class QuantMultiheadAttention(Formatted, runtime_modules.MultiheadAttention):
    """`qprep.runtime_modules.MultiheadAttention` with formats; see `Formatted`."""


__all__ = [
    "Formatted",
    "QuantAdaptiveAvgPool2d",
    "QuantAdd",
    "QuantAvgPool2d",
    "QuantBatchMatMul",
    "QuantConcat",
    "QuantConv1d",
    "QuantConv2d",
    "QuantConv3d",
    "QuantConvTranspose1d",
    "QuantConvTranspose2d",
    "QuantConvTranspose3d",
    "QuantEmbedding",
    "QuantGELU",
    "QuantGRU",
    "QuantHardswish",
    "QuantLSTM",
    "QuantLayerNorm",
    "QuantLinear",
    "QuantMatMul",
    "QuantMaxPool2d",
    "QuantMean",
    "QuantMul",
    "QuantMultiheadAttention",
    "QuantRNN",
    "QuantReLU",
    "QuantReLU6",
    "QuantSiLU",
    "QuantSigmoid",
    "QuantSoftmax",
    "QuantTanh",
]
