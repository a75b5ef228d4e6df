"""Activations in parts that a runtime has integer kernels for, where it has none for the whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from qprep.quantizer.config.config_settings import LayerSettings
from qprep.runtime_modules import EltwiseMul
from qprep.runtime_modules.activations import FunctionalSiLU

_WHOLE = (nn.SiLU, FunctionalSiLU)
_MOST_BITS = 8  # of integer kernels for products and sigmoids


class SiLUParts(nn.Module):
    """x · sigmoid(x) by two modules, so that the sigmoid's result is a tensor that a quantizer sees."""

    def __init__(self) -> None:
        super().__init__()
        self.sigmoid, self.mul = nn.Sigmoid(), EltwiseMul()

    def forward(self, input: Tensor, inplace: bool | None = None) -> Tensor:  # noqa: ARG002  (as functional.silu)
        """As nn.SiLU; `input` stays as it is."""
        found: Tensor = self.mul(input, self.sigmoid(input))
        return found


def split_activations(
    model: nn.Module, settings: Callable[[str], LayerSettings], skipped: Sequence[type[nn.Module]] = ()
) -> list[str]:
    """Replace each SiLU of `model` whose result gets at most 8 bits by its parts; returns their paths.

    A model that is a SiLU itself stays, and so do instances of `skipped`.
    """
    found: dict[nn.Module, str] = {}
    for path, module in model.named_modules():
        bits = settings(path).bits_activations
        is_whole = type(module) in _WHOLE and not isinstance(module, tuple(skipped))
        if path and is_whole and isinstance(bits, int) and bits <= _MOST_BITS:
            found[module] = path
    parts = {module: SiLUParts().train(module.training) for module in found}
    for holder in list(model.modules()):
        for name, child in list(holder._modules.items()):  # noqa: SLF001  (all names of a child that has several)
            if child in parts:
                setattr(holder, name, parts[child])
    return list(found.values())
