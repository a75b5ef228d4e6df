"""Shares of zeros."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Parameter

from qprep.compression.names import ParameterNames


@torch.no_grad()
def sparsity_of(tensor: Tensor) -> float:
    """The share of zeros, 0 to 1; 0 of an empty tensor."""
    return 1 - int(torch.count_nonzero(tensor)) / tensor.numel() if tensor.numel() else 0.0


@torch.no_grad()
def kernel_sparsity(tensor: Tensor) -> float:
    """The share of kernels of a convolution that are 0 altogether; of a matrix that of weights."""
    if tensor.dim() < 3:
        return sparsity_of(tensor)
    return sparsity_of(tensor.flatten(2).abs().amax(2))


@torch.no_grad()
def total_sparsity(names: ParameterNames) -> float:
    """The share of zeros among all weights of two dimensions or more."""
    weights = [each for _, each in weights_of(names)]
    number = sum(each.numel() for each in weights)
    return 1 - sum(int(torch.count_nonzero(each)) for each in weights) / number if number else 0.0


def weights_of(names: ParameterNames) -> list[tuple[str, Parameter]]:
    """Parameters of two dimensions or more, by names without wrappers."""
    return [(names.of(each), each) for _, each in names if each.dim() > 1]
