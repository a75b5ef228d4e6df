"""The catalogue against torch itself: names, parameters, completeness."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
import torch
from torch import nn
from torch.overrides import get_overridable_functions

from qprep.foundation.catalogue.call_signature import ArgumentKind, Spelling, parse_constructor
from qprep.foundation.catalogue.exceptions import EXCEPTIONS
from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.op import Op, OpClass, RuleFamily
from tests.ops.stubs import overloads
from tests.runtime_modules.calls import Call
from tests.runtime_modules.operation_cases import calls, operations
from tests.runtime_modules.test_operations import _assert_same, _run

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # deprecated and beta functions are rows too

_CATALOGUE = load()
_WRITTEN = [
    (op, spelling)
    for op in _CATALOGUE.ops
    for spelling in _CATALOGUE.spellings(op)
    if not spelling.qualified.startswith("einops.")
]
_SPELLINGS = [pytest.param(op, spelling, id=spelling.qualified) for op, spelling in _WRITTEN]


def _resolve(spelling: Spelling) -> Callable[..., Any]:
    place, _, name = spelling.qualified.rpartition(".")
    holder = torch.Tensor if spelling.is_method else importlib.import_module(place)
    found: Callable[..., Any] = getattr(holder, name)
    return found


@pytest.mark.parametrize(("op", "spelling"), _SPELLINGS)
def test_spelling_exists(op: Op, spelling: Spelling) -> None:
    assert callable(_resolve(spelling)), op.name
    found = _CATALOGUE.method(spelling.qualified[7:]) if spelling.is_method else _CATALOGUE.function(spelling.qualified)
    assert found == (op, spelling)


def _chosen(holds: Callable[[Spelling], bool]) -> list[Any]:
    return [pytest.param(op, spelling, id=spelling.qualified) for op, spelling in _WRITTEN if holds(spelling)]


def _is_python(function: Callable[..., Any]) -> bool:
    return inspect.isfunction(inspect.unwrap(function)) and function.__module__.startswith("torch")


def _python_names(function: Callable[..., Any]) -> list[str]:
    """Names of a Python function's parameters, but `out`; none of one implemented in C++ or dispatched by a flag."""
    parameters = inspect.signature(function).parameters.values() if _is_python(function) else ()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [found.name for found in parameters if found.kind not in variable and found.name != "out"]


@pytest.mark.parametrize(("op", "spelling"), _chosen(lambda spelling: bool(_python_names(_resolve(spelling)))))
def test_python_signatures_agree(op: Op, spelling: Spelling) -> None:
    expected = _python_names(_resolve(spelling))
    written = [found for found in spelling.parameters if found.kind is not ArgumentKind.VARARGS]
    assert len(written) == len(expected), op.name
    for position, (parameter, name) in enumerate(zip(written, expected, strict=True)):
        assert name in parameter.keywords or (spelling.is_method and position == 0)


# Parameters that torch takes and its stubs leave out, or name otherwise; test_left_out_of_the_stubs calls them.
_CASTS = ("float", "half", "double", "bfloat16", "long", "int", "short", "char", "byte", "bool")
_LEFT_OUT = {("requires_grad_", "requires_grad"), ("numel", "input"), ("__pow__", "exponent")} | {
    (name, "memory_format") for name in _CASTS
}


def test_left_out_of_the_stubs() -> None:
    tensor = torch.ones(2, 3)
    assert tensor.requires_grad_(requires_grad=True).requires_grad  # type: ignore[call-arg]
    assert torch.numel(input=tensor) == 6  # type: ignore[call-arg]
    assert tensor.__pow__(exponent=2).shape == (2, 3)  # type: ignore[call-arg]
    assert all(getattr(tensor, name)(memory_format=torch.preserve_format).shape == (2, 3) for name in _CASTS)


@pytest.mark.parametrize(("op", "spelling"), _chosen(lambda spelling: spelling.qualified in overloads()))
def test_stubs_agree(op: Op, spelling: Spelling) -> None:
    parameters = spelling.parameters
    if any(found.name in ("args", "kwargs") for found in parameters):
        pytest.skip("forwards whatever it is given")
    known = {name for overload in overloads()[spelling.qualified] for name in overload}
    for index, parameter in enumerate(parameters):
        if (spelling.qualified.rpartition(".")[2], parameter.name) in _LEFT_OUT:
            continue
        names = {parameter.name, *parameter.keywords}
        assert (spelling.is_method and index == 0) or names & known, f"{op.name}: torch has no {parameter.name}"
    for overload in overloads()[spelling.qualified]:
        places = [_place(spelling, name) for name in overload[int(spelling.is_method) :]]
        ordered = [place for place in places if place is not None and _is_positional(spelling, place)]
        assert ordered == sorted(ordered)


def _place(spelling: Spelling, name: str) -> int | None:
    return next((place for place, found in enumerate(spelling.parameters) if name in found.keywords), None)


def _is_positional(spelling: Spelling, place: int) -> bool:
    return spelling.parameters[place].kind is ArgumentKind.POSITIONAL


def _rewritten(call: Call, source: Spelling, target: Spelling, turn: int) -> Call | None:
    """`call` of `source` as keywords of `target`, the `turn`-th of each parameter; None where it does not fit."""
    positional = [found for found in source.parameters if found.kind is not ArgumentKind.KEYWORD_ONLY]
    bound = {found.name: value for found, value in zip(positional, call.args, strict=False)} | call.kwargs
    names = {found.name: found for found in target.parameters}
    if any(found.kind is ArgumentKind.VARARGS for found in (*source.parameters, *target.parameters)) or not set(
        bound
    ) <= set(names):
        return None
    args = tuple(bound.pop(name) for name, found in names.items() if not found.keywords and name in bound)
    keywords = {names[name].keywords[min(turn, len(names[name].keywords) - 1)]: value for name, value in bound.items()}
    return Call(args, keywords)


def _native_twins() -> Iterator[Any]:
    for op in operations():
        if op.name in ("max", "min", "softmax", "softmin", "log_softmax", "index_reduce") or op.quantizer == "float":
            continue  # their keywords depend on the overload; tested through the stubs
        for spelling in _CATALOGUE.spellings(op):
            if not spelling.is_inplace and spelling.qualified.startswith(("torch.", "Tensor.")):
                yield pytest.param(op, spelling, id=spelling.qualified)


@pytest.mark.parametrize(("op", "spelling"), list(_native_twins()))
def test_keywords_and_their_aliases_are_accepted(op: Op, spelling: Spelling) -> None:
    first = _CATALOGUE.spellings(op)[0]
    for call in calls(op)[:2]:
        expected = _run(_resolve(first), call)
        for turn in range(max(len(found.keywords) for found in spelling.parameters)):
            rewritten = _rewritten(call, first, spelling, turn)
            if rewritten is not None and not _takes_other_name(spelling, turn):
                _assert_same(_run(_resolve(spelling), rewritten), expected)


def _takes_other_name(spelling: Spelling, turn: int) -> bool:
    # torch.dropout calls `train` what torch.nn.functional.dropout calls `training`.
    return turn == 0 and any("train" in found.keywords for found in spelling.parameters)


def _public() -> Iterator[str]:
    overridable = {id(function) for functions in get_overridable_functions().values() for function in functions}
    places = {"torch": torch, "torch.nn.functional": nn.functional, "Tensor": torch.Tensor}
    places |= {f"torch.{name}": getattr(torch, name) for name in ("special", "linalg", "fft")}
    for place, holder in places.items():
        for name in dir(holder):
            function = getattr(holder, name)
            native = inspect.isbuiltin(function) and place == "torch"
            if not name.startswith("_") and (native or id(function) in overridable) and callable(function):
                yield f"{place}.{name}"


@pytest.mark.parametrize("qualified", sorted(_public()))
def test_every_public_operation_has_a_row_or_a_reason(qualified: str) -> None:
    is_method = qualified.startswith("Tensor.")
    has_row = (_CATALOGUE.method(qualified[7:]) if is_method else _CATALOGUE.function(qualified)) is not None
    reasons = [reason for reason, patterns in EXCEPTIONS if any(fnmatchcase(qualified, found) for found in patterns)]
    assert has_row or reasons, "neither in the table nor in the exceptions"


def test_every_exception_is_one() -> None:
    public = list(_public())
    unused = [
        pattern
        for _, patterns in EXCEPTIONS
        for pattern in patterns
        if not any(fnmatchcase(name, pattern) for name in public)
    ]
    assert unused == []


_NN = [op for op in _CATALOGUE.ops if op.nn]


@pytest.mark.parametrize("op", _NN, ids=lambda op: op.name)
def test_nn_module_equals_the_function(op: Op) -> None:
    constructor = parse_constructor(op.nn or "")
    module_class: type[nn.Module] = getattr(nn, constructor.name)
    spelling = _CATALOGUE.spellings(op)[0]
    positional = [found.name for found in spelling.parameters]
    tried = 0
    for call in calls(op):
        bound = dict(zip(positional, call.args, strict=False)) | call.kwargs
        known = {name: value for name, value in bound.items() if name in constructor.parameters}
        inputs = {name: value for name, value in bound.items() if name not in known and name not in op.drop}
        required = {found.name for found in spelling.parameters if found.default is None}
        if not set(inputs) <= required:
            continue  # gives what the module does not take
        module = module_class(**known).train(bool(bound.get("training", False)))
        _assert_same(_run(module, Call(tuple(inputs.values()))), _run(_resolve(spelling), call))
        tried += 1
    assert tried


@pytest.mark.parametrize("module", _CATALOGUE._modules.values(), ids=lambda module: module.name)
def test_nn_table_agrees(module: Any) -> None:
    signature = inspect.signature(getattr(nn, module.name).__init__)
    parameters = [
        found for found in list(signature.parameters.values())[1:] if found.kind is found.POSITIONAL_OR_KEYWORD
    ]
    if parameters:
        assert [found.name for found in parameters] == list(module.parameters)
        assert [found.default is found.empty for found in parameters].count(True) == module.required
        defaults = {found.name: found.default for found in parameters}
        assert all(defaults[name] is value for name, value in module.flags)


def test_every_module_of_torch_nn_is_known_or_no_layer() -> None:
    unknown = {name for name in nn.modules.__all__ if _CATALOGUE.nn_module(name) is None}
    losses = {name for name in unknown if "Loss" in name}
    assert unknown - losses == {"Container", "LinearCrossEntropyOptions", "Module", "RNNBase", "RNNCellBase"}


def test_functional_twins_are_of_the_functional_family() -> None:
    for op in operations():
        is_functional = any(text.startswith("torch.nn.functional.") for text in op.spellings)
        assert not is_functional or op.family is RuleFamily.FUNCTIONAL, op.name


def test_every_compute_row_has_a_module_and_no_other() -> None:
    assert all((op.module is not None) == (op.cls is OpClass.COMPUTE) for op in _CATALOGUE.ops)
