"""Asking the catalogue: names, signatures, operators, torch.nn's modules; and what it costs to load."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections import Counter

import pytest

from qprep.foundation.catalogue.call_signature import (
    ArgumentKind,
    Constructor,
    Parameter,
    parse_constructor,
    parse_spelling,
)
from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.op import OpClass, Result
from qprep.foundation.catalogue.spelling import spell
from qprep.foundation.catalogue.torch_modules import ModuleState, Role

_CATALOGUE = load()


@pytest.mark.parametrize(
    ("qualified", "name", "is_inplace", "is_method"),
    [
        ("torch.cat", "cat", False, False),
        ("torch.concatenate", "cat", False, False),
        ("torch.nn.functional.relu", "relu", False, False),
        ("torch.nn.functional.relu_", "relu", True, False),
        ("torch.special.expit", "sigmoid", False, False),
        ("operator.add", "add", False, False),
        ("operator.iadd", "add", True, False),
        ("operator.invert", "bitwise_not", False, False),
        ("torch.Tensor.add", "add", False, True),
        ("torch.Tensor.clamp_", "clamp", True, True),
        ("builtins.sum", "sum_list", False, False),
    ],
)
def test_function(qualified: str, name: str, is_inplace: bool, is_method: bool) -> None:
    found = _CATALOGUE.function(qualified)
    assert found is not None
    op, spelling = found
    assert (op.name, spelling.is_inplace, spelling.is_method) == (name, is_inplace, is_method)


@pytest.mark.parametrize("qualified", ["torch.nonsense", "cat", "numpy.add", "torch.Tensor.nonsense", "torch.save"])
def test_unknown_function(qualified: str) -> None:
    assert _CATALOGUE.function(qualified) is None


def test_method() -> None:
    found = _CATALOGUE.method("relu_")
    assert found is not None
    assert (found[0].name, found[1].is_inplace, found[1].is_method) == ("relu", True, True)
    assert found[1].parameters == (Parameter("input", (), None, ArgumentKind.POSITIONAL_ONLY),)
    assert _CATALOGUE.method("nonsense") is None


@pytest.mark.parametrize(
    ("symbol", "augmented", "name"),
    [
        *(("+", augmented, "add") for augmented in (False, True)),
        ("-", True, "sub"),
        ("-x", False, "neg"),
        ("+x", False, "positive"),
        ("~x", False, "bitwise_not"),
        ("@", False, "matmul"),
        ("**", True, "pow"),
        ("<", False, "lt"),
        ("&", True, "bitwise_and"),
        ("<", True, None),
        ("-x", True, None),
        ("and", False, None),
    ],
)
def test_operator(symbol: str, augmented: bool, name: str | None) -> None:
    found = _CATALOGUE.operator(symbol, augmented)
    assert (found and found.name) == name


def test_signatures_are_taken_apart() -> None:
    spelling = parse_spelling("torch.sum(input|x, dim|axis=None, keepdim=False, *, dtype=None, order=('a', \"b,c\"))")
    assert [found.name for found in spelling.parameters] == ["input", "dim", "keepdim", "dtype", "order"]
    assert spelling.parameters[1] == Parameter("dim", ("dim", "axis"), "None", ArgumentKind.POSITIONAL)
    assert [found.kind for found in spelling.parameters[3:]] == [ArgumentKind.KEYWORD_ONLY] * 2
    assert spelling.parameter("axis") == spelling.parameters[1]
    assert spelling.parameter("out") is None
    assert spelling.parameters[4].default == "('a', \"b,c\")"


def test_one_by_one_and_positional_only() -> None:
    varied = parse_spelling("Tensor.permute(input, *dims)")
    assert [found.kind for found in varied.parameters] == [ArgumentKind.POSITIONAL_ONLY, ArgumentKind.VARARGS]
    assert varied.is_method
    fixed = parse_spelling("operator.add(input, other, /)")
    assert [found.keywords for found in fixed.parameters] == [(), ()]
    named = parse_spelling("einops.rearrange(tensor, pattern, **axes_lengths)")
    assert named.parameters[-1].kind is ArgumentKind.VARKEYWORDS


def test_constructors_are_taken_apart() -> None:
    assert parse_constructor("Softmax(dim, dtype)") == Constructor("Softmax", ("dim", "dtype"))
    assert parse_constructor("Tanh") == Constructor("Tanh", ())


def test_spell_adds_the_keywords_of_torchs_own_parser() -> None:
    assert spell("amax(input, dim=(), keepdim=False)", "tm") == (
        "torch.amax(input|x|a|x1, dim|axis=(), keepdim|keepdims=False)",
        "Tensor.amax(input|x|a|x1, dim|axis=(), keepdim|keepdims=False)",
    )
    assert spell("glu(input, dim=-1)", "f") == ("torch.nn.functional.glu(input, dim=-1)",)


def test_names_and_spellings_are_unique() -> None:
    names = Counter(op.name for op in _CATALOGUE.ops)
    spellings = Counter(text.partition("(")[0] for op in _CATALOGUE.ops for text in op.spellings)
    operators = Counter(symbol for op in _CATALOGUE.ops for symbol in op.operators)
    for counted in (names, spellings, operators):
        assert [name for name, count in counted.items() if count > 1] == []


def test_integers_are_never_activations() -> None:
    assert all(op.cls is OpClass.NOT_ACTIVATION for op in _CATALOGUE.ops if op.result is Result.INTEGER)


def test_quantizer_column() -> None:
    assert {op.quantizer for op in _CATALOGUE.ops} == {"output", "same-scale", "fixed-range", "float"}
    assert all(op.quantizer == "same-scale" for op in _CATALOGUE.ops if op.cls is OpClass.TRANSPARENT)


def test_nn_modules() -> None:
    relu, norm, lstm = (_CATALOGUE.nn_module(name) for name in ("ReLU", "BatchNorm2d", "LSTM"))
    assert relu is not None
    assert (relu.parameters, relu.is_activation, relu.state) == (("inplace",), True, ModuleState.NEVER)
    assert norm is not None
    assert norm.flags == (("affine", True), ("track_running_stats", True))
    assert norm.may_have_state
    assert lstm is not None
    assert (lstm.is_compound, lstm.result, lstm.required) == (True, Result.TENSORS, 2)
    pool, sequential = _CATALOGUE.nn_module("MaxPool2d"), _CATALOGUE.nn_module("Sequential")
    assert pool is not None
    assert pool.returns_indices
    assert sequential is not None
    assert (sequential.is_container, sequential.role) == (True, Role.CONTAINER)
    assert _CATALOGUE.nn_module("Nonsense") is None


_TIMED = """
import dataclasses, enum, functools, sys, time
start = time.process_time()
from qprep.foundation.catalogue.lookup import load
load()
print(time.process_time() - start)
assert "torch" not in sys.modules
"""


def test_loads_fast_and_without_torch() -> None:
    runs = [
        subprocess.run([sys.executable, "-c", _TIMED], capture_output=True, text=True, check=True) for _ in range(5)
    ]
    assert statistics.median(float(run.stdout) for run in runs) < 0.05  # 10 ms where byte code is at hand
