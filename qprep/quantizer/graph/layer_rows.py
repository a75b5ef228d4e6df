"""Inputs of linear layers and convolutions as rows: the layer is then rows @ weight + bias."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_CONVOLUTIONS: Final[Mapping[Callable[..., Any], int]] = MappingProxyType(
    {functional.conv1d: 1, functional.conv2d: 2, functional.conv3d: 3}
)
_ARGUMENTS: Final = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")


@dataclass(frozen=True, slots=True)
class Rows:
    """Values (N, groups, d) that a weight of shape (groups · outputs, d) is multiplied with, and the bias."""

    values: Tensor
    bias: Tensor | None

    def output(self, weight: Tensor) -> Tensor:
        """The output of the layer with `weight`, of any shape with outputs first: (N, outputs)."""
        number, groups, width = self.values.shape
        found = torch.bmm(self.values.transpose(0, 1), weight.reshape(groups, -1, width).transpose(1, 2))
        found = found.transpose(0, 1).reshape(number, -1)
        return found if self.bias is None else found + self.bias

    def slope(self, grad: Tensor, weight: Tensor) -> Tensor:
        """The gradient for `weight`, where that for the output is `grad` (N, outputs)."""
        number, groups, _ = self.values.shape
        found = torch.bmm(grad.reshape(number, groups, -1).permute(1, 2, 0), self.values.transpose(0, 1))
        return found.reshape(weight.shape)

    def part(self, index: Tensor) -> Rows:
        """Some of the rows."""
        return Rows(self.values[index], self.bias)


def joined(parts: Sequence[Rows]) -> Rows:
    """All rows of several calls."""
    return Rows(torch.cat([each.values for each in parts]), parts[0].bias)


class Stop(BaseException):
    """Ends a run of the model: all there is to see was seen."""


class RowCollector(TorchFunctionMode):
    """Within it, calls of linear and convolution functions with a wanted weight leave `number` random rows each.

    The same rows whenever it runs with the same seed on inputs of the same shapes. With `stop` the first such call
    raises Stop.
    """

    def __init__(self, wanted: Sequence[Tensor], number: int, seed: int, stop: bool = False) -> None:
        super().__init__()
        self.found: dict[Tensor, list[Rows]] = {each: [] for each in wanted}
        self._number, self._stop = number, stop
        self._generators = {each: torch.Generator().manual_seed(seed) for each in wanted}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401  (whatever the function returns)
        kwargs = kwargs or {}
        if func is functional.linear or func in _CONVOLUTIONS:
            given = dict(zip(_ARGUMENTS, args, strict=False)) | kwargs
            if isinstance(given["weight"], Tensor) and given["weight"] in self.found:
                self._collect(func, given)
        return func(*args, **kwargs)

    def _collect(self, func: Callable[..., Any], given: dict[str, Any]) -> None:
        weight = given["weight"]
        windows, groups = given["input"].detach(), 1
        inner = 1  # dimensions behind the places that a row is taken at
        if func in _CONVOLUTIONS:
            dims = _CONVOLUTIONS[func]
            windows, groups = _windows(given, dims), given.get("groups", 1)
            inner = dims + 1
        places = windows.shape[: windows.dim() - inner]
        if not places.numel():
            return
        index = torch.randint(places.numel(), (self._number,), generator=self._generators[weight])
        rows = windows[torch.unravel_index(index.to(windows.device), places)]
        bias = given.get("bias")
        bias = None if bias is None else bias.detach().float()
        self.found[weight].append(Rows(rows.reshape(self._number, groups, -1).float(), bias))
        if self._stop:
            raise Stop


def rows_of(
    weight: Tensor, batches: Iterable[object], call: Callable[[object], object], collector: RowCollector
) -> Rows | None:
    """The rows that `collector` takes of the layer of `weight` in runs of the model; None if the layer did not run.

    call  runs the model on a batch; it may raise Stop
    """
    for batch in batches:
        try:
            with collector:
                call(batch)
        except Stop:
            continue
    found = collector.found[weight]
    return joined(found) if found else None


def _windows(given: Mapping[str, Any], dims: int) -> Tensor:
    """The inputs of each output of a convolution: (N, places …, channels, kernel …), a view of the padded input."""
    kernel = given["weight"].shape[2:]
    stride, dilation = per_dimension(given.get("stride", 1), dims), per_dimension(given.get("dilation", 1), dims)
    windows = given["input"].detach()
    windows = windows if windows.dim() == dims + 2 else windows.unsqueeze(0)
    windows = functional.pad(windows, _padding(given.get("padding", 0), kernel, dilation))
    for axis, (size, step, spread) in enumerate(zip(kernel, stride, dilation, strict=True)):
        windows = windows.unfold(2 + axis, (size - 1) * spread + 1, step)[..., ::spread]
    return windows.movedim(1, dims + 1)


def _padding(padding: int | str | Sequence[int], kernel: Sequence[int], dilation: Sequence[int]) -> list[int]:
    """As functional.pad takes it: the last dimension first, before and behind."""
    if padding == "same":
        whole = [spread * (size - 1) for size, spread in zip(kernel, dilation, strict=True)]
        sides = [(each // 2, each - each // 2) for each in whole]
    else:
        number = 0 if isinstance(padding, str) else padding
        sides = [(each, each) for each in per_dimension(number, len(kernel))]
    return [each for side in reversed(sides) for each in side]


def per_dimension(value: int | Sequence[int], dims: int) -> list[int]:
    """Return one number for each dimension of a setting such as `kernel_size`."""
    values = [value] if isinstance(value, int) else list(value)
    return values * dims if len(values) == 1 else values
