"""The bases of torch.nn's classes below nn.Module; `tests/foundation/test_torch_bases.py` compares them with torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_BY_BASES: Final = {
    ("_AdaptiveAvgPoolNd",): "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d",
    ("_AdaptiveMaxPoolNd",): "AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d",
    ("_DropoutNd",): "AlphaDropout Dropout Dropout1d Dropout2d Dropout3d FeatureAlphaDropout",
    ("_AvgPoolNd",): "AvgPool1d AvgPool2d AvgPool3d",
    (
        "_WeightedLoss",
        "_Loss",
    ): "BCELoss CrossEntropyLoss LinearCrossEntropyLoss MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss",
    ("_Loss",): (
        "BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss GaussianNLLLoss HingeEmbeddingLoss HuberLoss "
        "KLDivLoss L1Loss MSELoss MarginRankingLoss MultiLabelMarginLoss PoissonNLLLoss "
        "SmoothL1Loss SoftMarginLoss TripletMarginLoss TripletMarginWithDistanceLoss"
    ),
    ("_BatchNorm", "_NormBase"): "BatchNorm1d BatchNorm2d BatchNorm3d SyncBatchNorm",
    ("_CircularPadNd",): "CircularPad1d CircularPad2d CircularPad3d",
    ("_ConstantPadNd",): "ConstantPad1d ConstantPad2d ConstantPad3d",
    ("_ConvNd",): "Conv1d Conv2d Conv3d",
    ("_ConvTransposeNd", "_ConvNd"): "ConvTranspose1d ConvTranspose2d ConvTranspose3d",
    ("RNNBase",): "GRU LSTM RNN",
    ("RNNCellBase",): "GRUCell LSTMCell RNNCell",
    ("_InstanceNorm", "_NormBase"): "InstanceNorm1d InstanceNorm2d InstanceNorm3d",
    ("_LPPoolNd",): "LPPool1d LPPool2d LPPool3d",
    ("_LazyNormBase", "_BatchNorm", "_NormBase"): "LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d",
    ("Conv1d", "_ConvNd"): "LazyConv1d",
    ("Conv2d", "_ConvNd"): "LazyConv2d",
    ("Conv3d", "_ConvNd"): "LazyConv3d",
    ("ConvTranspose1d", "_ConvTransposeNd", "_ConvNd"): "LazyConvTranspose1d",
    ("ConvTranspose2d", "_ConvTransposeNd", "_ConvNd"): "LazyConvTranspose2d",
    ("ConvTranspose3d", "_ConvTransposeNd", "_ConvNd"): "LazyConvTranspose3d",
    ("_LazyNormBase", "_InstanceNorm", "_NormBase"): "LazyInstanceNorm1d LazyInstanceNorm2d LazyInstanceNorm3d",
    ("Linear",): "LazyLinear",
    ("_MaxPoolNd",): "MaxPool1d MaxPool2d MaxPool3d",
    ("_MaxUnpoolNd",): "MaxUnpool1d MaxUnpool2d MaxUnpool3d",
    ("NLLLoss", "_WeightedLoss", "_Loss"): "NLLLoss2d",
    ("Hardtanh",): "ReLU6",
    ("_ReflectionPadNd",): "ReflectionPad1d ReflectionPad2d ReflectionPad3d",
    ("_ReplicationPadNd",): "ReplicationPad1d ReplicationPad2d ReplicationPad3d",
    ("Upsample",): "UpsamplingBilinear2d UpsamplingNearest2d",
    ("ConstantPad1d", "_ConstantPadNd"): "ZeroPad1d",
    ("ConstantPad2d", "_ConstantPadNd"): "ZeroPad2d",
    ("ConstantPad3d", "_ConstantPadNd"): "ZeroPad3d",
}
TORCH_BASES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {name: bases for bases, names in _BY_BASES.items() for name in names.split()}
)
"""By the name of a class of torch.nn: the names of its bases, nearest first; a class without a row has none."""
