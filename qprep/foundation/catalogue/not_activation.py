"""Operations whose result is not an activation: creation, comparison, integers and booleans, sizes, random filling."""

from __future__ import annotations

from typing import Final

from qprep.foundation.catalogue.op import Channels, Op, OpClass, Result, carrying
from qprep.foundation.catalogue.spelling import spell


def _row(
    name: str,
    *spellings: str,
    result: Result = Result.INTEGER,
    operators: tuple[str, ...] = (),
    is_random: bool = False,
) -> Op:
    """A row of class NOT_ACTIVATION; a spelling "tm:NAME(...)" means NAME in those places."""
    written: tuple[str, ...] = ()
    for spelling in spellings:
        places, colon, signature = spelling.partition(":")
        written += spell(signature, places) if colon and places.isalpha() else (spelling,)
    return Op(
        name,
        OpClass.NOT_ACTIVATION,
        written,
        operators=operators,
        result=result,
        quantizer="float",
        is_random=is_random,
    )


_TENSOR: Final = Result.TENSOR
_NUMBER: Final = Result.NUMBER
_LIKE: Final = "dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False"


def _comparison(name: str, long: str, symbol: str) -> Op:
    return _row(
        name,
        f"tmi:{name}(input, other)",
        f"tmi:{long}(input, other)",
        f"operator.{name}(input, other, /)",
        operators=(symbol,),
    )


def _bitwise(name: str, function: str, symbol: str) -> Op:
    return _row(
        name,
        f"tmi:{name}(input, other)",
        f"operator.{function}(input, other, /)",
        f"operator.i{function.rstrip('_')}(input, other, /)",
        operators=(symbol,),
    )


_COMPARISONS: Final[tuple[Op, ...]] = (
    _comparison("lt", "less", "<"),
    _comparison("le", "less_equal", "<="),
    _comparison("gt", "greater", ">"),
    _comparison("ge", "greater_equal", ">="),
    _row("eq", "tmi:eq(input, other)", "operator.eq(input, other, /)", operators=("==",)),
    _comparison("ne", "not_equal", "!="),
    _row("isclose", "tm:isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False)"),
    _row("isin", "torch.isin(elements|element, test_elements|test_element, *, assume_unique=False, invert=False)"),
    *(
        _row(name, f"tm:{name}(input)")
        for name in ("isnan", "isinf", "isfinite", "isneginf", "isposinf", "isreal", "signbit")
    ),
    *(_row(name, f"tmi:{name}(input, other)") for name in ("logical_and", "logical_or", "logical_xor")),
    _row("logical_not", "tmi:logical_not(input)"),
    _row("equal", "tm:equal(input, other)", result=_NUMBER),
    _row("allclose", "tm:allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False)", result=_NUMBER),
)

_INTEGERS: Final[tuple[Op, ...]] = (
    _bitwise("bitwise_and", "and_", "&"),
    _bitwise("bitwise_or", "or_", "|"),
    _bitwise("bitwise_xor", "xor", "^"),
    _bitwise("bitwise_left_shift", "lshift", "<<"),
    _bitwise("bitwise_right_shift", "rshift", ">>"),
    _row(
        "bitwise_not",
        "tmi:bitwise_not(input)",
        "operator.invert(input, /)",
        "operator.inv(input, /)",
        operators=("~x",),
    ),
    _row("gcd", "tTmi:gcd(input, other)"),
    _row("lcm", "tTmi:lcm(input, other)"),
    _row("argmax", "tm:argmax(input, dim=None, keepdim=False)"),
    _row("argmin", "tm:argmin(input, dim=None, keepdim=False)"),
    _row("argsort", "tm:argsort(input, dim=-1, descending=False, *, stable=False)"),
    _row("argwhere", "tm:argwhere(input)"),
    _row("nonzero", "tm:nonzero(input, *, as_tuple=False)"),
    _row("nonzero_static", "tm:nonzero_static(input, *, size, fill_value=-1)"),
    _row("count_nonzero", "t:count_nonzero(input, dim=None)", "Tensor.count_nonzero(input, *dim|axis)"),
    _row("any", "tm:any(input, dim=None, keepdim=False)"),
    _row("all", "tm:all(input, dim=None, keepdim=False)"),
    _row("bincount", "tm:bincount(input, weights=None, minlength=0)"),
    _row("bucketize", "t:bucketize(input, boundaries, *, out_int32=False, right=False)"),
    _row(
        "searchsorted",
        "t:searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None)",
    ),
    _row("unravel_index", "torch.unravel_index(indices, shape)", result=Result.TENSORS),
    _row("one_hot", "torch.nn.functional.one_hot(input|tensor, num_classes=-1)"),
    _row("tril_indices", f"torch.tril_indices(row, col, offset=0, *, {_LIKE})"),
    _row("triu_indices", f"torch.triu_indices(row, col, offset=0, *, {_LIKE})"),
    *(
        _row(name, f"Tensor.{name}(input, memory_format=torch.preserve_format)")
        for name in ("long", "int", "short", "char", "byte", "bool")
    ),
    _row("multinomial", "tm:multinomial(input, num_samples, replacement=False, *, generator=None)"),
    _row("hash_tensor", "torch.hash_tensor(input, dim=(), *, keepdim=False, mode=0)"),
)

_SIZES: Final[tuple[Op, ...]] = (
    _row("size", "Tensor.size(input, dim=None)", result=Result.SHAPE),
    _row("stride", "Tensor.stride(input, dim=None)", result=Result.SHAPE),
    _row("broadcast_shapes", "torch.broadcast_shapes(*shapes)", result=Result.SHAPE),
    _row("dim", "Tensor.dim(input)", "Tensor.ndimension(input)", result=_NUMBER),
    _row("numel", "tm:numel(input)", "Tensor.nelement(input)", result=_NUMBER),
    *(
        _row(name, f"Tensor.{name}(input)", result=_NUMBER)
        for name in ("element_size", "storage_offset", "data_ptr", "item")
    ),
    *(
        _row(name, f"tm:{name}(input)", result=_NUMBER)
        for name in (
            *("is_floating_point", "is_complex", "is_nonzero", "is_inference", "is_conj", "is_neg", "is_signed"),
            *("get_device", "is_same_size"),
        )
    ),
    _row("is_contiguous", "Tensor.is_contiguous(input, memory_format=torch.contiguous_format)", result=_NUMBER),
    _row("is_tensor", "torch.is_tensor(obj)", result=_NUMBER),
    _row("tolist", "Tensor.tolist(input)", result=Result.OTHER),
    _row("numpy", "Tensor.numpy(input, *, force=False)", result=Result.OTHER),
    _row("untyped_storage", "Tensor.untyped_storage(input)", result=Result.OTHER),
    _row("dim_order", "Tensor.dim_order(input, ambiguity_check=False)", result=Result.SHAPE),
    _row("result_type", "torch.result_type(tensor, other)", result=Result.OTHER),
    *(
        _row(name, f"Tensor.{name}(input{rest})", result=Result.OTHER)
        for name, rest in (
            ("register_hook", ", hook"),
            ("retain_grad", ""),
            ("backward", ", gradient=None, retain_graph=None, create_graph=False, inputs=None"),
        )
    ),
)

_CREATION: Final[tuple[Op, ...]] = (
    *(
        _row(name, f"torch.{name}(*size, {_LIKE})", result=_TENSOR, is_random="rand" in name)
        for name in ("zeros", "ones", "empty", "rand", "randn")
    ),
    *(
        _row(
            f"{name}_like",
            f"t:{name}_like(input, *, memory_format=None, {_LIKE})",
            result=_TENSOR,
            is_random=name.startswith("rand"),
        )
        for name in ("zeros", "ones", "empty", "rand", "randn")
    ),
    _row("full_like", f"t:full_like(input, fill_value, *, memory_format=None, {_LIKE})", result=_TENSOR),
    _row(
        "randint_like",
        f"t:randint_like(input, low, high=None, *, memory_format=None, {_LIKE})",
        result=_TENSOR,
        is_random=True,
    ),
    *(
        _row(f"new_{name}", f"Tensor.new_{name}(input, *size, {_LIKE})", result=_TENSOR)
        for name in ("zeros", "ones", "empty")
    ),
    _row("new_full", f"Tensor.new_full(input, size, fill_value, *, {_LIKE})", result=_TENSOR),
    _row(
        "new_tensor", "Tensor.new_tensor(input, data, *, dtype=None, device=None, requires_grad=False)", result=_TENSOR
    ),
    _row("full", f"torch.full(size, fill_value, *, {_LIKE})", result=_TENSOR),
    _row("randint", f"torch.randint(low, high=None, size=None, *, generator=None, {_LIKE})", result=_TENSOR),
    _row("randperm", f"torch.randperm(n, *, generator=None, {_LIKE})", result=_TENSOR),
    _row("arange", f"torch.arange(start, end=None, step=1, *, {_LIKE})", result=_TENSOR),
    _row(
        "range",
        "torch.range(start, end=None, step=1, *, dtype=None, device=None, pin_memory=False, requires_grad=False)",
        result=_TENSOR,
    ),
    _row("linspace", f"torch.linspace(start, end, steps=None, *, {_LIKE})", result=_TENSOR),
    _row("logspace", f"torch.logspace(start, end, steps=None, base=10.0, *, {_LIKE})", result=_TENSOR),
    _row("eye", f"torch.eye(n, m=None, *, {_LIKE})", result=_TENSOR),
    _row(
        "tensor",
        "torch.tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False)",
        result=_TENSOR,
    ),
    _row("as_tensor", "torch.as_tensor(data, dtype=None, device=None)", result=_TENSOR),
    _row(
        "asarray",
        "torch.asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False)",
        result=_TENSOR,
    ),
    _row("from_numpy", "torch.from_numpy(ndarray)", result=_TENSOR),
    _row("scalar_tensor", f"torch.scalar_tensor(s, *, {_LIKE})", result=_TENSOR),
    _row("normal", "torch.normal(mean, std=1.0, size=None, *, generator=None)", result=_TENSOR),
    _row("fftfreq", f"torch.fft.fftfreq(n, d=1.0, *, {_LIKE})", result=_TENSOR),
    _row("rfftfreq", f"torch.fft.rfftfreq(n, d=1.0, *, {_LIKE})", result=_TENSOR),
    _row("vander", "torch.vander(x, N=None, increasing=False)", "torch.linalg.vander(x, N=None)", result=_TENSOR),
    *(
        _row(name, f"torch.{name}(window_length, periodic=True, *, {_LIKE})", result=_TENSOR)
        for name in ("hann_window", "hamming_window", "blackman_window", "bartlett_window")
    ),
)

_RANDOM: Final[tuple[Op, ...]] = (
    _row("uniform_", "Tensor.uniform_(input, from_=0.0, to=1.0, *, generator=None)", result=_TENSOR),
    _row("normal_", "Tensor.normal_(input, mean=0.0, std=1.0, *, generator=None)", result=_TENSOR),
    _row("log_normal_", "Tensor.log_normal_(input, mean=1.0, std=2.0, *, generator=None)", result=_TENSOR),
    _row("cauchy_", "Tensor.cauchy_(input, median=0.0, sigma=1.0, *, generator=None)", result=_TENSOR),
    _row("exponential_", "Tensor.exponential_(input, lambd=1.0, *, generator=None)", result=_TENSOR),
    _row("geometric_", "Tensor.geometric_(input, p, *, generator=None)", result=_TENSOR),
    _row("random_", "Tensor.random_(input, *args, **kwargs)", result=_TENSOR, is_random=True),
    _row("poisson", "torch.poisson(input, generator=None)", result=_TENSOR),
    _row("binomial", "torch.binomial(count, prob, generator=None)", result=_TENSOR),
)

_ELEMENTWISE: Final = (
    *(f"bitwise_{name}" for name in ("and", "or", "xor", "not", "left_shift", "right_shift")),
    *("gcd", "lcm", "long", "int", "short", "char", "byte", "bool"),
)
_READ: Final = ("item", "tolist", "numpy", "untyped_storage", "data_ptr", "is_nonzero", "backward")
_LIKE_ITS_INPUT: Final = tuple(
    f"{name}_like" for name in ("zeros", "ones", "empty", "rand", "randn", "full", "randint")
)

OPS: Final[tuple[Op, ...]] = (
    *carrying(_COMPARISONS, Channels.SAME, {Channels.MIX: ("isin", "equal", "allclose")}),
    *carrying(
        _INTEGERS,
        Channels.MIX,
        {Channels.SAME: _ELEMENTWISE, Channels.FOLD: ("count_nonzero", "any", "all", "argmax", "argmin")},
    ),
    *carrying(_SIZES, Channels.NEW, {Channels.MIX: _READ}),
    *carrying(
        _CREATION,
        Channels.NEW,
        {
            Channels.SAME: _LIKE_ITS_INPUT,
            Channels.MIX: ("tensor", "as_tensor", "asarray", "new_tensor", "vander", "normal"),
        },
    ),
    *carrying(_RANDOM, Channels.MIX),
)
