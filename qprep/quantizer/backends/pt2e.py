# ruff: noqa: ANN401 -- arguments of any module
"""Exports through torch.export, with the operators quantized_decomposed that torchao's and ExecuTorch's lowerings read.

They are what torchao.quantization.pt2e's `convert_pt2e` puts into a program: quantize_per_tensor and
dequantize_per_tensor at activations, dequantize_per_channel or dequantize_per_tensor at stored weights.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.comparison import check_grids, difference_error, output_difference
from qprep.quantizer.example_runs import example_of, run_example
from qprep.quantizer.formats.affine import QParams
from qprep.quantizer.formats.stored import integers, narrowest_type
from qprep.quantizer.formats.tensor_quantizers import DynamicActivationQuantizer, TensorQuantizer
from qprep.quantizer.graph.quantized_module import QuantizedModule
from qprep.quantizer.graph.tensor_leaves import map_tensors, tensors_in
from qprep.quantizer.prepared_model import PreparedModel


def export_pt2e(
    quantizer: PreparedModel, dynamic_batch: bool = True, check: bool = True
) -> torch.export.ExportedProgram:
    """`convert`'s model as an ExportedProgram with q/dq operators and stored integers; see `Quantizer.export_pt2e`."""
    importlib.import_module("torch.ao.quantization.fx._decomposed")  # defines the operators
    model = quantizer.convert(check).cpu()
    if check:
        check_grids(model, lambda: run_example(model, quantizer.example), "torch.export")
    expected = [each.clone() for each in tensors_in(run_example(model, quantizer.example))]
    made = _rewritten(model)
    args, kwargs = example_of(made, quantizer.example)
    program = _exported(made, args, kwargs, dynamic_batch)
    if check:
        found = list(tensors_in(program.module()(*args, **kwargs)))
        apart = output_difference(expected, found, [float("nan")] * len(expected))
        if apart is not None:
            raise difference_error(
                "the results of torch.export to equal the simulation", "", apart, "nothing is exported"
            )
    return program


def _exported(model: nn.Module, args: Any, kwargs: Any, dynamic_batch: bool) -> torch.export.ExportedProgram:
    free = map_tensors(lambda _, tensor: tensor, (args, kwargs))
    shapes = _shapes(free) if dynamic_batch else None
    for each in (shapes, None):
        try:
            with torch.no_grad():
                return torch.export.export(model, args, kwargs, dynamic_shapes=each, strict=False)
        except Exception as error:  # noqa: BLE001  (torch.export raises classes of many kinds)
            reason = str(error).strip().splitlines()
    raise QprepError(f"expected a model that torch.export takes, found {reason[0] if reason else 'none'}")


def _shapes(value: Any) -> Any:
    """The first dimension of each input of two rows or more free; None for what is not a tensor."""
    if isinstance(value, Tensor):
        return {0: torch.export.Dim.AUTO} if value.dim() and value.shape[0] > 1 else None
    args, kwargs = value
    names: dict[str, Any] = {name: _shapes(each) if isinstance(each, Tensor) else None for name, each in kwargs.items()}
    given = tuple(_shapes(each) if isinstance(each, Tensor) else None for each in args)
    if kwargs:
        return None if args else names
    return given


class _Rounded(nn.Module):
    """An activation's slot: quantize_per_tensor and dequantize_per_tensor."""

    def __init__(self, name: str, params: QParams) -> None:
        super().__init__()
        self.name = name
        kind = narrowest_type(params.low, params.high)
        self.given = (float(params.scale), int(params.zero_point), params.low, params.high, kind)

    def forward(self, input: Tensor) -> Tensor:
        """The values on the grid."""
        if not input.is_floating_point() or input.numel() == 0:
            return input
        operators = torch.ops.quantized_decomposed
        whole = operators.quantize_per_tensor(input.float(), *self.given)
        return operators.dequantize_per_tensor(whole, *self.given)  # type: ignore[no-any-return]


class _StoredParameter(nn.Module):
    """A parameter as integers."""

    def __init__(self, slot: TensorQuantizer, parameter: Tensor) -> None:
        super().__init__()
        ints, params = integers(slot, parameter)
        if params.group_size:
            raise QprepError(
                f"expected weights with scales per tensor or channel for torch.export, found groups at {slot.name}"
            )
        self.axis, self.limits = params.axis, (params.low, params.high)
        self.register_buffer("ints", ints.to(narrowest_type(params.low, params.high)))
        self.register_buffer("scale", params.scale.float())
        self.register_buffer("zero_point", params.zero_point.long())

    def forward(self) -> Tensor:
        """The values."""
        ints: Tensor = self.ints  # type: ignore[assignment]
        operators, given = torch.ops.quantized_decomposed, (self.scale, self.zero_point)
        if self.axis is None:
            return operators.dequantize_per_tensor(ints, *given, *self.limits, ints.dtype)  # type: ignore[no-any-return]
        return operators.dequantize_per_channel(ints, *given, self.axis, *self.limits, ints.dtype)  # type: ignore[no-any-return]


class _RoundedModule(nn.Module):
    """A module with rounded inputs and results, and stored parameters, without state that changes as it runs."""

    def __init__(self, of: QuantizedModule, stored: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.module = of.module
        self.stored = nn.ModuleDict(stored)
        self.inputs, self.outputs = _slots(of.inputs), _slots(of.outputs)
        for name in stored:
            self.module._parameters[name] = nn.Parameter(torch.empty(0), requires_grad=False)  # noqa: SLF001

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As `module`."""
        args, kwargs = map_tensors(lambda at, each: self._rounded(self.inputs, at, each), (args, kwargs))
        values = {name: each() for name, each in self.stored.items()}
        out = functional_call(self.module, values, args, kwargs) if values else self.module(*args, **kwargs)
        return map_tensors(lambda at, each: self._rounded(self.outputs, at, each), out)

    def _rounded(self, slots: nn.ModuleDict, at: int, tensor: Tensor) -> Tensor:
        return slots[str(at)](tensor) if str(at) in slots else tensor


def _slots(given: nn.ModuleDict) -> nn.ModuleDict:
    return nn.ModuleDict({name: _slot(each) for name, each in given.items()})


def _slot(slot: nn.Module) -> nn.Module:
    if not isinstance(slot, TensorQuantizer) or not slot.is_active:
        return nn.Identity()
    if slot.spec.is_float or isinstance(slot, DynamicActivationQuantizer):
        raise QprepError(f"expected integer ranges that are fixed for torch.export, found another at {slot.name}")
    return _Rounded(slot.name, slot.grid)


def _rewritten(model: nn.Module) -> nn.Module:
    """The model with every wrapper replaced, the innermost first."""
    for holder in list(model.modules())[::-1]:
        for name, child in list(holder._modules.items()):  # noqa: SLF001
            if isinstance(child, QuantizedModule):
                holder.register_module(name, _around(child))
    return _around(model) if isinstance(model, QuantizedModule) else model


def _around(wrapped: QuantizedModule) -> nn.Module:
    if wrapped.sums or wrapped.given:
        raise QprepError("expected layers that hold their weights, with exact sums, for torch.export, found others")
    held = wrapped.module._parameters  # noqa: SLF001
    stored = {
        name: _StoredParameter(slot, held[name])  # type: ignore[arg-type]  # held
        for name, slot in wrapped.weights.items()
        if isinstance(slot, TensorQuantizer) and not slot.spec.is_float and held.get(name) is not None
    }
    return _RoundedModule(wrapped, stored)
