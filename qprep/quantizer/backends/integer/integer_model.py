# ruff: noqa: ANN401 -- values of any kind
"""Makes the integer model: the converted model, its slots replaced by requantization, its parameters by integers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.comparison import LIMIT, Difference, check_grids, difference_error, output_difference
from qprep.quantizer.backends.integer.agreement import compared
from qprep.quantizer.backends.integer.dispatch import noting
from qprep.quantizer.backends.integer.held import holding
from qprep.quantizer.backends.integer.integer_layers import constants
from qprep.quantizer.backends.integer.integer_modules import InFloat, IntegerParameter, Requantize
from qprep.quantizer.backends.integer.integer_tensor import Grid, as_floats
from qprep.quantizer.example_runs import Example, example_of, run_example
from qprep.quantizer.formats.stored import integers, narrowest_type, per_element
from qprep.quantizer.formats.tensor_quantizers import DynamicActivationQuantizer, TensorQuantizer
from qprep.quantizer.graph.model_copies import copy_of
from qprep.quantizer.graph.quantized_module import QuantizedModule
from qprep.quantizer.graph.tensor_leaves import holder, map_tensors
from qprep.quantizer.prepared_model import PreparedModel

_FAR: Final = 1e4  # what a mask writes lies below its negative


class IntegerModel(nn.Module):
    """A model whose quantized operations compute on integers only, with the inputs and outputs of the simulation.

    Weights are stored as integers, biases as int32 with their own scales. Sums are int32 (int64 for more than 8 bits);
    scales are applied as fixed-point multipliers. It runs on the CPU. `islands` lists the operations that have run in
    float, and where.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.islands: dict[str, None] = {}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model; returns floats on the grids of its outputs."""
        return as_floats(self.integers(*args, **kwargs))

    def integers(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model; returns `IntegerTensor`s, whose `levels` are the integers of a runtime."""
        paths = {module: path for path, module in self.model.named_modules()}
        running: list[str] = []

        def enter(module: nn.Module, _: object) -> None:
            running.append(_path(paths.get(module, "")))

        def leave(_module: nn.Module, _args: object, _out: object) -> None:
            running.pop()

        def note(name: str) -> None:
            self.islands[f"{name} in {running[-1] or 'the model'}" if running else name] = None

        handles = (register_module_forward_pre_hook(enter), register_module_forward_hook(leave))
        try:
            with torch.no_grad(), noting(note), holding(self.model), _reading(self.model):
                args, kwargs = map_tensors(lambda _, tensor: _plain(tensor.cpu()), (args, kwargs))
                return self.model(*args, **kwargs)
        finally:
            for handle in handles:
                handle.remove()


@contextlib.contextmanager
def _reading(model: nn.Module) -> Iterator[None]:
    """Let a model's own code, which may ask a weight for its type, see floats with integers behind them."""
    before: list[tuple[dict[str, Any], str, Any]] = []
    read: dict[Any, Tensor] = {}
    for module in model.modules():
        if not isinstance(module, QuantizedModule):
            continue
        held: dict[str, Any] = holder(module.module)._parameters  # noqa: SLF001
        for name, slot in module.weights.items():
            stored = held[name]
            if isinstance(slot, IntegerParameter) and isinstance(stored, Parameter):
                before.append((held, name, stored))
                held[name] = read.setdefault(stored, slot(stored))
    try:
        yield
    finally:
        for held, name, stored in before:
            held[name] = stored


def _path(wrapped: str) -> str:
    return ".".join(part for part in wrapped.split(".") if part != "module")


def to_integer(quantizer: PreparedModel, check: bool = True) -> IntegerModel:
    """The integer model of a calibrated or trained quantizer; see `Quantizer.to_integer`."""
    model = quantizer.convert(check).cpu()
    if not any(_gives_integers(each) for each in model.modules()):
        raise QprepError("expected activations quantized to integers, found none: nothing to compute on integers")
    if check:
        check_grids(model, partial(run_example, model, quantizer.example), "integers")
    simulation = copy_of(model, model) if check else None
    _store_parameters(model)
    for module in list(model.modules()):
        for name, child in list(module._modules.items()):  # noqa: SLF001  (shared ones too)
            if isinstance(child, TensorQuantizer):
                module.register_module(name, _slot(child))
    _compute_in_float32(model)
    made = IntegerModel(model.eval())
    args, kwargs = example_of(model, quantizer.example)
    made.integers(*args, **kwargs)
    if simulation is not None:
        _compare(simulation, made, quantizer.example)
    return made


def _compare(simulation: nn.Module, made: IntegerModel, example: Example) -> None:
    """QprepError, with its name, for the first slot that differs from the simulation by more than the limit.

    Then for the first result: operations behind the last slot, or that stay in float, belong to no slot.
    """
    args, kwargs = example_of(simulation, example)
    both = compared(simulation, made, args, kwargs)
    for each in both.slots:
        apart = Difference(each.decibels, each.levels)
        if apart.breaks(LIMIT):
            why = "its integers differ from the simulation's"
            raise difference_error("the integers to equal the simulation", each.name, apart, why)
    expected, found = both.expected, both.found
    if len(expected) == len(found):
        pairs = [_unmasked(*each) for each in zip(expected, found, strict=True)]
        expected, found = [right for right, _ in pairs], [each for _, each in pairs]
    output = output_difference(expected, found, [math.nan] * len(found))
    if output is not None:
        why = "operations in float differ from the simulation's"
        raise difference_error("the integer model to equal the simulation", "", output, why)


def _unmasked(right: Tensor, found: Tensor) -> tuple[Tensor, Tensor]:
    """Both with 0 where a mask wrote both, -inf or -1e9: integers only say that they are far below zero."""
    if right.shape != found.shape:
        return right, found
    masked = (right < -_FAR) & (found < -_FAR)
    return right.masked_fill(masked, 0.0), found.masked_fill(masked, 0.0)


def _plain(tensor: Tensor) -> Tensor:
    """Of float32, which is what accumulators pass for, where it is of another floating type."""
    return tensor.float() if tensor.is_floating_point() else tensor


def _compute_in_float32(model: nn.Module) -> None:
    """Have what is left in float computed in float32, whatever the model is in."""
    for module in model.modules():
        if not isinstance(module, IntegerParameter):
            for each in (*module._parameters.values(), *module._buffers.values()):  # noqa: SLF001
                if each is not None:
                    each.data = _plain(each.data)


def _gives_integers(module: nn.Module) -> bool:
    return isinstance(module, TensorQuantizer) and module.is_active and not module.spec.is_float


def _slot(slot: TensorQuantizer) -> nn.Module:
    if not slot.is_active:
        return nn.Identity()
    if slot.spec.is_float or isinstance(slot, DynamicActivationQuantizer):
        return InFloat(slot)
    return Requantize(slot.name, Grid.of(slot.grid))


def _store_parameters(model: nn.Module) -> None:
    """Integers for each parameter with a slot, on its grid, and int32 for their biases."""
    readers: dict[nn.Module, nn.Module] = {}
    stored: dict[Parameter, Parameter] = {}
    wrapped = [each for each in model.modules() if isinstance(each, QuantizedModule)]
    for module in wrapped:
        _store_slots(module, readers, stored)
    for module in wrapped:
        _store_biases(module, stored)
        for name, slot in list(module.given.items()):
            module.given[name] = readers.get(slot, slot)
    for each in model.modules():
        for name, parameter in each._parameters.items():  # noqa: SLF001
            if parameter is not None:
                each._parameters[name] = stored.get(parameter, parameter)  # noqa: SLF001


def _store_slots(
    module: QuantizedModule, readers: dict[nn.Module, nn.Module], stored: dict[Parameter, Parameter]
) -> None:
    held = holder(module.module)._parameters  # noqa: SLF001
    for name, slot in list(module.weights.items()):
        parameter = held[name]
        if isinstance(slot, TensorQuantizer) and not slot.spec.is_float and parameter is not None:
            if slot not in readers:
                readers[slot], stored[parameter] = _on_grid(slot, parameter)
            module.weights[name] = readers[slot]


def _store_biases(module: QuantizedModule, stored: dict[Parameter, Parameter]) -> None:
    held = {name: each for name, each in holder(module.module)._parameters.items() if each is not None}  # noqa: SLF001
    if not any(each in stored and each.dim() > 1 for each in held.values()):
        return
    for name, parameter in held.items():
        if "bias" in name and parameter.dim() == 1 and name not in module.weights:
            module.weights[name], stored[parameter] = _as_int32(name, parameter)


def _on_grid(slot: TensorQuantizer, parameter: Parameter) -> tuple[IntegerParameter, Parameter]:
    ints, params = integers(slot, parameter)
    scale, zero = (per_element(each, ints, params) for each in (params.scale, params.zero_point))
    bits = int((ints - zero).abs().max()).bit_length() or 1
    kept = Parameter(ints.to(narrowest_type(params.low, params.high)), requires_grad=False)
    return IntegerParameter(slot.name, scale, zero, bits), kept


def _as_int32(name: str, bias: Parameter) -> tuple[IntegerParameter, Parameter]:
    fine = constants(bias.detach())
    return (
        IntegerParameter(name, fine.scale, torch.zeros(()), fine.bits),
        Parameter(fine.ints, requires_grad=False),
    )
