# ruff: noqa: ANN401 -- values of any kind
"""A module with quantizers around it: any class, without rewriting it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from torch import Tensor, nn
from torch.nn import Parameter

from qprep.quantizer.graph.module_wrapper import ModuleWrapper
from qprep.quantizer.graph.tensor_leaves import holder, map_tensors

PARTS: Final = ("weights", "inputs", "outputs", "given", "sums")


class Arithmetic(Protocol):
    """A way to run a module: its result on the grid of the slot behind it, not limited to that grid's integers."""

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of `module` on these arguments."""


class QuantizedModule(ModuleWrapper):
    """Runs `module` on quantized inputs, with quantized parameters, and quantizes what it returns.

    weights  by the name of a parameter that `module` holds
    inputs   by the number of a tensor among its arguments, keywords included
    given    the same, for parameters that the caller gives; not where a module around it has quantized them
    outputs  by the number of a tensor among its results
    sums     what quantizes a layer's sums of products, before its bias is added

    `arithmetic` runs `module` as a runtime does; without one it runs in float.
    What is read from it and is not its own is read from `module`; a state_dict of the float model loads.
    """

    module: nn.Module
    arithmetic: Arithmetic | None = None

    def __init__(
        self,
        module: nn.Module,
        weights: Mapping[str, nn.Module] | None = None,
        inputs: Mapping[int, nn.Module] | None = None,
        outputs: Mapping[int, nn.Module] | None = None,
        given: Mapping[int, nn.Module] | None = None,
        *,
        sums: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.module = module
        self.training = module.training
        self.weights = nn.ModuleDict(weights or {})
        self.inputs, self.outputs, self.given = _numbered(inputs), _numbered(outputs), _numbered(given)
        self.sums = nn.ModuleDict({} if sums is None else {"0": sums})
        for part in PARTS:
            self._modules[part].train(module.training)  # type: ignore[union-attr]
        self.register_load_state_dict_pre_hook(_take_float_names)  # type: ignore[no-untyped-call]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As `module`."""
        if self.inputs or self.given:
            args, kwargs = map_tensors(self._input, (args, kwargs))
        with self._quantized_weights():
            out = self._run(args, kwargs)
        return map_tensors(self._output, out) if self.outputs else out

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self.sums:
            return self._in_two(args, kwargs)
        return self.module(*args, **kwargs) if self.arithmetic is None else self.arithmetic(self.module, args, kwargs)

    def _in_two(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Sums of products, quantized, and the bias added to them: (channels,) before a convolution's dimensions."""
        held: dict[str, Any] = holder(self.module)._parameters  # noqa: SLF001
        weight, bias = held.get("weight"), held.get("bias")
        if weight is None:  # given by the caller: input, weight, bias
            weight = args[1] if len(args) > 1 else kwargs["weight"]
            bias = args[2] if len(args) > 2 else kwargs.pop("bias", None)
            args = (*args[:2], None, *args[3:]) if len(args) > 2 else args
        else:
            held["bias"] = None
        try:
            out = self.sums["0"](self.module(*args, **kwargs))
        finally:
            if "bias" in held:
                held["bias"] = bias
        return out if bias is None else out + bias.reshape(-1, *[1] * (weight.dim() - 2))

    def _input(self, index: int, tensor: Tensor) -> Any:
        quantizers, name = self.given if isinstance(tensor, Parameter) else self.inputs, str(index)
        return quantizers[name](tensor) if name in quantizers else tensor

    def _output(self, index: int, tensor: Tensor) -> Any:
        name = str(index)
        return self.outputs[name](tensor) if name in self.outputs else tensor

    @contextlib.contextmanager
    def _quantized_weights(self) -> Iterator[None]:
        held: dict[str, Any] = holder(self.module)._parameters  # noqa: SLF001
        before = {name: held[name] for name in self.weights}
        try:
            for name, quantizer in self.weights.items():
                if isinstance(held[name], Parameter):  # not where a module around has quantized it
                    held[name] = quantizer(held[name])
            yield
        finally:
            held.update(before)


class QuantizedContainer(QuantizedModule):
    """Of a module that is indexed and iterated over too: nn.ParameterList and the like."""

    def __getitem__(self, key: Any) -> Any:
        return self.module[key]  # type: ignore[index]

    def __len__(self) -> int:
        return len(self.module)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.module)  # type: ignore[call-overload,no-any-return]

    def __contains__(self, item: object) -> bool:
        return item in self.module  # type: ignore[operator]


def wrapper_of(module: nn.Module) -> type[QuantizedModule]:
    """The class that stands in for `module`."""
    return QuantizedContainer if hasattr(type(module), "__getitem__") else QuantizedModule


def _numbered(modules: Mapping[int, nn.Module] | None) -> nn.ModuleDict:
    return nn.ModuleDict({str(index): each for index, each in (modules or {}).items()})


def _take_float_names(module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    """Let names of the float model's state_dict be found: "conv.weight" for "conv.module.weight"."""
    assert isinstance(module, QuantizedModule)  # noqa: S101  (registered there)
    own = tuple(f"{prefix}{part}." for part in ("module", *PARTS))
    if any(name.startswith(own) for name in state):
        return
    for name in [name for name in state if name.startswith(prefix)]:
        state[f"{prefix}module.{name.removeprefix(prefix)}"] = state.pop(name)
    for part in PARTS:
        for name, value in getattr(module, part).state_dict().items():
            state[f"{prefix}{part}.{name}"] = value
