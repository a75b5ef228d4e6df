"""Operations that einops describes by patterns; it is imported when they run: code that uses them has it."""

from typing import Any

from torch import Tensor

from qprep.runtime_modules._operation import Operation


class EinopsEinsum(Operation):
    """`einops.einsum` as a module."""

    def forward(self, *tensors_and_pattern: Tensor | str) -> Tensor:
        """Sum products of the tensors over the axes that the pattern, given last, leaves out on the right."""
        from einops import einsum

        result: Tensor = einsum(*tensors_and_pattern)
        return result


class EinopsReduce(Operation):
    """`einops.reduce` as a module."""

    def forward(self, tensor: Tensor | list[Tensor], pattern: str, reduction: Any, **axes_lengths: int) -> Tensor:  # noqa: ANN401 -- a name or a function
        """Reduce the axes that the pattern leaves out on the right."""
        from einops import reduce

        result: Tensor = reduce(tensor, pattern, reduction, **axes_lengths)
        return result


class EinopsPack(Operation):
    """`einops.pack` as a module."""

    def forward(self, tensors: list[Tensor], pattern: str) -> tuple[Tensor, list[tuple[int, ...]]]:
        """Join tensors along one axis; also gives the shapes that `einops.unpack` takes."""
        from einops import pack

        result: tuple[Tensor, list[tuple[int, ...]]] = pack(tensors, pattern)
        return result
