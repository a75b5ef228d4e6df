"""Every module of the catalogue against the function that it stands for."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from qprep import runtime_modules
from qprep.foundation.catalogue.call_signature import ArgumentKind, Spelling, parse_constructor
from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.op import Op
from tests.runtime_modules.calls import Call
from tests.runtime_modules.operation_cases import calls, operations

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # deprecated and beta functions are rows too

DEVICE = "cuda"
_OPS = operations()
_CALLS = [pytest.param(op, call, id=f"{op.name}-{index}") for op in _OPS for index, call in enumerate(calls(op))]


def _function(spelling: Spelling) -> Callable[..., Any]:
    place, _, name = spelling.qualified.rpartition(".")
    holder = torch.Tensor if spelling.is_method else importlib.import_module(place)
    found: Callable[..., Any] = getattr(holder, name)
    return found


def _module_class(op: Op) -> type[nn.Module]:
    assert op.module is not None, f"{op.name} names no module"
    found: type[nn.Module] = getattr(runtime_modules, parse_constructor(op.module).name)
    return found


def _spelling(op: Op) -> Spelling:
    return load().spellings(op)[0]


def _copied(tree: Any) -> Any:
    return pytree.tree_map_only(Tensor, lambda tensor: tensor.detach().clone(), tree)


def _run(function: Callable[..., Any], call: Call) -> Any:
    torch.manual_seed(0)
    args, kwargs = _copied((call.args, call.kwargs))
    return function(*args, **kwargs)


def _bound(op: Op, call: Call) -> dict[str, Any] | None:
    """Arguments by canonical name; None where the row takes some one by one."""
    parameters = _spelling(op).parameters
    if any(found.kind is ArgumentKind.VARARGS for found in parameters):
        return None
    positional = [found for found in parameters if found.kind is not ArgumentKind.KEYWORD_ONLY]
    return {found.name: value for found, value in zip(positional, call.args, strict=False)} | call.kwargs


def _leaves(tree: Any) -> list[Any]:
    return pytree.tree_leaves(tuple(tree) if isinstance(tree, tuple) else tree)


def _assert_same(actual: Any, expected: Any) -> None:
    assert type(actual) is type(expected)
    for one, other in zip(_leaves(actual), _leaves(expected), strict=True):
        if isinstance(other, Tensor):
            assert one.dtype == other.dtype
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
        else:
            assert one == other


def _configured(op: Op, call: Call) -> tuple[nn.Module, Call] | None:
    """The module with all that can be known at construction, and a call with the rest."""
    bound = _bound(op, call)
    if bound is None:
        return None
    names = parse_constructor(op.module or "").parameters
    known = {name: value for name, value in bound.items() if name in names and not isinstance(value, Tensor)}
    rest = {name: value for name, value in bound.items() if name not in known}
    return _module_class(op)(**known), Call((), rest)


@pytest.mark.parametrize("op", _OPS, ids=lambda op: op.name)
def test_module_follows_the_row(op: Op) -> None:
    names = parse_constructor(op.module or "").parameters
    constructor = inspect.signature(_module_class(op))
    assert set(names) <= set(constructor.parameters)
    assert all(found.default is not inspect.Parameter.empty for found in constructor.parameters.values())
    dropped = set(op.drop) - set(names)
    expected = [found.name for found in _spelling(op).parameters if found.name not in dropped]
    if op.name != "einsum":  # its equation may be known at construction, before operands one by one
        assert list(inspect.signature(_module_class(op)().forward).parameters) == expected


@pytest.mark.parametrize(("op", "call"), _CALLS)
def test_equal_when_all_comes_with_the_call(op: Op, call: Call) -> None:
    _assert_same(_run(_module_class(op)(), call), _run(_function(_spelling(op)), call))


@pytest.mark.parametrize(("op", "call"), _CALLS)
def test_equal_when_literals_are_constructed(op: Op, call: Call) -> None:
    configured = _configured(op, call)
    if configured is None:
        pytest.skip("takes arguments one by one")
    _assert_same(_run(*configured), _run(_function(_spelling(op)), call))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("op", "call"), _CALLS)
def test_equal_on_a_gpu(op: Op, call: Call) -> None:
    moved = Call(*pytree.tree_map_only(Tensor, lambda tensor: tensor.to(DEVICE), (call.args, call.kwargs)))
    try:
        expected = _leaves(_run(_function(_spelling(op)), moved))
    except (RuntimeError, NotImplementedError) as error:
        with pytest.raises(type(error)):
            _run(_module_class(op)(), moved)
        return
    for module, given in filter(None, ((_module_class(op)(), moved), _configured(op, moved))):
        for one, other in zip(_leaves(_run(module, given)), expected, strict=True):
            torch.testing.assert_close(one, other, equal_nan=True)  # sums of atomic additions differ in the last bits


def _gradients(function: Callable[..., Any], call: Call) -> list[Tensor | None]:
    args, kwargs = _copied((call.args, call.kwargs))
    leaves = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    inputs = [leaf.requires_grad_() for leaf in leaves if leaf.is_floating_point() or leaf.is_complex()]
    torch.manual_seed(0)
    out = [leaf for leaf in _leaves(function(*args, **kwargs)) if isinstance(leaf, Tensor) and leaf.requires_grad]
    if not out:
        return []
    total = torch.stack([(leaf.abs() if leaf.is_complex() else leaf).sum().double() for leaf in out]).sum()
    return list(torch.autograd.grad(total, inputs, allow_unused=True))


@pytest.mark.parametrize(("op", "call"), _CALLS)
def test_gradients_equal(op: Op, call: Call) -> None:
    try:
        expected = _gradients(_function(_spelling(op)), call)
    except (RuntimeError, NotImplementedError):
        with pytest.raises((RuntimeError, NotImplementedError)):
            _gradients(_module_class(op)(), call)
        return
    actual = _gradients(_module_class(op)(), call)
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def _cast(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    return (tensor if dtype.is_floating_point else tensor * 10).to(dtype)


def _as(dtype: torch.dtype, call: Call) -> Call:
    args, kwargs = pytree.tree_map_only(Tensor, lambda tensor: _cast(tensor, dtype), (call.args, call.kwargs))
    return Call(args, kwargs)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int64], ids=str)
@pytest.mark.parametrize("op", _OPS, ids=lambda op: op.name)
def test_other_dtypes(op: Op, dtype: torch.dtype) -> None:
    for call in calls(op):
        cast = _as(dtype, call)
        try:
            expected = _run(_function(_spelling(op)), cast)
        except (RuntimeError, NotImplementedError, ValueError):
            continue  # torch has no such kernel
        _assert_same(_run(_module_class(op)(), cast), expected)


def _inplace() -> Iterator[Any]:
    for op in _OPS:
        names = parse_constructor(op.module or "").parameters
        spelling = next((found for found in load().spellings(op) if found.is_inplace and found.is_method), None)
        if "inplace" in names and spelling is not None:
            yield pytest.param(op, spelling, id=op.name)


@pytest.mark.parametrize(("op", "spelling"), list(_inplace()))
def test_inplace_writes_into_its_input(op: Op, spelling: Spelling) -> None:
    call = calls(op)[0]
    args, kwargs = _copied((call.args, call.kwargs))
    result = _module_class(op)(inplace=True)(*args, **kwargs)
    assert result is args[0]
    _assert_same(args[0], _run(_function(spelling), call))


@pytest.mark.parametrize("op", _OPS, ids=lambda op: op.name)
def test_holds_no_state_and_copies(op: Op) -> None:
    configured = _configured(op, calls(op)[-1]) or (_module_class(op)(), calls(op)[-1])
    module, call = configured
    assert not list(module.parameters())
    assert not list(module.buffers())
    assert not module.state_dict()
    expected = _run(module, call)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert repr(other) == repr(module)
        _assert_same(_run(other, call), expected)


def test_repr_says_what_it_does() -> None:
    assert repr(runtime_modules.Concat(dim=1)) == "Concat(dim=1)"
    assert repr(runtime_modules.Concat()) == "Concat()"
    assert repr(runtime_modules.EltwiseAdd(inplace=True)) == "EltwiseAdd(inplace=True)"
    assert repr(runtime_modules.Mean((2, 3), keepdim=True)) == "Mean(dim=(2, 3), keepdim=True)"
    assert repr(runtime_modules.FunctionalDropout(training=False)) == "FunctionalDropout(training=False)"
    assert repr(runtime_modules.CrossCorrelation2d(2, padding=(1, 1))) == "CrossCorrelation2d(stride=2, padding=1)"


def test_arithmetic_takes_whatever_the_operator_takes() -> None:
    assert runtime_modules.EltwiseAdd()(2, 3) == 5
    assert runtime_modules.EltwiseMul()([1], 2) == [1, 1]
    assert runtime_modules.EltwiseAdd(inplace=True)((1,), (2,)) == (1, 2)
    reflected = runtime_modules.EltwiseSub()(1, torch.tensor([3.0]))
    assert reflected.item() == -2


def test_every_public_name_exists() -> None:
    assert all(hasattr(runtime_modules, name) for name in runtime_modules.__all__)
    assert {parse_constructor(op.module or "").name for op in _OPS} <= set(runtime_modules.__all__)
