"""Earlier names of modules, which code that was rewritten before goes on to import."""

from typing import Final

EARLIER: Final = {
    "ConvTBC": "CorrelationTBC",
    "FunctionalBatchNorm": "BatchStandardize",
    "FunctionalBilinear": "PairAffineMap",
    "FunctionalConv1d": "CrossCorrelation1d",
    "FunctionalConv2d": "CrossCorrelation2d",
    "FunctionalConv3d": "CrossCorrelation3d",
    "FunctionalConvTranspose1d": "TransposedCorrelation1d",
    "FunctionalConvTranspose2d": "TransposedCorrelation2d",
    "FunctionalConvTranspose3d": "TransposedCorrelation3d",
    "FunctionalEmbedding": "TableLookup",
    "FunctionalEmbeddingBag": "BagLookup",
    "FunctionalGroupNorm": "GroupStandardize",
    "FunctionalInstanceNorm": "InstanceStandardize",
    "FunctionalLayerNorm": "LayerStandardize",
    "FunctionalLinear": "AffineMap",
    "FunctionalPReLU": "SlopedRectifier",
    "FunctionalRMSNorm": "RootMeanSquareScale",
}
"""The present name of each. The earlier ones held names of layers with weights, which initializers look for."""
