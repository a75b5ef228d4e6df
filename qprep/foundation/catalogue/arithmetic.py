"""Arithmetic of two or more tensors: Python's operators and their torch functions, products of matrices."""

from __future__ import annotations

from typing import Final

from qprep.foundation.catalogue.op import Channels, Op, OpClass, carrying
from qprep.foundation.catalogue.spelling import spell

_COMPUTE: Final = OpClass.COMPUTE


def _operator(name: str, special: str = "i", second: str = "other") -> tuple[str, ...]:
    """Functions of Python's module `operator`, and methods under their special names: in place, too, where `i`."""
    names = (name, f"i{name}")
    return (
        *(f"operator.{spelling}(input, {second}, /)" for spelling in names),
        *(f"Tensor.__{spelling}__(input, {second})" for spelling in (names if special else (name,))),
    )


def _binary(name: str, module: str, places: str = "tmi", second: str = "other") -> Op:
    return Op(name, _COMPUTE, spell(f"{name}(input, {second})", places), module=module)


_OPERATORS: Final[tuple[Op, ...]] = (
    Op(
        "add",
        _COMPUTE,
        spell("add(input, other, *, alpha=1)", "tmi") + _operator("add"),
        operators=("+",),
        module="EltwiseAdd(inplace, alpha)",
    ),
    Op(
        "sub",
        _COMPUTE,
        spell("sub(input, other, *, alpha=1)", "tmi")
        + spell("subtract(input, other, *, alpha=1)", "tmi")
        + _operator("sub"),
        operators=("-",),
        module="EltwiseSub(inplace, alpha)",
    ),
    Op("rsub", _COMPUTE, spell("rsub(input, other, *, alpha=1)", "t"), module="EltwiseRsub(alpha)"),
    Op(
        "mul",
        _COMPUTE,
        spell("mul(input, other)", "tmi") + spell("multiply(input, other)", "tmi") + _operator("mul"),
        operators=("*",),
        module="EltwiseMul(inplace)",
    ),
    Op(
        "div",
        _COMPUTE,
        spell("div(input, other, *, rounding_mode=None)", "tmi")
        + spell("divide(input, other, *, rounding_mode=None)", "tmi")
        + spell("true_divide(input, other)", "tmi")
        + _operator("truediv"),
        operators=("/",),
        module="EltwiseDiv(inplace, rounding_mode)",
    ),
    Op(
        "floor_divide",
        _COMPUTE,
        spell("floor_divide(input, other)", "tmi") + _operator("floordiv"),
        operators=("//",),
        module="FloorDiv(inplace)",
    ),
    Op(
        "remainder",
        _COMPUTE,
        spell("remainder(input, other)", "tmi") + _operator("mod"),
        operators=("%",),
        module="Remainder(inplace)",
    ),
    Op(
        "pow",
        _COMPUTE,
        spell("pow(input, exponent)", "tmi")
        + _operator("pow", second="exponent")
        + ("builtins.pow(input, exponent, /)",),
        operators=("**",),
        module="Pow(inplace)",
    ),
    Op(
        "neg",
        _COMPUTE,
        spell("neg(input)", "tTmi")
        + spell("negative(input)", "tTmi")
        + ("operator.neg(input, /)", "Tensor.__neg__(input)"),
        operators=("-x",),
        module="Neg(inplace)",
    ),
    Op(
        "matmul",
        _COMPUTE,
        spell("matmul(input, other)", "tml") + _operator("matmul", ""),
        operators=("@",),
        module="MatMul(inplace)",
    ),
)

_ELEMENTWISE: Final[tuple[Op, ...]] = (
    _binary("fmod", "Fmod(inplace)"),
    Op(
        "float_power",
        _COMPUTE,
        spell("float_power(input, exponent)", "tmi"),
        module="FloatPower(inplace)",
    ),
    _binary("maximum", "Maximum", "tm"),
    _binary("minimum", "Minimum", "tm"),
    _binary("fmax", "Fmax", "tm"),
    _binary("fmin", "Fmin", "tm"),
    Op(
        "atan2",
        _COMPUTE,
        spell("atan2(input, other)", "tmi") + spell("arctan2(input, other)", "tmi"),
        module="Atan2(inplace)",
    ),
    _binary("hypot", "Hypot(inplace)"),
    _binary("copysign", "CopySign(inplace)"),
    _binary("nextafter", "NextAfter(inplace)"),
    _binary("heaviside", "Heaviside(inplace)", second="values"),
    _binary("logaddexp", "LogAddExp", "tm"),
    _binary("logaddexp2", "LogAddExp2", "tm"),
    Op("xlogy", _COMPUTE, spell("xlogy(input, other)", "tTmis"), module="Xlogy(inplace)"),
    Op("xlog1py", _COMPUTE, spell("xlog1py(input, other)", "s"), module="Xlog1py"),
    Op("ldexp", _COMPUTE, spell("ldexp(input, other)", "tTmi"), module="Ldexp(inplace)"),
    Op("lerp", _COMPUTE, spell("lerp(input, end, weight)", "tmi"), module="Lerp(inplace)"),
    Op(
        "addcmul",
        _COMPUTE,
        spell("addcmul(input, tensor1, tensor2, *, value=1)", "tmi"),
        module="Addcmul(value, inplace)",
    ),
    Op(
        "addcdiv",
        _COMPUTE,
        spell("addcdiv(input, tensor1, tensor2, *, value=1)", "tmi"),
        module="Addcdiv(value, inplace)",
    ),
    Op(
        "cross",
        _COMPUTE,
        spell("cross(input, other, dim=None)", "tm"),
        module="Cross(dim)",
    ),
    Op("linalg_cross", _COMPUTE, spell("cross(input, other, *, dim=-1)", "l"), module="LinalgCross(dim)"),
)

_PRODUCTS: Final[tuple[Op, ...]] = (
    Op("bmm", _COMPUTE, spell("bmm(input, mat2)", "tm"), module="BatchMatMul"),
    Op("mm", _COMPUTE, spell("mm(input, mat2)", "tm"), module="Mm"),
    Op("mv", _COMPUTE, spell("mv(input, vec)", "tm"), module="Mv"),
    Op("dot", _COMPUTE, spell("dot(input, tensor)", "tm"), module="Dot"),
    Op("vdot", _COMPUTE, spell("vdot(input, other)", "tm"), module="Vdot"),
    Op("vecdot", _COMPUTE, spell("vecdot(x, y, *, dim=-1)", "l"), module="Vecdot(dim)"),
    Op("inner", _COMPUTE, spell("inner(input, other)", "tm"), module="Inner"),
    Op(
        "outer",
        _COMPUTE,
        spell("outer(input, vec2)", "tm") + spell("ger(input, vec2)", "tm"),
        module="Outer",
    ),
    Op("kron", _COMPUTE, spell("kron(input, other)", "tm"), module="Kron"),
    Op(
        "tensordot",
        _COMPUTE,
        spell("tensordot(a, b, dims=2)", "p"),
        module="TensorDot(dims)",
    ),
    Op("einsum", _COMPUTE, ("torch.einsum(equation, *operands)",), module="Einsum(equation)"),
    Op("multi_dot", _COMPUTE, spell("multi_dot(tensors)", "l"), module="MultiDot"),
    Op("chain_matmul", _COMPUTE, ("torch.chain_matmul(*matrices)",), module="ChainMatMul"),
    Op(
        "matrix_power",
        _COMPUTE,
        spell("matrix_power(input, n)", "tml"),
        module="MatrixPower(n)",
    ),
    *(
        Op(
            name,
            _COMPUTE,
            spell(f"{name}(input, {first}, {second}, *, beta=1, alpha=1)", places),
            module=f"{name.capitalize()}(beta, alpha, inplace)",
        )
        for name, first, second, places in (
            ("addmm", "mat1", "mat2", "tmi"),
            ("addmv", "mat", "vec", "tTmi"),
            ("addr", "vec1", "vec2", "tmi"),
            ("addbmm", "batch1", "batch2", "tmi"),
            ("baddbmm", "batch1", "batch2", "tmi"),
        )
    ),
)

_PRODUCT_RULES: Final = ("matmul", "bmm", "mm", "addmm", "baddbmm", "einsum")

OPS: Final[tuple[Op, ...]] = (
    *carrying(_OPERATORS, Channels.SAME, {Channels.LAYER: _PRODUCT_RULES}),
    *carrying(_ELEMENTWISE, Channels.SAME, {Channels.MIX: ("cross", "linalg_cross")}),
    *carrying(_PRODUCTS, Channels.MIX, {Channels.LAYER: _PRODUCT_RULES}),
)
