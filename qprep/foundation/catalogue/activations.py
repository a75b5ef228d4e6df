"""Activation functions: torch.nn.functional's and their twins in torch and torch.Tensor."""

from __future__ import annotations

from typing import Final

from qprep.foundation.catalogue.op import Channels, Op, OpClass, RuleFamily, carrying
from qprep.foundation.catalogue.spelling import spell


def _activation(
    name: str,
    spellings: tuple[str, ...],
    nn: str | None,
    module: str,
    *,
    drop: tuple[str, ...] = (),
    weights: tuple[str, ...] = (),
    quantizer: str = "output",
) -> Op:
    return Op(
        name,
        OpClass.COMPUTE,
        spellings,
        nn=nn,
        module=module,
        family=RuleFamily.FUNCTIONAL,
        drop=drop,
        weights=weights,
        quantizer=quantizer,
    )


_RECTIFIERS: Final[tuple[Op, ...]] = (
    _activation(
        "relu",
        spell("relu(input, inplace=False)", "f") + spell("relu(input)", "tTmiB"),
        "ReLU(inplace)",
        "FunctionalReLU(inplace)",
    ),
    _activation("relu6", spell("relu6(input, inplace=False)", "f"), "ReLU6(inplace)", "FunctionalReLU6(inplace)"),
    _activation(
        "elu",
        spell("elu(input, alpha=1.0, inplace=False)", "f") + spell("elu(input, alpha=1.0)", "B"),
        "ELU(alpha, inplace)",
        "FunctionalELU(alpha, inplace)",
    ),
    _activation(
        "celu",
        spell("celu(input, alpha=1.0, inplace=False)", "f") + spell("celu(input, alpha=1.0)", "tTB"),
        "CELU(alpha, inplace)",
        "FunctionalCELU(alpha, inplace)",
    ),
    _activation(
        "selu",
        spell("selu(input, inplace=False)", "f") + spell("selu(input)", "tTB"),
        "SELU(inplace)",
        "FunctionalSELU(inplace)",
    ),
    _activation(
        "leaky_relu",
        spell("leaky_relu(input, negative_slope=0.01, inplace=False)", "f")
        + spell("leaky_relu(input, negative_slope=0.01)", "B"),
        "LeakyReLU(negative_slope, inplace)",
        "FunctionalLeakyReLU(negative_slope, inplace)",
    ),
    _activation("prelu", spell("prelu(input, weight)", "btm"), None, "SlopedRectifier", weights=("weight",)),
    _activation(
        "rrelu",
        spell("rrelu(input, lower=0.125, upper=0.3333333333333333, training=False, inplace=False)", "f")
        + spell("rrelu(input, lower=0.125, upper=0.3333333333333333, training=False)", "tTB"),
        "RReLU(lower, upper, inplace)",
        "FunctionalRReLU(lower, upper, training, inplace)",
        drop=("training",),
    ),
    _activation(
        "threshold",
        spell("threshold(input, threshold, value, inplace=False)", "f")
        + spell("threshold(input, threshold, value)", "tTB"),
        "Threshold(threshold, value, inplace)",
        "FunctionalThreshold(threshold, value, inplace)",
    ),
    _activation(
        "hardtanh",
        spell("hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False)", "f")
        + spell("hardtanh(input, min_val=-1.0, max_val=1.0)", "B"),
        "Hardtanh(min_val, max_val, inplace)",
        "FunctionalHardtanh(min_val, max_val, inplace)",
    ),
    _activation(
        "hardshrink", spell("hardshrink(input, lambd=0.5)", "btm"), "Hardshrink(lambd)", "FunctionalHardshrink(lambd)"
    ),
    _activation(
        "softshrink", spell("softshrink(input, lambd=0.5)", "b"), "Softshrink(lambd)", "FunctionalSoftshrink(lambd)"
    ),
)

_SMOOTH: Final[tuple[Op, ...]] = (
    _activation(
        "gelu", spell("gelu(input, *, approximate='none')", "b"), "GELU(approximate)", "FunctionalGELU(approximate)"
    ),
    _activation("silu", spell("silu(input, inplace=False)", "f"), "SiLU(inplace)", "FunctionalSiLU(inplace)"),
    _activation("mish", spell("mish(input, inplace=False)", "f"), "Mish(inplace)", "FunctionalMish(inplace)"),
    _activation(
        "hardswish", spell("hardswish(input, inplace=False)", "f"), "Hardswish(inplace)", "FunctionalHardswish(inplace)"
    ),
    _activation("glu", spell("glu(input, dim=-1)", "f"), "GLU(dim)", "FunctionalGLU(dim)"),
    _activation(
        "softplus",
        spell("softplus(input, beta=1, threshold=20)", "b"),
        "Softplus(beta, threshold)",
        "FunctionalSoftplus(beta, threshold)",
    ),
    _activation("tanhshrink", spell("tanhshrink(input)", "f"), "Tanhshrink", "FunctionalTanhshrink"),
    _activation("logsigmoid", spell("logsigmoid(input)", "b"), "LogSigmoid", "FunctionalLogSigmoid"),
)

_BOUNDED: Final[tuple[Op, ...]] = (
    _activation(
        "sigmoid",
        spell("sigmoid(input)", "tTmif") + spell("expit(input)", "s"),
        "Sigmoid",
        "FunctionalSigmoid(inplace)",
        quantizer="fixed-range",
    ),
    _activation(
        "hardsigmoid",
        spell("hardsigmoid(input, inplace=False)", "f"),
        "Hardsigmoid(inplace)",
        "FunctionalHardsigmoid(inplace)",
        quantizer="fixed-range",
    ),
    _activation("tanh", spell("tanh(input)", "tTmif"), "Tanh", "FunctionalTanh(inplace)", quantizer="fixed-range"),
    _activation("softsign", spell("softsign(input)", "f"), "Softsign", "FunctionalSoftsign", quantizer="fixed-range"),
    _activation(
        "softmax",
        spell("softmax(input, dim=None, _stacklevel=3, dtype=None)", "f")
        + spell("softmax(input, dim, dtype=None)", "tm")
        + ("torch.special.softmax(input|x|a|x1, dim|axis, *, dtype=None)",),
        "Softmax(dim)",
        "FunctionalSoftmax(dim, dtype)",
        drop=("_stacklevel",),
        quantizer="fixed-range",
    ),
    _activation(
        "softmin",
        spell("softmin(input, dim=None, _stacklevel=3, dtype=None)", "f"),
        "Softmin(dim)",
        "FunctionalSoftmin(dim, dtype)",
        drop=("_stacklevel",),
        quantizer="fixed-range",
    ),
    _activation(
        "log_softmax",
        spell("log_softmax(input, dim=None, _stacklevel=3, dtype=None)", "f")
        + spell("log_softmax(input, dim, dtype=None)", "tm")
        + ("torch.special.log_softmax(input|x|a|x1, dim|axis, *, dtype=None)",),
        "LogSoftmax(dim)",
        "FunctionalLogSoftmax(dim, dtype)",
        drop=("_stacklevel",),
    ),
    _activation(
        "gumbel_softmax",
        spell("gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1)", "f"),
        None,
        "GumbelSoftmax(tau, hard, eps, dim)",
        quantizer="fixed-range",
    ),
)

OPS: Final[tuple[Op, ...]] = carrying(
    _RECTIFIERS + _SMOOTH + _BOUNDED,
    Channels.SAME,
    {
        Channels.LAYER: ("prelu", "glu"),
        Channels.ALONG: ("softmax", "softmin", "log_softmax"),
        Channels.MIX: ("gumbel_softmax",),
    },
)
