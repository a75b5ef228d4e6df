"""BatchNorm folded into the layer before it while both are trained (Jacob et al., arXiv:1712.05877, section 3.2).

The layer runs with the quantized values of w γ/σ, σ from the running statistics; its result is divided by γ/σ, and
BatchNorm follows as ever. In training that corrects by σ_running / σ_batch (Krishnamoorthi, arXiv:1806.08342, section
3.2.2), in one convolution; frozen or in evaluation γ/σ cancels out and only the shift is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.modules.batchnorm import _BatchNorm

from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.graph.quantization_graph import Graph, Node
from qprep.quantizer.graph.quantized_module import QuantizedModule
from qprep.quantizer.graph.tensor_leaves import holder
from qprep.quantizer.methods.batchnorm_folding import TRANSPOSED, can_fold, normalized_layers

_DEAD: Final = 1e-8  # factors below give nothing that could be divided by them


def factor_of(norm: nn.Module) -> Tensor:
    """γ/σ by the running statistics, (channels,); with gradient for γ."""
    assert isinstance(norm, _BatchNorm)  # noqa: S101  (the pattern says so)
    assert norm.running_var is not None  # noqa: S101
    factor = torch.rsqrt(norm.running_var + norm.eps)
    return factor * norm.weight if norm.affine else factor


class FoldedParameter(nn.Module):
    """A parameter times γ/σ of a BatchNorm, then quantized. The BatchNorm is not its child: the model holds it."""

    def __init__(self, quantizer: nn.Module | None, norm: nn.Module, axis: int, groups: int = 1) -> None:
        super().__init__()
        self.quantizer = quantizer
        self.axis, self.groups = axis, groups
        self._norm = (norm,)

    def folded(self, parameter: Tensor) -> Tensor:
        """Scaled, in float."""
        factor = factor_of(self._norm[0]).to(parameter.dtype)
        if self.axis == 1:  # transposed: inputs first, outputs within groups
            per_input = factor.view(self.groups, 1, -1).expand(-1, parameter.shape[0] // self.groups, -1)
            return parameter * per_input.reshape(*parameter.shape[:2], *[1] * (parameter.dim() - 2))
        return parameter * factor.view(-1, *[1] * (parameter.dim() - 1))

    def forward(self, parameter: Tensor) -> Tensor:
        """As the layer uses it."""
        folded = self.folded(parameter)
        return folded if self.quantizer is None else self.quantizer(folded)


class _Unfold:
    """Hooks of a BatchNorm: its input is divided by γ/σ; channels with γ = 0 keep their statistics."""

    def __init__(self) -> None:
        self.frozen = False
        self._kept: tuple[Tensor, Tensor, Tensor] | None = None

    def before(self, norm: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        assert isinstance(norm, _BatchNorm)  # noqa: S101  (registered there)
        if self.frozen:
            norm.training = False
        factor = factor_of(norm)
        dead = factor.detach().abs() < _DEAD
        self._kept = None
        if norm.training and norm.running_mean is not None and norm.running_var is not None:
            self._kept = dead, norm.running_mean.clone(), norm.running_var.clone()
        safe = torch.where(dead, torch.ones_like(factor), factor)
        given = args[0]
        return (given / safe.to(given.dtype).view(-1, *[1] * (given.dim() - 2)), *args[1:])

    def after(self, norm: nn.Module, _args: object, _out: object) -> None:
        if self._kept is not None and isinstance(norm, _BatchNorm):
            dead, mean, variance = self._kept
            assert norm.running_mean is not None  # noqa: S101
            assert norm.running_var is not None  # noqa: S101
            # .data: batch_norm keeps these for its backward, which in training does not read them.
            norm.running_mean.data.copy_(torch.where(dead, mean, norm.running_mean))
            norm.running_var.data.copy_(torch.where(dead, variance, norm.running_var))
            self._kept = None


@dataclass(eq=False)
class Fold:
    """One layer and the BatchNorm that is folded into it."""

    owner: nn.Module
    parameter: Parameter
    scaled: FoldedParameter
    norm: nn.Module
    hooks: _Unfold

    def finish(self, model: nn.Module) -> None:
        """Fold for good: weight and bias hold what the layer uses, BatchNorm and what scaled go."""
        norm = self.norm
        assert isinstance(norm, _BatchNorm)  # noqa: S101  (the pattern says so)
        assert norm.running_mean is not None  # noqa: S101
        with torch.no_grad():
            factor, bias = factor_of(norm), self.owner._parameters["bias"]  # noqa: SLF001
            shift = -norm.running_mean * factor + (norm.bias if norm.affine else 0.0)
            shift = shift if bias is None else shift + bias * factor
            self.parameter.copy_(self.scaled.folded(self.parameter))
            self.owner.register_parameter("bias", Parameter(shift.detach().to(self.parameter.dtype)))
        for module in list(model.modules()):
            for name, child in list(module._modules.items()):  # noqa: SLF001
                if child is norm:
                    module._modules[name] = nn.Identity()  # noqa: SLF001
                elif isinstance(child, FoldedParameter) and child._norm[0] is norm:  # noqa: SLF001  (of its own class)
                    _replace(module, name, child.quantizer)


def find_folds(graph: Graph) -> list[tuple[Node, Node]]:
    """Layers and the BatchNorms behind them that can be folded."""
    pairs = normalized_layers(graph)
    return [pair for pair in pairs if isinstance(pair[1].module, _BatchNorm) and can_fold(pair[0], graph)]


def install(model: nn.Module, layer: Node, norm: Node) -> Fold | None:
    """Fold from now on, where the layer's weight is quantized."""
    weight = next(each for each in layer.weights if not each.is_bias)
    quantizer = weight.quantizer
    if quantizer is None or quantizer.spec.is_float:
        return None
    owner, _ = weight.owners[0]
    transposed = layer.op is not None and layer.op.name in TRANSPOSED
    channels = factor_of(norm.module).numel()
    groups = channels // weight.parameter.shape[1] if transposed else 1
    scaled = FoldedParameter(quantizer, norm.module, 1 if transposed else 0, groups)
    bias = owner._parameters.get("bias")  # noqa: SLF001
    for module in list(model.modules()):
        if isinstance(module, QuantizedModule):
            _put(module, quantizer, scaled)
            if bias is not None and holder(module.module) is owner:
                module.weights["bias"] = FoldedParameter(_get(module, "bias"), norm.module, 0)
    hooks = _Unfold()
    norm.module.register_forward_pre_hook(hooks.before)
    norm.module.register_forward_hook(hooks.after)
    return Fold(owner, weight.parameter, scaled, norm.module, hooks)


def _put(module: QuantizedModule, quantizer: TensorQuantizer, scaled: FoldedParameter) -> None:
    for part in (module.weights, module.given):
        for name, child in list(part.items()):
            if child is quantizer:
                part[name] = scaled


def _get(module: QuantizedModule, name: str) -> nn.Module | None:
    return module.weights._modules.get(name)  # noqa: SLF001


def _replace(module: nn.Module, name: str, child: nn.Module | None) -> None:
    if child is None:
        del module._modules[name]  # noqa: SLF001
    else:
        module._modules[name] = child  # noqa: SLF001
