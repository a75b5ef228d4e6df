# ruff: noqa: A001 -- parameters are torch's own, and these are assigned in place
"""Python's arithmetic operators, one module each: exactly what the expression does, whatever its operands are."""

import operator

import torch
from torch import Tensor
from torch.jit import is_scripting  # type: ignore[attr-defined]

from qprep.runtime_modules import _scripted
from qprep.runtime_modules._operation import Number, Operand, Operation


class EltwiseAdd(Operation):
    """`input + other`; `input += other` where `inplace`; `input + alpha * other` fused where `alpha` is not 1."""

    def __init__(self, inplace: bool = False, alpha: Number = 1) -> None:
        super().__init__()
        self.inplace = inplace
        self.alpha = alpha

    def forward(self, input: Operand, other: Tensor | Number, alpha: Number | None = None) -> Tensor:
        """Add operands of broadcastable shapes."""
        if is_scripting():
            return _scripted.add(input, other, self.alpha if alpha is None else alpha, self.inplace)
        factor = self.alpha if alpha is None else alpha
        if factor != 1:
            return input.add_(other, alpha=factor) if self.inplace else torch.add(input, other, alpha=factor)
        if self.inplace:
            input += other
            return input
        return input + other


class EltwiseSub(Operation):
    """`input - other`; `input -= other` where `inplace`; `input - alpha * other` fused where `alpha` is not 1."""

    def __init__(self, inplace: bool = False, alpha: Number = 1) -> None:
        super().__init__()
        self.inplace = inplace
        self.alpha = alpha

    def forward(self, input: Operand, other: Tensor | Number, alpha: Number | None = None) -> Tensor:
        """Subtract operands of broadcastable shapes."""
        if is_scripting():
            return _scripted.sub(input, other, self.alpha if alpha is None else alpha, self.inplace)
        factor = self.alpha if alpha is None else alpha
        if factor != 1:
            return input.sub_(other, alpha=factor) if self.inplace else torch.sub(input, other, alpha=factor)
        if self.inplace:
            input -= other
            return input
        return input - other


class EltwiseRsub(Operation):
    """`torch.rsub`: `other - alpha * input`."""

    def __init__(self, alpha: Number = 1) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, input: Tensor, other: Tensor, alpha: Number | None = None) -> Tensor:
        """Subtract `input` from `other`, of broadcastable shapes."""
        return torch.rsub(input, other, alpha=self.alpha if alpha is None else alpha)


class EltwiseMul(Operation):
    """`input * other`; `input *= other` where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Operand, other: Tensor | Number) -> Tensor:
        """Multiply operands of broadcastable shapes."""
        if is_scripting():
            return _scripted.mul(input, other, self.inplace)
        if self.inplace:
            input *= other
            return input
        return input * other


class EltwiseDiv(Operation):
    """`input / other`; `input /= other` where `inplace`; torch.div's with a `rounding_mode` ("trunc" or "floor")."""

    def __init__(self, inplace: bool = False, rounding_mode: str | None = None) -> None:
        super().__init__()
        self.inplace = inplace
        self.rounding_mode = rounding_mode

    def forward(self, input: Operand, other: Tensor | Number, rounding_mode: str | None = None) -> Tensor:
        """Divide operands of broadcastable shapes."""
        if is_scripting():
            return _scripted.div(
                input, other, self.rounding_mode if rounding_mode is None else rounding_mode, self.inplace
            )
        mode = self.rounding_mode if rounding_mode is None else rounding_mode
        if mode is not None:
            return (
                input.div_(other, rounding_mode=mode) if self.inplace else torch.div(input, other, rounding_mode=mode)
            )
        if self.inplace:
            input /= other
            return input
        return input / other


class FloorDiv(Operation):
    """`input // other`; `input //= other` where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, other: Tensor | Number) -> Tensor:
        """Divide operands of broadcastable shapes and round down."""
        if is_scripting():
            return _scripted.floor_divide(input, other, self.inplace)
        return operator.ifloordiv(input, other) if self.inplace else input // other  # type: ignore[no-untyped-call]


class Remainder(Operation):
    """`input % other`; `input %= other` where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Operand, other: Tensor | Number) -> Tensor:
        """Take the remainder, with the sign of `other`, of operands of broadcastable shapes."""
        if is_scripting():
            return _scripted.remainder(input, other, self.inplace)
        if self.inplace:
            input %= other
            return input
        return input % other


class Pow(Operation):
    """`input ** exponent`; `input **= exponent` where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Operand, exponent: Tensor | Number) -> Tensor:
        """Raise to a power, operands of broadcastable shapes."""
        if is_scripting():
            return _scripted.power(input, exponent, self.inplace)
        if self.inplace:
            input **= exponent
            return input
        return input**exponent


class Neg(Operation):
    """`-input`; `input.neg_()` where `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Negate `input`, of any shape."""
        return input.neg_() if self.inplace else -input


class MatMul(Operation):
    """`input @ other`; `input @= other` where `inplace` (torch makes a new tensor of it)."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor, other: Tensor) -> Tensor:
        """Multiply (…, n, m) by (…, m, p), or vectors, as torch.matmul does."""
        if is_scripting():
            return torch.matmul(input, other)
        return operator.imatmul(input, other) if self.inplace else input @ other  # type: ignore[no-untyped-call]
