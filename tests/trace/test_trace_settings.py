"""The trace inside what surrounds a model: checkpoints, autocast, wrappers, hooks, training mode."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import qprep
from qprep.foundation.errors import QprepError
from qprep.tracing import TraceReport
from qprep.tracing import trace as trace_model


class Block(nn.Module):
    """Two unowned operations and a child."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) + x * 2  # type: ignore[no-any-return]


class Through(nn.Module):
    """Runs its block as the test says."""

    def __init__(self, how: Callable[[nn.Module, Tensor], Any]) -> None:
        super().__init__()
        self.block = Block()
        self.how = how

    def forward(self, x: Tensor) -> Any:
        return self.how(self.block, x)


def _seen(report: TraceReport) -> list[tuple[str, str, int]]:
    return [(event.op, event.module_path.removeprefix("module."), event.calls) for event in report.unowned]


_BLOCK = [("add", "block", 1), ("mul", "block", 1)]


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("train", [True, False])
def test_checkpoint(reentrant: bool, train: bool) -> None:
    model = Through(lambda block, x: checkpoint(block, x, use_reentrant=reentrant)).train(train)
    report = trace_model(model, torch.ones(2, 2, requires_grad=train))
    assert _seen(report) == _BLOCK
    assert report.reused == ()


def test_checkpoint_of_a_function() -> None:
    model = Through(lambda block, x: checkpoint(lambda y: block(y) * 3, x, use_reentrant=True))
    assert ("mul", "", 1) in _seen(trace_model(model.eval(), torch.ones(2, 2)))


def test_autocast() -> None:
    def cast(block: nn.Module, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return block(x)  # type: ignore[no-any-return]

    report = trace_model(Through(cast).eval(), torch.ones(2, 2))
    assert _seen(report) == _BLOCK
    assert {event.op: event.dtype for event in report.events} == {
        "linear": "bfloat16",
        "mul": "float32",
        "add": "float32",
    }


def test_data_parallel() -> None:
    model = nn.DataParallel(Through(lambda block, x: block(x)))
    assert _seen(trace_model(model.eval(), torch.ones(2, 2))) == _BLOCK


def test_data_parallel_runs_on_one_device_and_gets_the_others_back() -> None:
    model: Any = nn.DataParallel(Block())
    model.device_ids = [0, 1]
    seen: list[list[int]] = []
    model.forward = lambda _: seen.append(model.device_ids)
    trace_model(model, torch.ones(2, 2))
    assert seen == [[0]]
    assert model.device_ids == [0, 1]


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch is built without distributed")
def test_distributed_data_parallel(tmp_path: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        model: nn.Module = nn.parallel.DistributedDataParallel(Through(lambda block, x: block(x)))
        assert _seen(trace_model(model.eval(), torch.ones(2, 2))) == _BLOCK
        assert _seen(trace_model(model.train(), torch.ones(2, 2))) == _BLOCK
    finally:
        torch.distributed.destroy_process_group()


def test_parametrized_weights_are_no_activation() -> None:
    class Squared(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return weight * weight + 1

    model = Through(lambda block, x: block(x))
    nn.utils.parametrize.register_parametrization(model.block.fc, "weight", Squared())
    report = trace_model(model.eval(), torch.ones(2, 2))
    assert _seen(report) == _BLOCK
    assert report.never_run == ()


def test_hooks_of_the_users_stay_and_run() -> None:
    model = Through(lambda block, x: block(x)).eval()
    ran: list[str] = []
    model.block.register_forward_pre_hook(lambda _module, args: (args[0] - 1,))
    model.block.fc.register_forward_hook(lambda *_: ran.append("hook"))
    before = [dict(module._forward_hooks) for module in model.modules()]
    report = trace_model(model, torch.ones(2, 2))
    assert sorted(event.op for event in report.unowned) == ["add", "mul", "sub"]
    assert ran == ["hook"]
    assert [dict(module._forward_hooks) for module in model.modules()] == before


def test_hooks_go_after_a_failure_that_names_the_module() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(3, 3)))
    with pytest.raises(RuntimeError) as error:
        trace_model(model, torch.ones(2, 2))
    assert error.value.__notes__ == ["in 1.0, a Linear"]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_errors_that_the_model_catches() -> None:
    class Fails(nn.Module):
        def forward(self, _x: Tensor) -> Tensor:
            raise ValueError("not today")

    class Tries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fails, self.block = Fails(), Block()

        def forward(self, x: Tensor) -> Tensor:
            try:
                return self.fails(x)  # type: ignore[no-any-return]
            except ValueError:
                return self.block(x) - 1  # type: ignore[no-any-return]

    report = trace_model(Tries().eval(), torch.ones(2, 2))
    assert sorted(_seen(report)) == [("add", "block", 1), ("mul", "block", 1), ("sub", "", 1)]


def test_generator_of_blocks() -> None:
    def steps(block: nn.Module, x: Tensor) -> Iterator[Tensor]:
        yield block(x)
        yield x.sin()

    report = trace_model(Through(lambda block, x: list(steps(block, x))).eval(), torch.ones(2, 2))
    assert _seen(report) == [*_BLOCK, ("sin", "", 1)]


def test_outputs_of_any_kind_and_control_flow_by_data() -> None:
    @dataclass
    class Output:
        logits: Tensor

    def how(block: nn.Module, x: Tensor) -> Any:
        while x.sum() < 20:
            x = x * 2
        return {"a": Output(block(x))}

    report = trace_model(Through(how).eval(), torch.ones(2, 2))
    assert ("mul", "", 3) in _seen(report)


def test_evaluation_records_no_graph_and_training_follows_the_caller() -> None:
    recorded: list[bool] = []
    model = Through(lambda block, x: recorded.append(block(x).requires_grad))
    trace_model(model.eval(), torch.ones(2, 2))
    trace_model(model.train(), torch.ones(2, 2))
    with torch.no_grad():
        trace_model(model, torch.ones(2, 2))
    assert recorded == [False, True, False]


def test_model_and_random_state_are_unchanged() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(), nn.Linear(2, 2)).train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    generator = torch.get_rng_state()
    trace_model(model, torch.randn(4, 2, generator=torch.Generator().manual_seed(0)))
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)
    assert model.training


def test_report_does_not_grow_with_the_number_of_operations() -> None:
    def loop(times: int) -> TraceReport:
        def how(_block: nn.Module, x: Tensor) -> Tensor:
            for _ in range(times):
                x = x.sin().cos()
            return x

        return trace_model(Through(how).eval(), torch.ones(2))

    few, many = loop(2), loop(2000)
    assert [event.calls for event in many.events] == [2000, 2000]
    assert len(many.to_json()) < len(few.to_json()) + 50


def test_meta_device() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(10_000, 100_000), nn.ReLU())
    report = trace_model(model.eval(), torch.ones(1, 10_000, device="meta"))
    assert [event.shapes for event in report.events] == [((1, 100_000),)] * 2


def test_compiled_modules_run_as_written() -> None:
    compiled = nn.Sequential(Through(lambda block, x: block(x)))
    compiled[0].compile()
    assert [event.op for event in trace_model(compiled.eval(), torch.ones(2, 2)).unowned] == ["add", "mul"]
    wrapped: Any = torch.compile(Through(lambda block, x: block(x)))
    report = trace_model(wrapped.eval(), torch.ones(2, 2))
    assert [(event.op, event.module_path, event.path) for event in report.unowned] == [
        ("add", "_orig_mod.block", __file__),
        ("mul", "_orig_mod.block", __file__),
    ]


def test_script_modules_are_refused(tmp_path: Path) -> None:
    jit: Any = torch.jit
    with warnings.catch_warnings(action="ignore"):
        jit.trace(nn.ReLU(), torch.ones(1)).save(tmp_path / "scripted.pt")
        model = nn.Sequential(nn.ReLU(), jit.load(tmp_path / "scripted.pt"))
    with pytest.raises(QprepError, match="found a ScriptModule at 1"):
        trace_model(model, torch.ones(1))


def test_lazy_modules() -> None:
    model = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d()).train()
    report = trace_model(model, torch.ones(2, 4))
    assert report.is_prepared
    assert model[0].weight.shape == (3, 4)


def test_importing_the_package_loads_no_torch() -> None:
    names = ("", ".child_runner", ".model_equality", ".bisection")
    modules = ", ".join(["qprep.cli.commands.trace", *(f"qprep.tracing{name}" for name in names)])
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules or 'rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_only_modules_are_traced() -> None:
    with pytest.raises(QprepError, match=r"expected an nn\.Module to trace, found int"):
        trace_model(3, torch.ones(1))  # type: ignore[arg-type]


def test_function_is_exported_by_the_package() -> None:
    assert qprep.trace is trace_model
