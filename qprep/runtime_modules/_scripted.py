"""Arithmetic as TorchScript knows it: its operators take no operand that is a tensor or a number."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Number


def add(input: Tensor, other: Tensor | Number, alpha: Number, inplace: bool) -> Tensor:
    """`input + alpha * other`."""
    if isinstance(other, Tensor):
        return input.add_(other, alpha=alpha) if inplace else torch.add(input, other, alpha=alpha)
    return input.add_(other, alpha=alpha) if inplace else torch.add(input, other, alpha=alpha)


def sub(input: Tensor, other: Tensor | Number, alpha: Number, inplace: bool) -> Tensor:
    """`input - alpha * other`."""
    if isinstance(other, Tensor):
        return input.sub_(other, alpha=alpha) if inplace else torch.sub(input, other, alpha=alpha)
    return input.sub_(other, alpha=alpha) if inplace else torch.sub(input, other, alpha=alpha)


def mul(input: Tensor, other: Tensor | Number, inplace: bool) -> Tensor:
    """`input * other`."""
    if isinstance(other, Tensor):
        return input.mul_(other) if inplace else torch.mul(input, other)
    return input.mul_(other) if inplace else torch.mul(input, other)


def div(input: Tensor, other: Tensor | Number, rounding_mode: str | None, inplace: bool) -> Tensor:
    """`input / other`, rounded as told."""
    if isinstance(other, Tensor):
        if inplace:
            return input.div_(other, rounding_mode=rounding_mode)
        return torch.div(input, other, rounding_mode=rounding_mode)
    if inplace:
        return input.div_(other, rounding_mode=rounding_mode)
    return torch.div(input, other, rounding_mode=rounding_mode)


def floor_divide(input: Tensor, other: Tensor | Number, inplace: bool) -> Tensor:
    """`input // other`."""
    if isinstance(other, Tensor):
        return input.floor_divide_(other) if inplace else torch.floor_divide(input, other)
    return input.floor_divide_(other) if inplace else torch.floor_divide(input, other)


def remainder(input: Tensor, other: Tensor | Number, inplace: bool) -> Tensor:
    """`input % other`."""
    if isinstance(other, Tensor):
        return input.remainder_(other) if inplace else torch.remainder(input, other)
    return input.remainder_(other) if inplace else torch.remainder(input, other)


def power(input: Tensor, exponent: Tensor | Number, inplace: bool) -> Tensor:
    """`input ** exponent`."""
    if isinstance(exponent, Tensor):
        return input.pow_(exponent) if inplace else torch.pow(input, exponent)
    return input.pow_(exponent) if inplace else torch.pow(input, exponent)
