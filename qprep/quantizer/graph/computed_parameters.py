"""Parameters that a module computes another tensor from: parametrizations, weight_norm and spectral_norm."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.utils.parametrize import ParametrizationList


def parts(model: nn.Module) -> dict[Parameter, str]:
    """Each parameter that another tensor is computed from in every forward, and that tensor's name.

    Those of `torch.nn.utils.parametrize`, and of forward pre-hooks that write the attribute that they name
    (`weight_norm` and `spectral_norm` of old, pruning).
    """
    found: dict[Parameter, str] = {}
    for path, module in model.named_modules():
        if isinstance(module, ParametrizationList):
            owner, _, name = path.rpartition(".parametrizations.")
            found |= dict.fromkeys(module.parameters(recurse=False), f"{owner}.{name}".lstrip("."))
            continue
        for name in _written_by_hooks(module):
            own = {key: each for key, each in module.named_parameters(recurse=False) if key.startswith(f"{name}_")}
            found |= dict.fromkeys(own.values(), f"{path}.{name}".lstrip("."))
    return found


def _written_by_hooks(module: nn.Module) -> Iterator[str]:
    for hook in module._forward_pre_hooks.values():  # noqa: SLF001
        for name in (getattr(hook, "name", None), getattr(hook, "_tensor_name", None)):
            if isinstance(name, str) and isinstance(vars(module).get(name), Tensor):
                yield name
