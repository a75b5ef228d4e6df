"""Statistics for pruners other than weights: outputs by channel, gradients, the BatchNorm behind a layer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle

from qprep.quantizer.batches import batches_of, caller
from qprep.quantizer.distributed import mean_over_ranks
from qprep.quantizer.graph.tensor_leaves import tensors_in


@dataclass(frozen=True, slots=True)
class Activations:
    """Of a layer's output by channel: the share above 0, and the mean with everything below 0 as 0; (channels,)."""

    positive: Tensor
    mean: Tensor


class _Sums:
    """Sums over batches and positions; the module of a layer, or of the BatchNorm behind it."""

    def __init__(self) -> None:
        self.positive: Tensor | None = None
        self.total: Tensor | None = None
        self.batches = 0

    @torch.no_grad()
    def add(self, output: Tensor, axis: int) -> None:
        """One batch."""
        rows = output.detach().float().transpose(0, axis).flatten(1)
        positive, mean = (rows > 0).float().mean(1), rows.clamp(min=0).mean(1)
        self.positive = positive if self.positive is None else self.positive + positive
        self.total = mean if self.total is None else self.total + mean
        self.batches += 1


class ActivationCollector:
    """Statistics of the outputs of layers that hold `parameters`, while the model trains.

    Of a layer whose output goes into a BatchNorm, the BatchNorm's output is taken: found by the tensor that the one
    gives and the other takes, not by names.
    """

    def __init__(self, model: nn.Module, layers: Mapping[Parameter, nn.Module]) -> None:
        self.layers = dict(layers)
        self.in_evaluation = False  # whether runs in evaluation mode count too
        self._sums: dict[nn.Module, _Sums] = {}
        self._behind: dict[nn.Module, nn.Module] = {}
        self._waiting: dict[int, tuple[nn.Module, Tensor]] = {}
        wanted = set(self.layers.values())
        self._handles: list[RemovableHandle] = [each.register_forward_hook(self._layer) for each in wanted]
        norms = [each for each in model.modules() if isinstance(each, _BatchNorm)]
        self._handles += [each.register_forward_hook(self._norm) for each in norms]
        self._handles.append(model.register_forward_hook(self._done))

    def of(self, parameter: Parameter) -> Activations | None:
        """The means of all batches and ranks since `clear`; None if there was no batch."""
        layer = self.layers[parameter]
        sums = self._sums.get(self._behind.get(layer, layer))
        if sums is None or sums.positive is None or sums.total is None:
            return None
        return Activations(mean_over_ranks(sums.positive / sums.batches), mean_over_ranks(sums.total / sums.batches))

    def clear(self) -> None:
        """Begin anew."""
        self._sums = {}

    def close(self) -> None:
        """Take the hooks off."""
        for each in self._handles:
            each.remove()

    def state_dict(self, names: Mapping[nn.Module, str]) -> dict[str, Any]:
        """Sums by module."""
        return {
            "sums": {names[each]: [s.positive, s.total, s.batches] for each, s in self._sums.items() if each in names},
            "behind": {names[layer]: names[norm] for layer, norm in self._behind.items() if layer in names},
        }

    def load_state_dict(self, state: Mapping[str, Any], modules: Mapping[str, nn.Module]) -> None:
        """See `state_dict`."""
        self._sums = {}
        for name, (positive, total, batches) in state["sums"].items():
            sums = self._sums[modules[name]] = _Sums()
            sums.positive, sums.total, sums.batches = positive.clone(), total.clone(), batches
        self._behind = {modules[layer]: modules[norm] for layer, norm in state["behind"].items()}

    def _layer(self, module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and (module.training or self.in_evaluation):
            self._waiting[id(output)] = (module, output)
            self._sums.setdefault(module, _Sums()).add(output, _channels(module, output))

    def _norm(self, module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        found = self._waiting.get(id(inputs[0])) if inputs else None
        if found is not None and isinstance(output, Tensor):
            self._behind[found[0]] = module
            self._sums.setdefault(module, _Sums()).add(output, 1)

    def _done(self, *_: object) -> None:
        self._waiting = {}


def _channels(module: nn.Module, output: Tensor) -> int:
    return output.dim() - 1 if isinstance(module, nn.Linear) else 1


class GradientCollector:
    """Mean gradients of parameters over optimizer steps."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self.parameters = list(parameters)
        self._sums: dict[Parameter, Tensor] = {}
        self._steps = 0

    @torch.no_grad()
    def add(self, without: Collection[Tensor] = (), *, counts: bool = True) -> None:
        """The gradients of now, `without` those of other optimizers, of which one counts the steps of all."""
        self._steps += counts
        for each in self.parameters:
            if each.grad is not None and each not in without:
                gradient = each.grad.detach().to_dense() if each.grad.is_sparse else each.grad.detach().clone()
                known = self._sums.get(each)
                self._sums[each] = gradient if known is None else known.add_(gradient)

    def of(self, parameter: Parameter) -> Tensor | None:
        """The mean since `clear`; None if there was no step."""
        found = self._sums.get(parameter)
        return None if found is None else found / self._steps

    def clear(self) -> None:
        """Begin anew."""
        self._sums, self._steps = {}, 0

    def state_dict(self, names: Mapping[Parameter, str]) -> dict[str, Any]:
        """Sums by name."""
        return {"sums": {names[each]: value for each, value in self._sums.items()}, "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any], parameters: Mapping[str, Parameter]) -> None:
        """See `state_dict`."""
        self._sums = {parameters[name]: value.clone() for name, value in state["sums"].items()}
        self._steps = state["steps"]


@torch.no_grad()
def norms_behind(model: nn.Module, example: tuple[tuple[Any, ...], dict[str, Any]]) -> dict[nn.Module, _BatchNorm]:
    """By layer, the BatchNorm that takes its output, in one run in evaluation mode on example inputs."""
    given: dict[int, tuple[nn.Module, list[Tensor]]] = {}
    found: dict[nn.Module, _BatchNorm] = {}

    def hook(module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        if isinstance(module, _BatchNorm) and inputs and id(inputs[0]) in given:
            found[given[id(inputs[0])][0]] = module
        for tensor in tensors_in(output):
            given.setdefault(id(tensor), (module, [tensor]))

    leaves = [each for each in model.modules() if not list(each.children())]
    handles = [each.register_forward_hook(hook) for each in leaves]
    modes = [(each, each.training) for each in model.modules()]
    model.eval()
    try:
        model(*example[0], **example[1])
    finally:
        for each in handles:
            each.remove()
        for module, mode in modes:
            module.training = mode
    return found


def folded(weight: Tensor, norm: _BatchNorm, dim: int = 0) -> Tensor:
    """`weight` · γ / √(σ² + ε) by filter, along `dim`: what BatchNorm makes of it."""
    if norm.running_var is None:
        return weight
    factor = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        factor = factor * norm.weight
    return weight * factor.detach().view([-1 if each == dim else 1 for each in range(weight.dim())])


@torch.no_grad()
def run_calibration(model: nn.Module, example: tuple[Any, ...], loader: object) -> int:
    """Run the model on every batch of `loader`, in evaluation mode; returns the number of batches."""
    call, number = caller(model, example), 0
    modes = [(each, each.training) for each in model.modules()]
    model.eval()
    try:
        for batch in batches_of(loader):
            call.call(model, batch)
            number += 1
    finally:
        for module, mode in modes:
            module.training = mode
    return number
