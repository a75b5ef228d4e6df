"""The modules that rewritten code uses: one per torch operation, torch only, without parameters or buffers."""

# fmt: off
# isort: off
from qprep.runtime_modules.activations import (
    FunctionalGELU, FunctionalGLU, FunctionalHardsigmoid, FunctionalHardswish, FunctionalLogSigmoid,
    FunctionalLogSoftmax, FunctionalMish, FunctionalSiLU, FunctionalSigmoid, FunctionalSoftmax,
    FunctionalSoftmin, FunctionalSoftplus, FunctionalSoftsign, FunctionalTanh, FunctionalTanhshrink,
    GumbelSoftmax,
)
from qprep.runtime_modules.adaptive_pooling import (
    AdaptiveMaxPool1dWithIndices, AdaptiveMaxPool2dWithIndices, AdaptiveMaxPool3dWithIndices,
    FunctionalAdaptiveMaxPool1d, FunctionalAdaptiveMaxPool2d, FunctionalAdaptiveMaxPool3d,
)
from qprep.runtime_modules.arithmetic import (
    EltwiseAdd, EltwiseDiv, EltwiseMul, EltwiseRsub, EltwiseSub, FloorDiv, MatMul, Neg, Pow, Remainder,
)
from qprep.runtime_modules.binary import (
    Atan2, CopySign, FloatPower, Fmax, Fmin, Fmod, Heaviside, Hypot, Ldexp, LogAddExp, LogAddExp2, Maximum,
    Minimum, NextAfter, Xlog1py, Xlogy,
)
from qprep.runtime_modules.choices import Clamp, ClampMax, ClampMin, MaskedFill, Where
from qprep.runtime_modules.convolution import (
    CorrelationTBC, CrossCorrelation1d, CrossCorrelation2d, CrossCorrelation3d, TransposedCorrelation1d,
    TransposedCorrelation2d, TransposedCorrelation3d,
)
from qprep.runtime_modules.deviations import CorrCoef, Cov, Std, StdMean, Var, VarMean
from qprep.runtime_modules.dispatch import Dispatch, stands_for
from qprep.runtime_modules.dropout import (
    FeatureDropout, FunctionalAlphaDropout, FunctionalDropout, FunctionalDropout1d, FunctionalDropout2d,
    FunctionalDropout3d, FunctionalFeatureAlphaDropout,
)
from qprep.runtime_modules.exponential import (
    Angle, ConjPhysical, Deg2Rad, Exp, Exp2, Expm1, Log, Log10, Log1p, Log2, Logit, Rad2Deg, Reciprocal, Rsqrt,
    Sqrt, Square,
)
from qprep.runtime_modules.extrema import KthValue, Max, Median, Min, Mode, NanMedian, NanQuantile, Quantile
from qprep.runtime_modules.fourier import (
    FFT, FFT2, HFFT, HFFT2, IFFT, IFFT2, IHFFT, IHFFT2, IRFFT, IRFFT2, RFFT, RFFT2,
)
from qprep.runtime_modules.fourier_nd import FFTN, HFFTN, IFFTN, IHFFTN, IRFFTN, RFFTN
from qprep.runtime_modules.fractional_pooling import (
    FractionalMaxPool2dWithIndices, FractionalMaxPool3dWithIndices, FunctionalFractionalMaxPool2d,
    FunctionalFractionalMaxPool3d,
)
from qprep.runtime_modules.function import Function
from qprep.runtime_modules.fused import Addbmm, Addcdiv, Addcmul, Addmm, Addmv, Addr, Baddbmm, Lerp
from qprep.runtime_modules.into import Into
from qprep.runtime_modules.joins import (
    BlockDiag, CartesianProd, Chunk, ColumnStack, Concat, DStack, HStack, Split, Stack, SumList, VStack,
)
from qprep.runtime_modules.linalg import (
    Cholesky, CholeskyInverse, CholeskySolve, Det, EigValsH, Eigh, Inverse, LinalgCholesky, LinalgQR, LinalgSVD,
    LinalgSolve, LogDet, MatrixExp, PInverse, QR, SLogDet, SVD, SVDVals, SolveTriangular,
)
from qprep.runtime_modules.linear import (
    PairAffineMap, TableLookup, BagLookup, AffineMap,
    ScaledDotProductAttention,
)
from qprep.runtime_modules.max_pooling import (
    FunctionalMaxPool1d, FunctionalMaxPool2d, FunctionalMaxPool3d, MaxPool1dWithIndices, MaxPool2dWithIndices,
    MaxPool3dWithIndices,
)
from qprep.runtime_modules.normalization import (
    BatchStandardize, FunctionalCosineSimilarity, GroupStandardize, InstanceStandardize,
    LayerStandardize, FunctionalLocalResponseNorm, FunctionalPairwiseDistance, RootMeanSquareScale, Normalize,
    PDist,
)
from qprep.runtime_modules.norms import CDist, Dist, LinalgNorm, MatrixNorm, Norm, Renorm, VectorNorm
from qprep.runtime_modules.patterns import EinopsEinsum, EinopsPack, EinopsReduce
from qprep.runtime_modules.per_call import PerCall
from qprep.runtime_modules.pooling import (
    FunctionalAdaptiveAvgPool1d, FunctionalAdaptiveAvgPool2d, FunctionalAdaptiveAvgPool3d, FunctionalAvgPool1d,
    FunctionalAvgPool2d, FunctionalAvgPool3d,
)
from qprep.runtime_modules.power_pooling import FunctionalLPPool1d, FunctionalLPPool2d, FunctionalLPPool3d
from qprep.runtime_modules.products import (
    BatchMatMul, ChainMatMul, Cross, Dot, Einsum, Inner, Kron, LinalgCross, MatrixPower, Mm, MultiDot, Mv,
    Outer, TensorDot, Vdot, Vecdot,
)
from qprep.runtime_modules.rectifiers import (
    FunctionalCELU, FunctionalELU, FunctionalHardshrink, FunctionalHardtanh, FunctionalLeakyReLU,
    SlopedRectifier, FunctionalRReLU, FunctionalReLU, FunctionalReLU6, FunctionalSELU, FunctionalSoftshrink,
    FunctionalThreshold,
)
from qprep.runtime_modules.reductions import (
    AMax, AMin, AMinMax, LogSumExp, Mean, NanMean, NanSum, Prod, Sum, SumToSize, Trace,
)
from qprep.runtime_modules.resizing import (
    AffineGrid, ConstantPadNd, FunctionalFold, GridSample, Interpolate, Pad, UpsampleBilinear, UpsampleNearest,
)
from qprep.runtime_modules.rounding import Abs, Ceil, Floor, Frac, NanToNum, Round, Sgn, Sign, Trunc
from qprep.runtime_modules.scans import (
    CumMax, CumMin, CumProd, CumSum, CumulativeTrapezoid, Diff, LogCumSumExp, Trapezoid,
)
from qprep.runtime_modules.scatters import IndexAdd, IndexReduce, ScatterAdd, ScatterReduce
from qprep.runtime_modules.special import (
    Digamma, Entr, Erf, Erfc, Erfcx, Erfinv, Frexp, I0, Lgamma, LogNdtr, Ndtr, Ndtri,
)
from qprep.runtime_modules.tied import Tied, another
from qprep.runtime_modules.trigonometric import Acos, Acosh, Asin, Asinh, Atan, Atanh, Cos, Cosh, Sin, Sinc, Sinh, Tan
from qprep.runtime_modules.unshared import distinct, unshared
from qprep.runtime_modules.windows import ISTFT, STFT
# Compound modules, made of those above.
from qprep.runtime_modules.attention import MultiheadAttention
from qprep.runtime_modules.convert import convert_attention, convert_compound, convert_recurrent, to_torch
from qprep.runtime_modules.convert import convert_model_to_distiller_lstm
from qprep.runtime_modules.original import mark_added, original_children, original_forward, original_modules
from qprep.runtime_modules.original import original_list, original_named_children
from qprep.runtime_modules.object_operations import ClassOperation, ObjectOperations
from qprep.runtime_modules.recurrent import GRU, LSTM, RNN
from qprep.runtime_modules.recurrent_cells import GRUCell, LSTMCell, RNNCell
from qprep.runtime_modules.transformer import Transformer, TransformerDecoder, TransformerDecoderLayer
from qprep.runtime_modules.transformer import TransformerEncoder, TransformerEncoderLayer
# isort: on

__all__ = [
    "FFT",
    "FFT2",
    "FFTN",
    "HFFT",
    "HFFT2",
    "HFFTN",
    "I0",
    "IFFT",
    "IFFT2",
    "IFFTN",
    "IHFFT",
    "IHFFT2",
    "IHFFTN",
    "IRFFT",
    "IRFFT2",
    "IRFFTN",
    "ISTFT",
    "QR",
    "RFFT",
    "RFFT2",
    "RFFTN",
    "STFT",
    "SVD",
    "AMax",
    "AMin",
    "AMinMax",
    "Abs",
    "Acos",
    "Acosh",
    "AdaptiveMaxPool1dWithIndices",
    "AdaptiveMaxPool2dWithIndices",
    "AdaptiveMaxPool3dWithIndices",
    "Addbmm",
    "Addcdiv",
    "Addcmul",
    "Addmm",
    "Addmv",
    "Addr",
    "AffineGrid",
    "AffineMap",
    "Angle",
    "Asin",
    "Asinh",
    "Atan",
    "Atan2",
    "Atanh",
    "Baddbmm",
    "BagLookup",
    "BatchMatMul",
    "BatchStandardize",
    "BlockDiag",
    "CDist",
    "CartesianProd",
    "Ceil",
    "ChainMatMul",
    "Cholesky",
    "CholeskyInverse",
    "CholeskySolve",
    "Chunk",
    "Clamp",
    "ClampMax",
    "ClampMin",
    "ColumnStack",
    "Concat",
    "ConjPhysical",
    "ConstantPadNd",
    "CopySign",
    "CorrCoef",
    "CorrelationTBC",
    "Cos",
    "Cosh",
    "Cov",
    "Cross",
    "CrossCorrelation1d",
    "CrossCorrelation2d",
    "CrossCorrelation3d",
    "CumMax",
    "CumMin",
    "CumProd",
    "CumSum",
    "CumulativeTrapezoid",
    "DStack",
    "Deg2Rad",
    "Det",
    "Diff",
    "Digamma",
    "Dispatch",
    "Dist",
    "Dot",
    "EigValsH",
    "Eigh",
    "EinopsEinsum",
    "EinopsPack",
    "EinopsReduce",
    "Einsum",
    "EltwiseAdd",
    "EltwiseDiv",
    "EltwiseMul",
    "EltwiseRsub",
    "EltwiseSub",
    "Entr",
    "Erf",
    "Erfc",
    "Erfcx",
    "Erfinv",
    "Exp",
    "Exp2",
    "Expm1",
    "FeatureDropout",
    "FloatPower",
    "Floor",
    "FloorDiv",
    "Fmax",
    "Fmin",
    "Fmod",
    "Frac",
    "FractionalMaxPool2dWithIndices",
    "FractionalMaxPool3dWithIndices",
    "Frexp",
    "Function",
    "FunctionalAdaptiveAvgPool1d",
    "FunctionalAdaptiveAvgPool2d",
    "FunctionalAdaptiveAvgPool3d",
    "FunctionalAdaptiveMaxPool1d",
    "FunctionalAdaptiveMaxPool2d",
    "FunctionalAdaptiveMaxPool3d",
    "FunctionalAlphaDropout",
    "FunctionalAvgPool1d",
    "FunctionalAvgPool2d",
    "FunctionalAvgPool3d",
    "FunctionalCELU",
    "FunctionalCosineSimilarity",
    "FunctionalDropout",
    "FunctionalDropout1d",
    "FunctionalDropout2d",
    "FunctionalDropout3d",
    "FunctionalELU",
    "FunctionalFeatureAlphaDropout",
    "FunctionalFold",
    "FunctionalFractionalMaxPool2d",
    "FunctionalFractionalMaxPool3d",
    "FunctionalGELU",
    "FunctionalGLU",
    "FunctionalHardshrink",
    "FunctionalHardsigmoid",
    "FunctionalHardswish",
    "FunctionalHardtanh",
    "FunctionalLPPool1d",
    "FunctionalLPPool2d",
    "FunctionalLPPool3d",
    "FunctionalLeakyReLU",
    "FunctionalLocalResponseNorm",
    "FunctionalLogSigmoid",
    "FunctionalLogSoftmax",
    "FunctionalMaxPool1d",
    "FunctionalMaxPool2d",
    "FunctionalMaxPool3d",
    "FunctionalMish",
    "FunctionalPairwiseDistance",
    "FunctionalRReLU",
    "FunctionalReLU",
    "FunctionalReLU6",
    "FunctionalSELU",
    "FunctionalSiLU",
    "FunctionalSigmoid",
    "FunctionalSoftmax",
    "FunctionalSoftmin",
    "FunctionalSoftplus",
    "FunctionalSoftshrink",
    "FunctionalSoftsign",
    "FunctionalTanh",
    "FunctionalTanhshrink",
    "FunctionalThreshold",
    "GridSample",
    "GroupStandardize",
    "GumbelSoftmax",
    "HStack",
    "Heaviside",
    "Hypot",
    "IndexAdd",
    "IndexReduce",
    "Inner",
    "InstanceStandardize",
    "Interpolate",
    "Into",
    "Inverse",
    "Kron",
    "KthValue",
    "LayerStandardize",
    "Ldexp",
    "Lerp",
    "Lgamma",
    "LinalgCholesky",
    "LinalgCross",
    "LinalgNorm",
    "LinalgQR",
    "LinalgSVD",
    "LinalgSolve",
    "Log",
    "Log1p",
    "Log2",
    "Log10",
    "LogAddExp",
    "LogAddExp2",
    "LogCumSumExp",
    "LogDet",
    "LogNdtr",
    "LogSumExp",
    "Logit",
    "MaskedFill",
    "MatMul",
    "MatrixExp",
    "MatrixNorm",
    "MatrixPower",
    "Max",
    "MaxPool1dWithIndices",
    "MaxPool2dWithIndices",
    "MaxPool3dWithIndices",
    "Maximum",
    "Mean",
    "Median",
    "Min",
    "Minimum",
    "Mm",
    "Mode",
    "MultiDot",
    "Mv",
    "NanMean",
    "NanMedian",
    "NanQuantile",
    "NanSum",
    "NanToNum",
    "Ndtr",
    "Ndtri",
    "Neg",
    "NextAfter",
    "Norm",
    "Normalize",
    "Outer",
    "PDist",
    "PInverse",
    "Pad",
    "PairAffineMap",
    "PerCall",
    "Pow",
    "Prod",
    "Quantile",
    "Rad2Deg",
    "Reciprocal",
    "Remainder",
    "Renorm",
    "RootMeanSquareScale",
    "Round",
    "Rsqrt",
    "SLogDet",
    "SVDVals",
    "ScaledDotProductAttention",
    "ScatterAdd",
    "ScatterReduce",
    "Sgn",
    "Sign",
    "Sin",
    "Sinc",
    "Sinh",
    "SlopedRectifier",
    "SolveTriangular",
    "Split",
    "Sqrt",
    "Square",
    "Stack",
    "Std",
    "StdMean",
    "Sum",
    "SumList",
    "SumToSize",
    "TableLookup",
    "Tan",
    "TensorDot",
    "Tied",
    "Trace",
    "TransposedCorrelation1d",
    "TransposedCorrelation2d",
    "TransposedCorrelation3d",
    "Trapezoid",
    "Trunc",
    "UpsampleBilinear",
    "UpsampleNearest",
    "VStack",
    "Var",
    "VarMean",
    "Vdot",
    "Vecdot",
    "VectorNorm",
    "Where",
    "Xlog1py",
    "Xlogy",
    "another",
    "distinct",
    "stands_for",
    "unshared",
]
__all__ += [
    "GRU",
    "LSTM",
    "RNN",
    "ClassOperation",
    "GRUCell",
    "LSTMCell",
    "MultiheadAttention",
    "ObjectOperations",
    "RNNCell",
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "convert_attention",
    "convert_compound",
    "convert_model_to_distiller_lstm",
    "convert_recurrent",
    "mark_added",
    "original_children",
    "original_forward",
    "original_list",
    "original_modules",
    "original_named_children",
    "to_torch",
]
# fmt: on


def __getattr__(name: str) -> object:
    """A module by an earlier name of its class."""
    from qprep.runtime_modules.aliases import EARLIER

    if name not in EARLIER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals()[EARLIER[name]]
