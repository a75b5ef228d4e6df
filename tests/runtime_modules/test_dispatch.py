"""Functions chosen at run time, with modules that stand for them."""

from __future__ import annotations

import copy
import functools
import pickle
from collections.abc import Callable

import torch
from torch import Tensor, nn

from qprep.runtime_modules import Dispatch, EltwiseMul, Function, stands_for


def double(x: Tensor, by: float = 2.0) -> Tensor:
    return torch.mul(x, by)


@stands_for(double)
class Double(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mul = EltwiseMul()

    def forward(self, x: Tensor, by: float = 2.0) -> Tensor:
        out: Tensor = self.mul(x, by)
        return out


def _negative(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    @functools.wraps(function)
    def wrapper(x: Tensor) -> Tensor:
        return -function(x)

    return wrapper


@_negative
def triple(x: Tensor) -> Tensor:
    return torch.mul(x, 3)


@stands_for(triple)
class Triple(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.mul(x, 3)


def test_a_module_stands_for_the_function() -> None:
    call, data = Dispatch().eval(), torch.randn(3)
    assert torch.equal(call(double, data, by=3.0), data * 3)
    assert torch.equal(call(double, data), data * 2)
    assert [(type(child), child.training) for child in call.children()] == [(Double, False)]
    assert not call.state_dict()


def test_all_else_is_called_as_it_is() -> None:
    call, data = Dispatch(), torch.randn(3)
    assert torch.equal(call(torch.relu, data), data.relu())
    assert torch.equal(call(nn.ReLU(), data), data.relu())
    assert list(call.children()) == []


def test_a_partial_of_a_function_runs_its_module() -> None:
    call, data = Dispatch(), torch.randn(3)
    assert torch.equal(call(functools.partial(double, by=4.0), data), data * 4)
    assert torch.equal(call(functools.partial(functools.partial(double), by=4.0), data), data * 4)
    assert [type(child) for child in call.children()] == [Double]


def test_what_a_decorator_changed_is_not_replaced() -> None:
    call, data = Dispatch(), torch.randn(3)
    assert torch.equal(call(triple, data), data * -3)
    assert list(call.children()) == []


def test_copies_have_instances_of_their_own() -> None:
    call, data = Dispatch(), torch.randn(3)
    call(double, data)
    for other in (copy.deepcopy(call), pickle.loads(pickle.dumps(call))):
        assert torch.equal(other(double, data), data * 2)
        assert other.Double is not call.Double


def test_a_function_module_counts_as_the_function_it_holds() -> None:
    call, data = Dispatch().eval(), torch.randn(3)
    assert torch.equal(call(Function(double), data), data * 2)
    assert [type(child).__name__ for child in call.children()] == ["Double"]
    assert torch.equal(call(Function(torch.relu), data), data.relu())
