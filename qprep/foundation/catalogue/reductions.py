"""Operations that fold dimensions away or run along one: sums, means, extrema, deviations, norms."""

from __future__ import annotations

from typing import Final

from qprep.foundation.catalogue.op import Channels, Op, OpClass, Result, carrying
from qprep.foundation.catalogue.spelling import spell

_COMPUTE: Final = OpClass.COMPUTE
_IF_DIM: Final = Result.VALUES_INDICES_IF_DIM


def _extremum(name: str, module: str) -> Op:
    # The second parameter is a dimension, or the other tensor of the binary form.
    rest = "dim|axis|other|x2=None, keepdim|keepdims=False)"
    function = f"torch.{name}(input|x|a|x1, {rest}"
    return Op(name, _COMPUTE, (function, f"Tensor.{name}(input, {rest}"), module=module, result=_IF_DIM)


_SUMS: Final[tuple[Op, ...]] = (
    Op(
        "sum",
        _COMPUTE,
        spell("sum(input, dim=None, keepdim=False, *, dtype=None)"),
        module="Sum(dim, keepdim, dtype)",
    ),
    Op(
        "mean",
        _COMPUTE,
        spell("mean(input, dim=None, keepdim=False, *, dtype=None)"),
        module="Mean(dim, keepdim, dtype)",
    ),
    Op(
        "nansum",
        _COMPUTE,
        spell("nansum(input, dim=None, keepdim=False, *, dtype=None)"),
        module="NanSum(dim, keepdim, dtype)",
    ),
    Op(
        "nanmean",
        _COMPUTE,
        spell("nanmean(input, dim=None, keepdim=False, *, dtype=None)"),
        module="NanMean(dim, keepdim, dtype)",
    ),
    Op(
        "prod",
        _COMPUTE,
        spell("prod(input, dim=None, keepdim=False, *, dtype=None)"),
        module="Prod(dim, keepdim, dtype)",
    ),
    Op("logsumexp", _COMPUTE, spell("logsumexp(input, dim, keepdim=False)", "tms"), module="LogSumExp(dim, keepdim)"),
    Op("trace", _COMPUTE, spell("trace(input)"), module="Trace"),
    Op("sum_to_size", _COMPUTE, ("Tensor.sum_to_size(input, *size)",), module="SumToSize"),
)

_EXTREMA: Final[tuple[Op, ...]] = (
    _extremum("max", "Max(dim, keepdim)"),
    _extremum("min", "Min(dim, keepdim)"),
    Op(
        "amax",
        _COMPUTE,
        spell("amax(input, dim=(), keepdim=False)"),
        module="AMax(dim, keepdim)",
        quantizer="same-scale",
    ),
    Op(
        "amin",
        _COMPUTE,
        spell("amin(input, dim=(), keepdim=False)"),
        module="AMin(dim, keepdim)",
        quantizer="same-scale",
    ),
    Op(
        "aminmax",
        _COMPUTE,
        spell("aminmax(input, *, dim=None, keepdim=False)"),
        module="AMinMax(dim, keepdim)",
        result=Result.TENSORS,
    ),
    Op(
        "median",
        _COMPUTE,
        spell("median(input, dim=None, keepdim=False)"),
        module="Median(dim, keepdim)",
        result=_IF_DIM,
    ),
    Op(
        "nanmedian",
        _COMPUTE,
        spell("nanmedian(input, dim=None, keepdim=False)"),
        module="NanMedian(dim, keepdim)",
        result=_IF_DIM,
    ),
    Op(
        "mode",
        _COMPUTE,
        spell("mode(input, dim=-1, keepdim=False)"),
        module="Mode(dim, keepdim)",
        result=Result.VALUES_INDICES,
    ),
    Op(
        "kthvalue",
        _COMPUTE,
        spell("kthvalue(input, k, dim=-1, keepdim=False)"),
        module="KthValue(k, dim, keepdim)",
        result=Result.VALUES_INDICES,
    ),
    *(
        Op(
            name,
            _COMPUTE,
            spell(f"{name}(input, q, dim=None, keepdim=False, *, interpolation='linear')"),
            module=f"{module}(q, dim, keepdim, interpolation)",
        )
        for name, module in (("quantile", "Quantile"), ("nanquantile", "NanQuantile"))
    ),
)

# torch's first overload takes `unbiased` where others take `dim` (a bool there) or after it; `correction` replaces it.
_DEVIATION: Final = "(input, dim=None, unbiased=None, keepdim=False, *, correction=None)"
_DEVIATIONS: Final[tuple[Op, ...]] = (
    Op("std", _COMPUTE, spell(f"std{_DEVIATION}"), module="Std(dim, unbiased, keepdim, correction)"),
    Op("var", _COMPUTE, spell(f"var{_DEVIATION}"), module="Var(dim, unbiased, keepdim, correction)"),
    Op(
        "std_mean",
        _COMPUTE,
        spell(f"std_mean{_DEVIATION}", "t"),
        module="StdMean(dim, unbiased, keepdim, correction)",
        result=Result.TENSORS,
    ),
    Op(
        "var_mean",
        _COMPUTE,
        spell(f"var_mean{_DEVIATION}", "t"),
        module="VarMean(dim, unbiased, keepdim, correction)",
        result=Result.TENSORS,
    ),
    Op("cov", _COMPUTE, spell("cov(input, *, correction=1, fweights=None, aweights=None)"), module="Cov(correction)"),
    Op("corrcoef", _COMPUTE, spell("corrcoef(input)"), module="CorrCoef"),
)

_SCANS: Final[tuple[Op, ...]] = (
    Op("cumsum", _COMPUTE, spell("cumsum(input, dim, *, dtype=None)", "tmi"), module="CumSum(dim, dtype, inplace)"),
    Op("cumprod", _COMPUTE, spell("cumprod(input, dim, *, dtype=None)", "tmi"), module="CumProd(dim, dtype, inplace)"),
    Op("cummax", _COMPUTE, spell("cummax(input, dim)"), module="CumMax(dim)", result=Result.VALUES_INDICES),
    Op("cummin", _COMPUTE, spell("cummin(input, dim)"), module="CumMin(dim)", result=Result.VALUES_INDICES),
    Op("logcumsumexp", _COMPUTE, spell("logcumsumexp(input, dim)"), module="LogCumSumExp(dim)"),
    Op("diff", _COMPUTE, spell("diff(input, n=1, dim=-1, prepend=None, append=None)"), module="Diff(n, dim)"),
    Op(
        "trapezoid",
        _COMPUTE,
        ("torch.trapezoid(y, x=None, *, dx=None, dim|axis=-1)", "torch.trapz(y, x=None, *, dx=None, dim|axis=-1)"),
        module="Trapezoid(dx, dim)",
    ),
    Op(
        "cumulative_trapezoid",
        _COMPUTE,
        ("torch.cumulative_trapezoid(y, x=None, *, dx=None, dim|axis=-1)",),
        module="CumulativeTrapezoid(dx, dim)",
    ),
)

_NORMS: Final[tuple[Op, ...]] = (
    Op(
        "norm",
        _COMPUTE,
        spell("norm(input, p='fro', dim=None, keepdim=False, dtype=None)", "pq"),
        module="Norm(p, dim, keepdim, dtype)",
    ),
    Op(
        "linalg_norm",
        _COMPUTE,
        spell("norm(input, ord=None, dim=None, keepdim=False, *, dtype=None)", "l"),
        module="LinalgNorm(ord, dim, keepdim, dtype)",
    ),
    Op(
        "vector_norm",
        _COMPUTE,
        spell("vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None)", "l"),
        module="VectorNorm(ord, dim, keepdim, dtype)",
    ),
    Op(
        "matrix_norm",
        _COMPUTE,
        spell("matrix_norm(input, ord='fro', dim=(-2, -1), keepdim=False, *, dtype=None)", "l"),
        module="MatrixNorm(ord, dim, keepdim, dtype)",
    ),
    Op("dist", _COMPUTE, spell("dist(input, other, p=2)"), module="Dist(p)"),
    Op(
        "cdist",
        _COMPUTE,
        spell("cdist(x1, x2, p=2.0, compute_mode='use_mm_for_euclid_dist_if_necessary')", "p"),
        module="CDist(p, compute_mode)",
    ),
    Op("renorm", _COMPUTE, spell("renorm(input, p, dim, maxnorm)", "tmi"), module="Renorm(p, dim, maxnorm, inplace)"),
)

OPS: Final[tuple[Op, ...]] = (
    *carrying(
        _SUMS + _EXTREMA + _DEVIATIONS,
        Channels.FOLD,
        {Channels.MIX: ("trace", "sum_to_size", "quantile", "nanquantile", "cov", "corrcoef")},
    ),
    *carrying(_SCANS, Channels.MIX, {Channels.ALONG: ("cumsum", "cumprod", "logcumsumexp")}),
    *carrying(_NORMS, Channels.MIX, {Channels.FOLD: ("norm", "vector_norm")}),
)
