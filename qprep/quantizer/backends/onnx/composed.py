# ruff: noqa: ANN401 -- values of any kind
"""ONNX forms made of several operators: deviations, norms, extrema, gates, products that add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from qprep.quantizer.backends.onnx.builder import Builder, Value
from qprep.quantizer.backends.onnx.layer_forms import Form
from qprep.quantizer.backends.onnx.run_record import Ref
from qprep.quantizer.backends.onnx.sizes import Size


def _axes(value: Value, dim: Any) -> list[int]:
    """The dimensions that a reduction is over: all of them by default."""
    rank = len(value.shape)
    given = range(rank) if dim is None or dim == () else [dim] if isinstance(dim, int) else list(dim)
    return sorted(axis % rank for axis in given)


def _reduced(b: Builder, kind: str, name: str, axes: Sequence[int], keep: Any) -> str:
    return b.op(kind, [name, b.constant(list(axes), np.int64, "axes")], keepdims=int(bool(keep)))


def _deviation(root: bool, with_mean: bool = False) -> Form:
    """√(Σ(x - μ)² / (n - correction)), or its square."""

    def form(b: Builder, given: dict[str, Any]) -> Any:
        x, keep = b.value(given["input"]), given.get("keepdim")
        axes, correction = _axes(x, given.get("dim")), given.get("correction")
        sizes = [x.shape[axis] for axis in axes]
        if correction is None:
            correction = 0 if given.get("unbiased") is False else 1
        if any(isinstance(each, Size) for each in sizes):
            raise b.fail("a deviation over the batch")
        number = int(np.prod(sizes))  # type: ignore[arg-type]
        mean = _reduced(b, "ReduceMean", b.float(x), axes, keep=True)
        around = b.op("Sub", [b.float(x), mean])
        variance = _reduced(b, "ReduceMean", b.op("Mul", [around, around]), axes, keep)
        if correction:
            variance = b.op("Mul", [variance, b.floats(number / (number - correction))])
        found = b.op("Sqrt", [variance]) if root else variance
        return [found, _reduced(b, "ReduceMean", b.float(x), axes, keep)] if with_mean else found

    return form


_NORMS: Final = {1: "ReduceL1", 2: "ReduceL2", float("inf"): "ReduceMax"}


def _length(b: Builder, x: Value, order: Any, dim: Any, keep: Any) -> str:
    order = 2 if order in (None, "fro") else order
    if order not in _NORMS:
        raise b.fail(f"a norm of order {order}")
    name = b.op("Abs", [b.float(x)]) if order == float("inf") else b.float(x)
    return _reduced(b, _NORMS[order], name, _axes(x, dim), keep)


def _norm(tensor: str, order: str) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        x = b.value(given[tensor])
        is_matrix = order == "ord" and tensor == "input" and given.get(order) is not None and len(_axes(x, None)) > 1
        if given.get("dtype") is not None or (is_matrix and not isinstance(given.get("dim"), int)):
            raise b.fail("a norm of matrices or in another type")
        return _length(b, x, given.get(order), given.get("dim"), given.get("keepdim"))

    return form


def _normalize(b: Builder, given: dict[str, Any]) -> Any:
    x = b.value(given["input"])
    length = _length(b, x, given.get("p", 2), given.get("dim", 1), keep=True)
    return b.op("Div", [b.float(x), b.op("Clip", [length, b.floats(given.get("eps", 1e-12))])])


def _rms_norm(b: Builder, given: dict[str, Any]) -> Any:
    x, shape = b.value(given["input"]), given["normalized_shape"]
    dims = 1 if isinstance(shape, int) else len(shape)
    eps = given.get("eps")
    name = b.float(x)
    square = _reduced(b, "ReduceMean", b.op("Mul", [name, name]), range(len(x.shape) - dims, len(x.shape)), keep=True)
    eps = float(np.finfo(np.float32).eps) if eps is None else eps
    found = b.op("Div", [name, b.op("Sqrt", [b.op("Add", [square, b.floats(eps)])])])
    weight = given.get("weight")
    return found if weight is None else b.op("Mul", [found, b.float(weight)])


def _extremum(kind: str) -> Form:
    """Over all values, over one dimension with its indices, or of two tensors."""

    def form(b: Builder, given: dict[str, Any]) -> Any:
        x, dim = b.value(given["input"]), given.get("dim")
        if isinstance(dim, Ref) or "other" in given:
            return b.op(kind, [b.float(x), b.float(given.get("other", dim))])
        if dim is None:
            return _reduced(b, f"Reduce{kind}", b.float(x), _axes(x, None), keep=False)
        keep = int(bool(given.get("keepdim")))
        index = b.op(f"Arg{kind}", [b.float(x)], axis=dim, keepdims=keep)
        return [_reduced(b, f"Reduce{kind}", b.float(x), _axes(x, dim), keep), index]

    return form


def _place_of(kind: str) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        x, dim = b.value(given["input"]), given.get("dim")
        keep = int(bool(given.get("keepdim")))
        if dim is not None:
            return b.op(kind, [b.float(x)], axis=dim, keepdims=keep)
        flat = b.op("Reshape", [b.float(x), b.constant([-1], np.int64, "shape")])
        return b.op(kind, [flat], axis=0, keepdims=0)

    return form


def _over(kind: str) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        if given.get("dtype") is not None:
            raise b.fail(f"a {kind} into another type")
        x = b.value(given["input"])
        return _reduced(b, kind, b.float(x), _axes(x, given.get("dim")), given.get("keepdim"))

    return form


def _cumsum(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("CumSum", [b.typed(given["input"], b.kinds[0]), b.constant(given["dim"], np.int64)])


def _glu(b: Builder, given: dict[str, Any]) -> Any:
    value, gate = b.ops("Split", [b.float(given["input"])], 2, axis=given.get("dim", -1), num_outputs=2)
    return b.op("Mul", [value, b.op("Sigmoid", [gate])])


def _einsum(b: Builder, given: dict[str, Any]) -> Any:
    operands = given["operands"]
    operands = operands if isinstance(operands, (tuple, list)) else [operands]
    if not isinstance(given["equation"], str):
        raise b.fail("an einsum by sublists")
    return b.op("Einsum", [b.float(each) for each in operands], equation=given["equation"].replace(" ", ""))


def _scaled(b: Builder, name: str, factor: Any) -> str:
    return name if factor == 1 else b.op("Mul", [name, b.float(factor)])


def _product_added(left: str, right: str) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        product = b.op("MatMul", [b.float(given[left]), b.float(given[right])])
        added = _scaled(b, b.float(given["input"]), given.get("beta", 1))
        return b.op("Add", [added, _scaled(b, product, given.get("alpha", 1))])

    return form


def _addcmul(b: Builder, given: dict[str, Any]) -> Any:
    product = b.op("Mul", [b.float(given["tensor1"]), b.float(given["tensor2"])])
    return b.op("Add", [b.float(given["input"]), _scaled(b, product, given.get("value", 1))])


def _lerp(b: Builder, given: dict[str, Any]) -> Any:
    start = b.float(given["input"])
    way = b.op("Mul", [b.op("Sub", [b.float(given["end"]), start]), b.float(given["weight"])])
    return b.op("Add", [start, way])


def _bags(b: Builder, given: dict[str, Any]) -> Any:
    """Bags of one size: what lookups give, reduced."""
    index = b.value(given["input"])
    odd = ("offsets", "max_norm", "per_sample_weights", "padding_idx")
    if len(index.shape) != 2 or any(given.get(name) is not None for name in odd):
        raise b.fail("bags of several sizes, or that weigh or leave out")
    kind = {"mean": "ReduceMean", "sum": "ReduceSum", "max": "ReduceMax"}[given.get("mode", "mean")]
    rows = b.op("Gather", [b.float(given["weight"]), b.float(index)], axis=0)
    return _reduced(b, kind, rows, [1], keep=False)


def _shrunk(soft: bool) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        reach = float(given.get("lambd", 0.5))
        return b.op("Shrink", [b.float(given["input"])], lambd=reach, bias=reach if soft else 0.0)

    return form


def _threshold(b: Builder, given: dict[str, Any]) -> Any:
    x = b.float(given["input"])
    above = b.op("Greater", [x, b.floats(given["threshold"])])
    return b.op("Where", [above, x, b.floats(given["value"])])


def _logsigmoid(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("Neg", [b.op("Softplus", [b.op("Neg", [b.float(given["input"])])])])


def _tanhshrink(b: Builder, given: dict[str, Any]) -> Any:
    x = b.float(given["input"])
    return b.op("Sub", [x, b.op("Tanh", [x])])


def _logarithm(base: float) -> Form:
    return lambda b, given: b.op("Div", [b.op("Log", [b.float(given["input"])]), b.floats(np.log(base))])


def _log1p(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("Log", [b.op("Add", [b.float(given["input"]), b.floats(1.0)])])


def _expm1(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("Sub", [b.op("Exp", [b.float(given["input"])]), b.floats(1.0)])


def _floor_divide(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("Floor", [b.op("Div", [b.float(given["input"]), b.float(given["other"])])])


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "std": _deviation(root=True),
        "var": _deviation(root=False),
        "std_mean": _deviation(root=True, with_mean=True),
        "var_mean": _deviation(root=False, with_mean=True),
        "norm": _norm("input", "p"),
        "linalg_norm": _norm("input", "ord"),
        "vector_norm": _norm("x", "ord"),
        "normalize": _normalize,
        "rms_norm": _rms_norm,
        "max": _extremum("Max"),
        "min": _extremum("Min"),
        "argmax": _place_of("ArgMax"),
        "argmin": _place_of("ArgMin"),
        "logsumexp": _over("ReduceLogSumExp"),
        "prod": _over("ReduceProd"),
        "cumsum": _cumsum,
        "glu": _glu,
        "einsum": _einsum,
        "addmm": _product_added("mat1", "mat2"),
        "baddbmm": _product_added("batch1", "batch2"),
        "mv": lambda b, given: b.op("MatMul", [b.float(given["input"]), b.float(given["vec"])]),
        "addcmul": _addcmul,
        "lerp": _lerp,
        "embedding_bag": _bags,
        "hardshrink": _shrunk(soft=False),
        "softshrink": _shrunk(soft=True),
        "threshold": _threshold,
        "logsigmoid": _logsigmoid,
        "tanhshrink": _tanhshrink,
        "log2": _logarithm(2.0),
        "log10": _logarithm(10.0),
        "log1p": _log1p,
        "expm1": _expm1,
        "floor_divide": _floor_divide,
    }
)
