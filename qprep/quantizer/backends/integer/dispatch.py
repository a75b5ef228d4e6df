# ruff: noqa: ANN401 -- values of any kind
"""Sends torch functions on integer tensors to their integer form, or runs them in float and says so."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Final

import torch
from torch import Tensor

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.integer.integer_operations import FORMS
from qprep.quantizer.backends.integer.integer_tensor import IntegerTensor, as_floats
from qprep.quantizer.graph.call_rows import Call, calls
from qprep.quantizer.graph.tensor_leaves import map_tensors, tensors_in

# Attributes and methods that say something of a tensor rather than of its values.
_FACTS: Final = frozenset(
    (  # noqa: SIM905
        "shape dtype device layout ndim requires_grad is_leaf is_sparse is_quantized is_meta is_mkldnn is_nested "
        "is_cuda is_cpu is_complex is_floating_point grad_fn grad dim size numel nelement ndimension stride __len__ "
        "__hash__ get_device is_signed element_size itemsize is_contiguous storage_offset names output_nr retains_grad"
    ).split()
)
# They change where or how values are stored, not which they are.
_COPIES: Final = frozenset(
    (  # noqa: SIM905
        "clone contiguous detach to float half bfloat16 double cpu cuda type_as type requires_grad_ data positive"
    ).split()
)

# Attributes that move values.
_TURNED: Final = ("T", "mT", "H", "mH")

_islands: ContextVar[Callable[[str], None] | None] = ContextVar("islands", default=None)


@contextlib.contextmanager
def noting(note: Callable[[str], None]) -> Iterator[None]:
    """Tell `note` of each operation that runs in float though it is given integers."""
    token = _islands.set(note)
    try:
        yield
    finally:
        _islands.reset(token)


class ComputingTensor(IntegerTensor):
    """Integers that pass for a float tensor in a model's own code: torch functions on them go to integer forms."""

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return dispatch(func, args, kwargs or {})


def computing(value: Any) -> Any:
    """`value` with integers that compute for each integer tensor in it."""

    def change(_: int, each: Tensor) -> Tensor:
        if not isinstance(each, IntegerTensor) or isinstance(each, ComputingTensor):
            return each
        return ComputingTensor(each.ints, each.scale, each.bits, each.grid)

    return map_tensors(change, value)


def dispatch(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of `function` for arguments with integer tensors among them."""
    name = _attribute(function)
    if name in _FACTS:
        with torch._C.DisableTorchFunctionSubclass():  # noqa: SLF001
            return function(*args, **kwargs)
    call = calls().bind(function, args, kwargs)
    with torch._C.DisableTorchFunctionSubclass():  # noqa: SLF001
        if name in _COPIES and _stays_float(args, kwargs):
            return args[0]
        found = _integer(function, call, args, kwargs)
        if found is not NotImplemented:
            return computing(_in_place(call, args, found))
    return _in_float(function, call, args, kwargs)


def _attribute(function: Callable[..., Any]) -> str:
    name = str(getattr(function, "__name__", ""))
    return str(getattr(getattr(function, "__self__", None), "__name__", name)) if name == "__get__" else name


def _stays_float(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    kinds = [each for each in (*args, *kwargs.values()) if isinstance(each, torch.dtype)]
    kinds += [each.dtype for each in args[1:] if isinstance(each, Tensor)]
    return all(each.is_floating_point for each in kinds)


def _integer(function: Callable[..., Any], call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    form = FORMS.get(call.name)
    if form is not None:
        try:
            return form(call)
        except (NotImplementedError, RuntimeError):  # a use of it that torch has no kernel for
            return NotImplemented
    if _attribute(function) in _TURNED:
        return _moved(function, args, kwargs)
    if call.name == "view":
        function = Tensor.reshape  # integers may lie in memory otherwise than the floats that they encode
    return _moved(function, args, kwargs) if call.is_layout else NotImplemented


def _moved(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Layout: the integers move as the values would."""
    given = [each for each in tensors_in((args, kwargs)) if isinstance(each, IntegerTensor)]
    grid, scale = given[0].grid, given[0].uniform()
    if any(each.grid != grid or grid is None for each in given[1:]):
        return NotImplemented
    floats = [each for each in tensors_in((args, kwargs)) if each.is_floating_point()]
    if len(floats) != len(given):
        return NotImplemented

    def ints(_: int, each: Tensor) -> Tensor:
        return each.uniform().ints if isinstance(each, IntegerTensor) else each

    args, kwargs = map_tensors(ints, (args, kwargs))
    kind = scale.ints.dtype
    try:
        out = function(*args, **kwargs)
    except (NotImplementedError, RuntimeError):  # torch moves no integers so: as float64, which holds them
        args, kwargs = map_tensors(lambda _, each: each.double() if each.dtype is kind else each, (args, kwargs))
        out = map_tensors(
            lambda _, each: each.to(kind) if each.is_floating_point() else each, function(*args, **kwargs)
        )
    if hasattr(out, "__next__"):
        out = tuple(out)
    return map_tensors(
        lambda _, each: IntegerTensor(each, scale.scale, scale.bits, grid) if each.dtype is kind else each, out
    )


def _in_place(call: Call, args: tuple[Any, ...], found: Any) -> Any:
    if not (call.in_place and isinstance(found, IntegerTensor) and args and isinstance(args[0], IntegerTensor)):
        return found
    args[0].become(found)
    return args[0]


def _in_float(function: Callable[..., Any], call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    floats, keywords = as_floats(args), as_floats(kwargs)
    note = _islands.get()
    if note is not None and call.computes:
        note(call.name)
    out = function(*floats, **keywords)
    if call.in_place and isinstance(args[0], IntegerTensor) and isinstance(out, Tensor):
        raise QprepError(f"expected {call.name} out of place, as it has no integer form, found it in place")
    return out
