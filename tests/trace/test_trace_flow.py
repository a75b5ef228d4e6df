"""Activations are what the inputs flow into; only operations on them are events."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.tracing import trace as trace_model
from qprep.tracing.taint import Taint


class _Body(nn.Module):
    """Runs a function as its forward, in a module that owns nothing by itself."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.ones(2, 2))
        self.register_buffer("table", torch.ones(4, 2))
        self.child = nn.Identity()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        self.child(None)
        return self.function(self, *args, **kwargs)


def _ops(function: Any, *args: Any, **kwargs: Any) -> list[str]:
    report = trace_model(_Body(function), *args, **kwargs)
    assert all(not event.owned for event in report.events)
    return [event.op for event in report.events]


def test_parameters_alone_are_no_activation() -> None:
    assert _ops(lambda self, _: (self.weight * 2).exp()[0], torch.ones(2)) == []
    assert _ops(lambda self, x: self.weight * 2 * x, torch.ones(2)) == ["mul"]


def test_integers_and_booleans_are_no_events() -> None:
    assert _ops(lambda _, x: (x + 1, x > 0, x.argmax()), torch.ones(3, dtype=torch.int64)) == []


def test_integers_carry_the_flow() -> None:
    assert _ops(lambda self, x: self.table[x + 1] * 2, torch.zeros(3, dtype=torch.int64)) == ["mul"]


def test_transparent_operations_carry_the_flow() -> None:
    assert _ops(lambda _, x: x.view(4).reshape(2, 2).T.transpose(0, 1).float().exp(), torch.ones(2, 2)) == ["exp"]


def test_shapes_do_not_carry_the_flow() -> None:
    assert _ops(lambda _, x: torch.zeros(x.shape) + x.size(0) * x.dim(), torch.ones(2)) == []


@pytest.mark.parametrize("write", ["setitem", "add_", "view", "out", "slice"])
def test_writes_reach_their_target(write: str) -> None:
    def forward(_: _Body, x: Tensor) -> Tensor:
        target = torch.zeros(2, 2)
        if write == "setitem":
            target[0] = x[0]
        elif write == "add_":
            target.copy_(x)
        elif write == "view":
            target[0].copy_(x[0])
        elif write == "out":
            torch.transpose_copy(x, 0, 1, out=target)
        else:
            target[:, 1:].copy_(x[:, 1:])
        return target.sin()

    assert "sin" in _ops(forward, torch.ones(2, 2))


def test_iteration_and_unpacking_carry_the_flow() -> None:
    def forward(_: _Body, x: Tensor) -> Any:
        first, _second = x
        return first.sin() + sum(row.cos() for row in x)

    assert _ops(forward, torch.ones(2, 2)) == ["sin", "add", "add", "cos"]


def test_inputs_in_containers_and_objects() -> None:
    class Batch:
        def __init__(self) -> None:
            self.values = {"x": [torch.ones(2)]}

    assert _ops(lambda _, batch: batch.values["x"][0].sin(), Batch()) == ["sin"]
    assert _ops(lambda _, *, x: x["a"].sin(), x={"a": torch.ones(2)}) == ["sin"]


def test_autograd_function_is_the_users_own() -> None:
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(_ctx: Any, x: Tensor) -> Tensor:
            return x * 2

    class Same(torch.autograd.Function):
        @staticmethod
        def forward(_ctx: Any, x: Tensor) -> Tensor:
            return x

    assert _ops(lambda _, x: Same.apply(Double.apply(x)).sin(), torch.ones(2)) == ["sin"]  # type: ignore[no-untyped-call]


def test_names_are_the_catalogues() -> None:
    def forward(_: _Body, x: Tensor) -> Any:
        x = 1 - x
        x = 2**x
        x += x
        x = torch.nn.functional.relu(x, inplace=True).relu_()
        return torch.special.expit(torch.multiply(x, x))

    assert _ops(forward, torch.ones(2)) == ["rsub", "pow", "add", "relu", "relu", "sigmoid", "mul"]


def test_marks_keep_nothing_alive() -> None:
    taint, kept = Taint(), torch.ones(1)
    taint.add([kept])
    for _ in range(100):
        taint.add([torch.ones(1)])
    gc.collect()
    assert len(taint) == 1
    assert taint.reaches([torch.ones(1), kept])
    assert not taint.reaches([torch.ones(1)])


def test_tensors_die_during_the_trace() -> None:
    alive: list[int] = []
    refs: list[weakref.ref[Tensor]] = []

    def forward(_: _Body, x: Tensor) -> Tensor:
        for _step in range(50):
            x = x + 1
            refs.append(weakref.ref(x))
            alive.append(sum(ref() is not None for ref in refs))
        return x

    report = trace_model(_Body(forward), torch.ones(2))
    assert max(alive) <= 2
    assert [(event.op, event.calls) for event in report.events] == [("add", 50)]


def test_result_is_the_models_own() -> None:
    x = torch.ones(2)
    seen: list[Tensor] = []
    trace_model(_Body(lambda _, x: seen.append(x + 1)), x)
    assert torch.equal(seen[0], torch.tensor([2.0, 2.0]))
    assert torch.equal(x, torch.ones(2))
