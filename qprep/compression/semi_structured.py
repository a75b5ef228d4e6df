"""2:4 weights in the form that sparse tensor cores multiply."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import Parameter

_ROWS, _COLUMNS = 32, 64  # what torch's CUTLASS kernels take for float16 and bfloat16; cuSPARSELt takes multiples of 16


def to_semi_structured(model: nn.Module) -> list[str]:
    """Replace the weights of nn.Linear that can be by sparse ones, in place; returns why the others stayed.

    Takes weights in float16 or bfloat16 on a CUDA device, of shapes that are multiples of 32 by 64, with two zeros or
    more in every four successive inputs. A converted weight does not require gradients.
    """
    told = []
    for name, layer in _layers(model):
        reason = _reason(layer)
        weight = layer.weight
        if reason is None and isinstance(weight, Parameter):
            sparse = torch.sparse.to_sparse_semi_structured(weight.detach())
            layer.weight = Parameter(sparse, requires_grad=False)
        else:
            told.append(f"{name}: {reason or 'expected a weight, found none'}")
    return told


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return ((name, each) for name, each in model.named_modules() if isinstance(each, kinds))


def _reason(layer: nn.Module) -> str | None:
    """The reason why a layer cannot be converted; None if it can."""
    if not isinstance(layer, nn.Linear):
        return f"{type(layer).__name__} has no sparse kernel in torch"
    weight = layer.weight
    if weight.dtype not in (torch.float16, torch.bfloat16):
        return f"expected float16 or bfloat16, found {str(weight.dtype).removeprefix('torch.')}"
    if weight.shape[0] % _ROWS or weight.shape[1] % _COLUMNS:
        return f"expected a shape in multiples of {_ROWS} and {_COLUMNS}, found {tuple(weight.shape)}"
    if bool(((weight.reshape(-1, 4) != 0).sum(1) > 2).any()):
        return "expected two zeros or more in every four inputs, found fewer"
    return None if weight.is_cuda else f"expected a CUDA device, found {weight.device.type}"
