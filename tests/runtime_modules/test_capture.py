"""The modules under TorchScript, torch.fx, torch.compile and torch.export."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep import runtime_modules
from qprep.foundation.catalogue.op import Op
from tests.runtime_modules.operation_cases import calls, operations
from tests.runtime_modules.test_operations import _assert_same, _configured, _module_class, _run

pytestmark = pytest.mark.filterwarnings("ignore")  # TorchScript itself is deprecated

# What TorchScript cannot express: operands or sizes one by one, configuration of several types.
_UNSCRIPTABLE = {
    "block_diag",
    "cartesian_prod",
    "chain_matmul",
    "einsum",
    "sum_list",
    "sum_to_size",
    "where",
    "float_power",
    "lerp",
    "tensordot",
    "quantile",
    "nanquantile",
    "norm",
    "linalg_norm",
    "matrix_norm",
    "upsample_nearest",
    "upsample_bilinear",
    "einops_einsum",
    "einops_reduce",
    "einops_pack",
    *(f"lp_pool{n}d" for n in (1, 2, 3)),
    *(f"fractional_max_pool{n}d{suffix}" for n in (2, 3) for suffix in ("", "_with_indices")),
}


@pytest.mark.parametrize("op", [op for op in operations() if op.name not in _UNSCRIPTABLE], ids=lambda op: op.name)
def test_scripts(op: Op) -> None:
    scripted = torch.jit.script(_module_class(op)())
    assert scripted.graph is not None
    configured = _configured(op, calls(op)[0])
    assert configured is not None
    module, call = configured
    _assert_same_values(_run(torch.jit.script(module), call), _run(module, call))


def _assert_same_values(actual: Any, expected: Any) -> None:
    """Named tuples of torch come out of TorchScript as plain ones."""
    if isinstance(expected, tuple):
        actual, expected = tuple(actual), tuple(expected)
    _assert_same(actual, expected)


class Model(nn.Module):
    """A block as a rewrite leaves it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.add = runtime_modules.EltwiseAdd(inplace=True)
        self.mul = runtime_modules.EltwiseMul()
        self.cat = runtime_modules.Concat(dim=1)
        self.mean = runtime_modules.Mean(dim=(2, 3))
        self.softmax = runtime_modules.FunctionalSoftmax(dim=1)
        self.clamp = runtime_modules.Clamp(0, 6)
        self.interpolate = runtime_modules.Interpolate(scale_factor=(2.0, 2.0))
        self.var = runtime_modules.Var(dim=1, unbiased=False)

    def forward(self, input: Tensor) -> Tensor:
        out = self.conv(input)
        out = self.add(out, self.mul(out, 2.0))
        out = self.cat([self.interpolate(out), self.interpolate(out)])
        out = self.softmax(self.mean(self.clamp(out)))
        return self.mul(out, self.var(out).unsqueeze(1))  # type: ignore[no-any-return]


def _capture(name: str, model: nn.Module, data: Tensor) -> Any:
    if name == "script":
        return torch.jit.script(model)
    if name == "trace":
        return torch.jit.trace(model, (data,))  # type: ignore[no-untyped-call]
    if name == "fx":
        return torch.fx.symbolic_trace(model)
    if name == "compile":
        return torch.compile(model, backend="eager", fullgraph=True)
    return torch.export.export(model, (data,)).module()


@pytest.mark.parametrize("name", ["script", "trace", "fx", "compile", "export"])
def test_a_rewritten_block_can_be_captured(name: str) -> None:
    torch.manual_seed(0)
    model, data = Model().eval(), torch.randn(2, 3, 4, 4)
    assert torch.equal(_capture(name, model, data)(data), model(data))


class NumberFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.sub, self.div, self.pow = runtime_modules.EltwiseSub(), runtime_modules.EltwiseDiv(), runtime_modules.Pow()
        self.add, self.mul = runtime_modules.EltwiseAdd(), runtime_modules.EltwiseMul()
        self.rest = runtime_modules.Remainder()

    def forward(self, input: Tensor) -> Tensor:
        terms = self.add(1, self.sub(1, input)), self.mul(2, self.div(1, input)), self.rest(5, self.pow(2, input))
        return torch.stack(list(terms))


def test_a_number_may_come_first_in_a_script() -> None:
    data = torch.rand(2, 3) + 0.5
    assert torch.equal(torch.jit.script(NumberFirst())(data), NumberFirst()(data))


def test_symbolic_trace_of_binary_extrema() -> None:
    class Larger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.max = runtime_modules.Max()

        def forward(self, input: Tensor, other: Tensor) -> Tensor:
            return self.max(input, other)  # type: ignore[no-any-return]

    one, other = torch.randn(2, 3), torch.randn(3)
    assert torch.equal(torch.fx.symbolic_trace(Larger())(one, other), torch.max(one, other))
