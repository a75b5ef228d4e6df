"""Callables held as values, as modules."""

from __future__ import annotations

import copy
import functools
import pickle

import torch
from torch import nn

from qprep.runtime_modules import Function, PerCall, another


def test_function_names_what_it_calls() -> None:
    gelu = Function(nn.functional.gelu)
    assert "gelu" in repr(gelu)
    assert "leaky_relu, negative_slope=0.2" in repr(
        Function(functools.partial(nn.functional.leaky_relu, negative_slope=0.2))
    )
    data = torch.randn(3)
    assert torch.equal(gelu(data, approximate="tanh"), nn.functional.gelu(data, approximate="tanh"))
    for other in (copy.deepcopy(gelu), pickle.loads(pickle.dumps(gelu))):
        assert torch.equal(other(data), gelu(data))


def test_function_wraps_what_is_no_module() -> None:
    relu = nn.ReLU()
    assert Function.wrap(relu) is relu
    assert Function.wrap(None) is None
    assert isinstance(Function.wrap(torch.relu), Function)
    holder = Function(nn.Linear(2, 2))
    assert not list(holder.parameters())


def test_functions_held_instead_of_modules_stay() -> None:
    assert another(torch.relu) is torch.relu  # type: ignore[call-overload]
    assert PerCall.wrap(torch.relu, owner=nn.Module()) is torch.relu
