"""Products of a layer's inputs with themselves, summed over calibration batches."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from qprep.compression.collect import run_calibration
from qprep.compression.errors import CompressionError


def matrix_of(weight: Tensor) -> Tensor:
    """(outputs, inputs · kernel): the layer as a matrix."""
    return weight.detach().flatten(1)


def check_layer(name: str, layer: nn.Module | None) -> None:
    """CompressionError for a layer that is no linear one or ungrouped convolution of two dimensions."""
    if isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1):
        return
    found = "no layer" if layer is None else type(layer).__name__
    raise CompressionError(f"expected the weight of nn.Linear or of nn.Conv2d with groups=1, found {name} of {found}")


def gram(model: nn.Module, layer: nn.Module, example: tuple[Any, ...], loader: object) -> Tensor:
    """XᵀX / rows of the rows X that the layer multiplies, (inputs · kernel, inputs · kernel), float64.

    One run over `loader` in evaluation mode. Raises CompressionError if the layer did not run.
    """
    total: Tensor | None = None
    number = 0

    def hook(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        nonlocal total, number
        rows = _rows(module, inputs[0].detach()).double()
        total = rows.T @ rows if total is None else total + rows.T @ rows
        number += rows.shape[0]

    handle = layer.register_forward_pre_hook(hook)
    try:
        run_calibration(model, example, loader)
    finally:
        handle.remove()
    if total is None:
        raise CompressionError(f"expected data that runs {type(layer).__name__}, found none")
    return total / number


def _rows(layer: nn.Module, input: Tensor) -> Tensor:
    if not isinstance(layer, nn.Conv2d):
        return input.reshape(-1, input.shape[-1])
    padded = nn.functional.pad(input, layer._reversed_padding_repeated_twice, mode=_mode(layer))  # noqa: SLF001
    columns = nn.functional.unfold(padded, layer.kernel_size, layer.dilation, 0, layer.stride)
    return columns.transpose(1, 2).reshape(-1, columns.shape[1])


def _mode(layer: nn.Conv2d) -> str:
    return "constant" if layer.padding_mode == "zeros" else layer.padding_mode
