"""The owner of an operation, reuse, and modules that never ran."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.tracing import TraceReport
from qprep.tracing import trace as trace_model


class Add(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class Twice(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x + 1) * 2


class Around(nn.Module):
    """Calls its child as the test says."""

    def __init__(self, child: nn.Module, how: Any) -> None:
        super().__init__()
        self.child = child
        self.how = how

    def forward(self, x: Tensor) -> Any:
        return self.how(self.child, x)


def _trace(model: nn.Module, *inputs: Tensor) -> TraceReport:
    return trace_model(model.eval(), *(inputs or (torch.ones(2, 2),)))


def _owned(report: TraceReport) -> list[tuple[str, str, bool]]:
    return [(event.op, event.module_path, event.owned) for event in report.events]


def test_single_operation_of_a_leaf_is_owned() -> None:
    report = _trace(Around(Add(), lambda add, x: add(x, x)))
    assert _owned(report) == [("add", "child", True)]
    assert report.is_prepared


def test_second_operation_makes_both_unowned() -> None:
    assert _owned(_trace(Around(Twice(), lambda child, x: child(x)))) == [
        ("mul", "child", False),
        ("add", "child", False),
    ]


def test_operation_beside_a_child_call_is_unowned() -> None:
    before = _trace(Around(nn.ReLU(), lambda relu, x: relu(x + 1)))
    after = _trace(Around(nn.ReLU(), lambda relu, x: relu(x) + 1))
    expected = {("relu", "child", True), ("add", "", False)}
    assert set(_owned(before)) == set(_owned(after)) == expected


def test_torch_modules_own_and_name_the_call() -> None:
    (event,) = _trace(nn.Sequential(nn.Linear(2, 3))).events
    assert (event.op, event.module_path, event.module_class, event.owned) == ("linear", "0", "Linear", True)
    assert (event.dtype, event.shapes, event.path) == ("float32", ((2, 3),), None)


def test_runtime_modules_own_everything_inside() -> None:
    runtime = pytest.importorskip("qprep.runtime_modules")
    report = _trace(Around(runtime.EltwiseAdd(), lambda add, x: add(add(x, x), 1)))
    assert {event.owned for event in report.events} == {True}
    assert [each.module_path for each in report.reused] == ["child"]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (nn.LSTM(2, 2), "nn.LSTM"),
        (nn.GRUCell(2, 2), "nn.GRUCell"),
        (nn.TransformerEncoderLayer(2, 1, 4), "nn.TransformerEncoderLayer"),
    ],
)
def test_compound_modules_are_unowned(module: nn.Module, name: str) -> None:
    report = _trace(Around(module, lambda child, x: child(x)))
    event = next(event for event in report.unowned if event.op == name)
    assert (event.module_path, event.shapes[0], event.calls) == ("child", (2, 2), 1)
    assert event.path == __file__


def test_compound_subclass_of_qprep_is_not_compound() -> None:
    shown = type("LSTM", (nn.LSTM,), {"__module__": "qprep.runtime_modules.recurrent"})
    assert [event.op for event in _trace(shown(2, 2)).unowned] == []


def test_multihead_attention_hides_its_projection() -> None:
    attention = nn.MultiheadAttention(2, 1)
    report = _trace(Around(attention, lambda child, x: child(x, x, x)))
    assert [event.op for event in report.unowned] == ["nn.MultiheadAttention"]
    assert report.never_run == ()


def test_reuse_names_places_and_aliases() -> None:
    act = nn.ReLU()
    model = nn.Sequential(act, nn.Linear(2, 2), act)
    (each,) = _trace(model).reused
    assert (each.module_path, each.aliases, each.module_class, each.calls) == ("0", ("2",), "ReLU", 2)
    assert not each.has_parameters
    looped = Around(Scale(), lambda child, x: [child(x) for _ in range(3)])
    (each,) = _trace(looped).reused
    assert (each.calls, each.has_parameters, len(each.sites), each.sites[0].path) == (3, True, 1, __file__)


def test_identity_and_containers_are_not_reused() -> None:
    block = nn.Sequential(nn.Identity())
    assert _trace(nn.Sequential(block, block)).reused == ()


def test_stages_of_runtime_modules_are_not_reused() -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        return self.stage(self.stage(x))  # type: ignore[no-any-return]

    made = type("Repeat", (nn.Module,), {"__module__": "qprep.runtime_modules.repeat", "forward": forward})()
    made.stage = nn.ReLU()
    assert _trace(Around(made, lambda child, x: child(x))).reused == ()


def test_forward_called_directly() -> None:
    def twice(relu: nn.Module, x: Tensor) -> Tensor:
        for _ in range(2):
            x = relu.forward(x)
        return x

    report = _trace(Around(nn.ReLU(), twice))
    assert [(each.module_path, each.calls) for each in report.reused] == [("child", 2)]
    assert report.never_run == ()
    assert _owned(report) == [("relu", "child", True)]
    owned = _trace(Around(Scale(), lambda child, x: child.forward(x)))
    assert _owned(owned) == [("mul", "child", True)]
    assert owned.reused == ()
    unowned = _trace(Around(Scale(), lambda child, x: child.forward(x) + 1))
    assert set(_owned(unowned)) == {("mul", "child", True), ("add", "", False)}


def test_super_forward_is_the_same_module() -> None:
    class Shifted(Scale):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 1

    assert _owned(_trace(Around(Shifted(), lambda child, x: child(x)))) == [
        ("mul", "child", False),
        ("add", "child", False),
    ]


def test_recursion() -> None:
    class Down(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(2, 2)

        def forward(self, x: Tensor, depth: int = 2) -> Tensor:
            return self(self.fc(x), depth - 1) + x if depth else x

    report = _trace(Down())
    assert [(event.op, event.calls, event.owned) for event in report.events] == [("add", 2, False), ("linear", 2, True)]
    assert [(each.module_path, each.calls) for each in report.reused] == [("fc", 2)]


def test_generator_forward() -> None:
    class Steps(nn.Module):
        def forward(self, x: Tensor) -> Iterator[Tensor]:
            for _ in range(2):
                yield x * 2

    report = _trace(Around(Steps(), lambda child, x: sum(child(x))))
    assert [(event.op, event.module_path, event.calls) for event in report.unowned] == [
        ("mul", "child", 2),
        ("add", "", 2),
    ]
    assert report.reused == ()


def test_never_run_is_the_outermost() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
            self.spare = nn.ModuleDict({"a": nn.Sequential(nn.Linear(2, 2), nn.ReLU())})
            self.empty = nn.ModuleList()

        def forward(self, x: Tensor) -> Tensor:
            return self.used[0](x)  # type: ignore[no-any-return]

    report = _trace(Branches())
    assert report.never_run == ("used.1", "spare")
    assert report.totals.never_run == 2


def test_inline_module_counts_for_its_caller() -> None:
    assert _owned(_trace(Around(nn.Identity(), lambda child, x: nn.ReLU()(child(x))))) == [("relu", "", True)]


def test_a_layer_that_computes_its_weights_counts_as_one_and_what_computes_them_does_not() -> None:
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    report = _trace(Around(layer, lambda child, x: child(child(x))))
    assert [(module.module_path, module.calls) for module in report.reused] == [("child", 2)]
