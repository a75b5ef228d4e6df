"""Functions of one tensor, element by element, and the choices between elements (where, masked_fill, clamp)."""

from __future__ import annotations

from typing import Final

from qprep.foundation.catalogue.op import Channels, Op, OpClass, Result, carrying
from qprep.foundation.catalogue.spelling import spell

_COMPUTE: Final = OpClass.COMPUTE


def _unary(name: str, module: str, places: str = "tTmi", *others: str, quantizer: str = "output") -> Op:
    """A function of `input` alone; each of `others` is "places:name"."""
    spellings = spell(f"{name}(input)", places)
    for other in others:
        where, _, alias = other.partition(":")
        spellings += spell(f"{alias}(input)", where)
    return Op(name, _COMPUTE, spellings, module=module, quantizer=quantizer)


_ROUNDING: Final[tuple[Op, ...]] = (
    Op(
        "abs",
        _COMPUTE,
        spell("abs(input)", "tTmi")
        + spell("absolute(input)", "tmi")
        + ("builtins.abs(input, /)", "operator.abs(input, /)", "Tensor.__abs__(input)"),
        module="Abs(inplace)",
    ),
    _unary("ceil", "Ceil(inplace)"),
    _unary("floor", "Floor(inplace)"),
    _unary("trunc", "Trunc(inplace)", "tTmi", "tTmi:fix"),
    _unary("frac", "Frac(inplace)"),
    Op("round", _COMPUTE, spell("round(input, *, decimals=0)", "tTmis"), module="Round(decimals, inplace)"),
    _unary("sign", "Sign(inplace)", "tmi"),
    _unary("sgn", "Sgn(inplace)", "tmi"),
    Op(
        "nan_to_num",
        _COMPUTE,
        spell("nan_to_num(input, nan=None, posinf=None, neginf=None)", "tTmi"),
        module="NanToNum(nan, posinf, neginf, inplace)",
    ),
)

_ALGEBRAIC: Final[tuple[Op, ...]] = (
    _unary("exp", "Exp(inplace)"),
    _unary("exp2", "Exp2(inplace)", "tTmis"),
    _unary("expm1", "Expm1(inplace)", "tTmis"),
    _unary("log", "Log(inplace)"),
    _unary("log10", "Log10(inplace)"),
    _unary("log1p", "Log1p(inplace)", "tTmis"),
    _unary("log2", "Log2(inplace)"),
    _unary("sqrt", "Sqrt(inplace)"),
    _unary("rsqrt", "Rsqrt(inplace)"),
    _unary("square", "Square(inplace)"),
    _unary("reciprocal", "Reciprocal(inplace)"),
    Op("logit", _COMPUTE, spell("logit(input, eps=None)", "tTmis"), module="Logit(eps, inplace)"),
    _unary("deg2rad", "Deg2Rad(inplace)"),
    _unary("rad2deg", "Rad2Deg(inplace)"),
    _unary("angle", "Angle", "tm"),
    _unary("conj_physical", "ConjPhysical(inplace)"),
)

_TRIGONOMETRIC: Final[tuple[Op, ...]] = (
    _unary("sin", "Sin(inplace)", quantizer="fixed-range"),
    _unary("cos", "Cos(inplace)", quantizer="fixed-range"),
    _unary("tan", "Tan(inplace)"),
    _unary("sinh", "Sinh(inplace)"),
    _unary("cosh", "Cosh(inplace)"),
    _unary("asin", "Asin(inplace)", "tTmi", "tTmi:arcsin"),
    _unary("acos", "Acos(inplace)", "tTmi", "tTmi:arccos"),
    _unary("atan", "Atan(inplace)", "tTmi", "tTmi:arctan"),
    _unary("asinh", "Asinh(inplace)", "tTmi", "tTmi:arcsinh"),
    _unary("acosh", "Acosh(inplace)", "tTmi", "tTmi:arccosh"),
    _unary("atanh", "Atanh(inplace)", "tTmi", "tTmi:arctanh"),
    _unary("sinc", "Sinc(inplace)", "tTmis"),
)

_SPECIAL: Final[tuple[Op, ...]] = (
    _unary("erf", "Erf(inplace)", "tTmis", quantizer="fixed-range"),
    _unary("erfc", "Erfc(inplace)", "tTmis"),
    _unary("erfinv", "Erfinv(inplace)", "tmis"),
    _unary("lgamma", "Lgamma(inplace)", "tmi", "s:gammaln"),
    _unary("digamma", "Digamma(inplace)", "tmis", "s:psi"),
    _unary("i0", "I0(inplace)", "tTmis"),
    _unary("entr", "Entr", "s"),
    _unary("ndtr", "Ndtr", "s", quantizer="fixed-range"),
    _unary("ndtri", "Ndtri", "s"),
    _unary("log_ndtr", "LogNdtr", "s"),
    _unary("erfcx", "Erfcx", "s"),
)

_CHOICES: Final[tuple[Op, ...]] = (
    Op(
        "clamp",
        _COMPUTE,
        spell("clamp(input, min=None, max=None)", "tTmi") + spell("clip(input, min=None, max=None)", "tTmi"),
        module="Clamp(min, max, inplace)",
    ),
    Op("clamp_min", _COMPUTE, spell("clamp_min(input, min)", "tTmi"), module="ClampMin(min, inplace)"),
    Op("clamp_max", _COMPUTE, spell("clamp_max(input, max)", "tTmi"), module="ClampMax(max, inplace)"),
    Op(
        "where",
        _COMPUTE,
        ("torch.where(condition, input|x|a|x1=None, other|x2=None)", "Tensor.where(input, condition, other|x2)"),
        module="Where",
    ),
    Op(
        "masked_fill",
        _COMPUTE,
        spell("masked_fill(input, mask, value)", "tmi"),
        module="MaskedFill(value, inplace)",
    ),
    Op(
        "frexp",
        _COMPUTE,
        spell("frexp(input)"),
        module="Frexp",
        result=Result.TENSORS,
    ),
)

# Writes that also compute: sums of several elements into one place.
_ACCUMULATIONS: Final[tuple[Op, ...]] = (
    Op(
        "index_add",
        _COMPUTE,
        spell("index_add(input, dim, index, source, *, alpha=1)", "tmi"),
        module="IndexAdd(alpha, inplace)",
    ),
    Op(
        "index_reduce",
        _COMPUTE,
        spell("index_reduce(input, dim, index, source, reduce, *, include_self=True)", "tmi"),
        module="IndexReduce(reduce, include_self, inplace)",
    ),
    Op(
        "scatter_add",
        _COMPUTE,
        spell("scatter_add(input, dim, index, src)", "tmi"),
        module="ScatterAdd(inplace)",
    ),
    Op(
        "scatter_reduce",
        _COMPUTE,
        spell("scatter_reduce(input, dim, index, src, reduce, *, include_self=True)", "tmi"),
        module="ScatterReduce(reduce, include_self, inplace)",
    ),
)

OPS: Final[tuple[Op, ...]] = (
    *carrying(_ROUNDING + _ALGEBRAIC + _TRIGONOMETRIC + _SPECIAL + _CHOICES, Channels.SAME),
    *_ACCUMULATIONS,
)
