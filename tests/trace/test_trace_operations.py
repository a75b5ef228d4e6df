"""Torch functions are found in the operator catalogue however torch names them at run time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.op import OpClass
from qprep.tracing.op_lookup import Operations


@pytest.fixture(scope="module")
def operations() -> Operations:
    return Operations(load().ops)


@pytest.mark.parametrize(
    ("function", "name", "compute"),
    [
        (Tensor.add, "add", True),
        (Tensor.add_, "add", True),
        (Tensor.__radd__, "add", True),
        (Tensor.__rsub__, "rsub", True),
        (Tensor.__rpow__, "pow", True),
        (Tensor.__rfloordiv__, "floor_divide", True),
        (Tensor.__rdiv__, "div", True),
        (torch.concat, "cat", True),
        (functional.relu, "relu", True),
        (torch.special.expit, "sigmoid", True),
        (torch.ops.aten.add, "add", True),
        (Tensor.__getitem__, "getitem", False),
        (Tensor.__setitem__, "setitem", False),
        (Tensor.T.__get__, "__get__", False),  # type: ignore[attr-defined]
        (Tensor.reshape, "reshape", False),
        (torch.argmax, "argmax", False),
    ],
)
def test_lookup(operations: Operations, function: Callable[..., Any], name: str, compute: bool) -> None:
    found = operations.of(function)
    assert (found.name, found.compute) == (name, compute)


def test_unknown_functions_count_as_compute(operations: Operations) -> None:
    def mystery(x: Tensor) -> Tensor:
        return x

    assert operations.of(mystery).compute
    assert operations.of(mystery).name == "mystery"


def test_every_method_of_the_catalogue_is_found_as_its_row(operations: Operations) -> None:
    catalogue = load()
    checked = 0
    for op in catalogue.ops:
        for spelling in op.spellings:
            name = spelling.partition("(")[0].removeprefix("Tensor.")
            if spelling.startswith("Tensor.") and hasattr(Tensor, name):
                found = operations.of(getattr(Tensor, name))
                assert (found.name, found.compute) == (op.name, op.cls is OpClass.COMPUTE), spelling
                checked += 1
    assert checked > 300
