"""True if anything watches or replaces the stages of a layer, and how to call one stage at least cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as nn_module
from torch.overrides import has_torch_function
from torch.utils._device import DeviceContext

_GLOBAL_HOOKS = (
    "_global_forward_hooks",
    "_global_forward_pre_hooks",
    "_global_backward_hooks",
    "_global_backward_pre_hooks",
)


def _has_global_hooks() -> bool:
    return any(getattr(nn_module, name) for name in _GLOBAL_HOOKS)


def _is_traced() -> bool:
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]


def has_hooks(module: nn.Module) -> bool:
    """True if a forward or backward hook of any kind is registered on `module`."""
    # Spelled out, not a loop over names: this runs for every stage of every forward.
    state = vars(module)
    return bool(
        state["_forward_hooks"]
        or state["_forward_pre_hooks"]
        or state["_backward_hooks"]
        or state["_backward_pre_hooks"]
    )


def direct(stage: nn.Module) -> Callable[..., Any]:
    """The callable of `stage`: its forward if `Module.__call__` would add nothing, the module itself otherwise."""
    if torch.compiler.is_compiling() or _is_traced() or has_hooks(stage) or _has_global_hooks():
        return stage
    return stage.forward


def is_untouched(module: nn.Module, stock: frozenset[type[nn.Module]]) -> bool:
    """True if `module` and everything in it is of a `stock` class, carries no hook and no forward of its own."""
    if type(module) not in stock or "forward" in vars(module) or has_hooks(module):
        return False
    return all(is_untouched(child, stock) for child in vars(module)["_modules"].values() if child is not None)


def is_captured(tensors: tuple[Tensor, ...]) -> bool:
    """True if something records single operations: a compiler, a tracer, a mode, a tensor subclass, a global hook."""
    if torch.compiler.is_compiling() or _is_traced():
        return True
    if torch._C._len_torch_dispatch_stack() or _has_watching_mode():  # noqa: SLF001
        return True
    return has_torch_function(tensors) or _has_global_hooks()


def _has_watching_mode() -> bool:
    # `torch.device("cuda")` as a context is a mode too, but one that only places new tensors.
    if not torch._C._len_torch_function_stack():  # noqa: SLF001
        return False
    modes = torch.overrides._get_current_function_mode_stack()  # type: ignore[no-untyped-call]  # noqa: SLF001
    return any(not isinstance(mode, DeviceContext) for mode in modes)
