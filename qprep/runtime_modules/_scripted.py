"""Arithmetic as TorchScript knows it: its operators take no operand that is a tensor or a number; one is a tensor."""

import torch
from torch import Tensor

from qprep.runtime_modules._operation import Number


def _tensor(operand: Tensor | Number) -> Tensor:
    if not isinstance(operand, Tensor):
        raise TypeError("expected a tensor with the number")
    return operand


def add(input: Tensor | Number, other: Tensor | Number, alpha: Number, inplace: bool) -> Tensor:
    """`input + alpha * other`."""
    if not isinstance(input, Tensor):
        return torch.add(_tensor(other), input)
    if isinstance(other, Tensor):
        return input.add_(other, alpha=alpha) if inplace else torch.add(input, other, alpha=alpha)
    return input.add_(other, alpha=alpha) if inplace else torch.add(input, other, alpha=alpha)


def sub(input: Tensor | Number, other: Tensor | Number, alpha: Number, inplace: bool) -> Tensor:
    """`input - alpha * other`."""
    if not isinstance(input, Tensor):
        return torch.rsub(_tensor(other), input)
    if isinstance(other, Tensor):
        return input.sub_(other, alpha=alpha) if inplace else torch.sub(input, other, alpha=alpha)
    return input.sub_(other, alpha=alpha) if inplace else torch.sub(input, other, alpha=alpha)


def mul(input: Tensor | Number, other: Tensor | Number, inplace: bool) -> Tensor:
    """`input * other`."""
    if not isinstance(input, Tensor):
        return torch.mul(_tensor(other), input)
    if isinstance(other, Tensor):
        return input.mul_(other) if inplace else torch.mul(input, other)
    return input.mul_(other) if inplace else torch.mul(input, other)


def div(input: Tensor | Number, other: Tensor | Number, rounding_mode: str | None, inplace: bool) -> Tensor:
    """`input / other`, rounded as told."""
    if not isinstance(input, Tensor):
        return torch.reciprocal(_tensor(other)) * input
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


def remainder(input: Tensor | Number, other: Tensor | Number, inplace: bool) -> Tensor:
    """`input % other`."""
    if not isinstance(input, Tensor):
        return torch.remainder(input, _tensor(other))
    if isinstance(other, Tensor):
        return input.remainder_(other) if inplace else torch.remainder(input, other)
    return input.remainder_(other) if inplace else torch.remainder(input, other)


def power(input: Tensor | Number, exponent: Tensor | Number, inplace: bool) -> Tensor:
    """`input ** exponent`."""
    if not isinstance(input, Tensor):
        return torch.pow(input, _tensor(exponent))
    if isinstance(exponent, Tensor):
        return input.pow_(exponent) if inplace else torch.pow(input, exponent)
    return input.pow_(exponent) if inplace else torch.pow(input, exponent)
