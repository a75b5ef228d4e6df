# ruff: noqa: ANN401 -- values of any kind
"""A separate instance of a module for a second call site, its weights tied to the first."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import MethodType
from typing import Any, NoReturn, Self, overload

import torch
from torch import fx, nn
from torch.nn.utils import parametrize

from qprep.runtime_modules._borrowed import Borrowed

_LISTINGS = ("parameters", "buffers")
LAYERS = (
    nn.Bilinear,
    nn.Embedding,
    nn.EmbeddingBag,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.Linear,
    nn.PReLU,
    nn.RMSNorm,
    nn.modules.batchnorm._NormBase,  # noqa: SLF001
    nn.modules.conv._ConvNd,  # noqa: SLF001
)
"""The layers of torch.nn that can have weights; `tests/runtime_modules` compares them with the catalogue."""
_Copies = dict[int, nn.Module]  # by the id of the module that was copied
_STATE = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")


class Tied(nn.Module):
    """Runs `source` a second time, as an instance of its own: `source.forward` with the weights and state of `source`.

    It registers no parameter, buffer or child: state_dict and parameters() are as without it. The tie outlives
    training, loading, `.to()`, and, with the model as a whole, deepcopy and pickle. Hooks of `source` do not run, but
    those by which torch.nn computes its weights (weight_norm, spectral_norm, pruning). torch.nn.DataParallel, which
    copies modules one by one, cannot keep the tie (RuntimeError); DistributedDataParallel does.

    Where `lends` is true, the data of `source` (weights, sizes; no methods) can be read on this one too. Where `listed`
    is true, it is listed, saved, loaded and initialised as `source` itself would be under a second name.
    """

    source: nn.Module
    lends: bool
    listed: bool

    def __init__(self, source: nn.Module, lends: bool = False, listed: bool = False) -> None:
        super().__init__()
        # Past nn.Module's own setattr, which would register it.
        object.__setattr__(self, "source", source)
        self.lends = lends
        self.listed = listed
        if listed:
            for name in _STATE:
                self.__dict__[name] = source.__dict__[name]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run `source`."""
        source = self.source
        if any(isinstance(arg, fx.Proxy) for arg in (*args, *kwargs.values())):
            return source(*args, **kwargs)  # a symbolic trace knows the source by its name, and enters no leaf
        for hook in tuple(source.__dict__["_forward_pre_hooks"].values()):
            if _computes_weights(hook):
                hook(source, args)
        return source.forward(*args, **kwargs)

    def __prepare_scriptable__(self) -> nn.Module:
        """`source` itself, for a script, which then knows one module by two names.

        torch.jit.script puts it into the very model that it is given: give it a copy.
        """
        return self.source

    def apply(self, fn: Callable[[nn.Module], object]) -> Self:
        """As nn.Module's; `fn` meets `source` again where that is listed under a second name."""
        if not self.listed:
            return super().apply(fn)  # type: ignore[arg-type]
        self.source.apply(fn)  # type: ignore[arg-type]
        return self

    def _save_to_state_dict(self, *args: Any, **kwargs: Any) -> None:
        if self.listed:  # a layer may save more than its tensors
            self.source._save_to_state_dict(*args, **kwargs)  # noqa: SLF001

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        if self.listed:
            self.source._load_from_state_dict(*args, **kwargs)  # noqa: SLF001

    def extra_repr(self) -> str:
        """Name what it runs."""
        return f"{type(self.source).__name__}({self.source.extra_repr()})"

    def __getattr__(self, name: str) -> Any:
        state = self.__dict__
        if state.get("lends") and not name.startswith("__"):
            value = getattr(state["source"], name)
            if not callable(value):
                return value
        return super().__getattr__(name)

    def _replicate_for_data_parallel(self) -> NoReturn:
        raise RuntimeError("torch.nn.DataParallel cannot keep modules tied; use DistributedDataParallel")


@overload
def another(module: None, listed: bool = False, whole: bool = False, plain: bool = False) -> None: ...
@overload
def another(module: nn.Module, listed: bool = False, whole: bool = False, plain: bool = False) -> nn.Module: ...
def another(
    module: nn.Module | None, listed: bool = False, whole: bool = False, plain: bool = False
) -> nn.Module | None:
    """A separate instance of `module` that computes the same, for a second call site.

    Without parameters and buffers it is a copy; a leaf with them becomes `Tied`; a module with children becomes a copy
    of the structure whose leaves are such instances and whose own parameters and buffers are those of the original,
    without appearing in state_dict or parameters() again. Hooks are not copied, no random numbers are drawn. Python
    attributes are taken over as they are; those that hold children, or methods of copied modules, refer to the copies.
    A scripted module, which Python cannot take apart, becomes Tied as a whole. None (an optional child) stays None, and
    so does a function that an attribute holds instead of a module.

    With `listed`, for a second place that one instance was put into: parameters and buffers appear there as well, under
    the names that they had, and both instances hold them in the very same dicts, so that replacing one (`.to()`,
    `load_state_dict(assign=True)`) replaces it in both. A scripted module is given back as it is.

    With `whole`, for a place that calls methods of the module, it is of the same class also where it is a leaf; a
    scripted module is given back as it is.

    With `plain`, for a module whose class is unknown before the code runs, whatever inherits from a layer of torch.nn
    with weights becomes Tied: code that treats `nn.Linear` in its own way does not meet it a second time.
    """
    if not isinstance(module, nn.Module) or ((listed or whole) and isinstance(module, torch.jit.ScriptModule)):
        return module
    copies: _Copies = {}
    if whole and not isinstance(module, Tied):
        return _structural_copy(module, copies, listed)
    return _another(module, copies, lends=False, listed=listed, plain=plain)


def _another(module: nn.Module, copies: _Copies, lends: bool, listed: bool, plain: bool = False) -> nn.Module:
    if id(module) in copies:
        return copies[id(module)]
    if isinstance(module, Tied):
        made: nn.Module = Tied(module.source, module.lends or lends, module.listed and listed)
    elif (
        isinstance(module, torch.jit.ScriptModule)
        or (plain and isinstance(module, LAYERS))
        or (_is_leaf(module) and _has_own_state(module))
    ):
        made = Tied(module, lends, listed)
    else:
        return _structural_copy(module, copies, listed, plain)
    copies[id(module)] = made
    return made


def _structural_copy(module: nn.Module, copies: _Copies, listed: bool, plain: bool = False) -> nn.Module:
    made: nn.Module = object.__new__(type(module))
    copies[id(module)] = made
    state = made.__dict__
    state.update(module.__dict__)
    state["_modules"] = {
        name: None if child is None else _another(child, copies, True, listed, plain)
        for name, child in module.__dict__["_modules"].items()
    }
    for name in ("_parameters", "_buffers"):
        held = module.__dict__[name]
        state[name] = held if listed else Borrowed.of(held)
    for name, value in module.__dict__.items():
        if "_hooks" in name and isinstance(value, dict):
            state[name] = type(value)()
        elif name not in ("_modules", "_parameters", "_buffers"):
            state[name] = _translated(value, copies)
    # What its methods ask themselves, the device of their weights most of all; a model goes through _parameters.
    if not listed:
        state.update({name: state.get(name, getattr(module, name)) for name in _LISTINGS})
    _count_again(module, made, copies)
    return made


def _count_again(module: nn.Module, made: nn.Module, copies: _Copies) -> None:
    """Let the copies of PerCall count the forwards of the copy of their owner."""
    for hook in module.__dict__["_forward_pre_hooks"].values():
        counter = copies.get(id(getattr(hook, "__self__", None)))
        count_forwards_of = getattr(counter, "count_forwards_of", None)
        if count_forwards_of is not None:
            count_forwards_of(made)


def _translated(value: Any, copies: _Copies) -> Any:
    """`value` with the copies in the place of what was copied."""
    if isinstance(value, nn.Module):
        return copies.get(id(value), value)
    if type(value) is MethodType:
        bound = _translated(value.__self__, copies)
        return value if bound is value.__self__ else MethodType(value.__func__, bound)
    if type(value) is functools.partial:
        parts = (value.func, value.args, value.keywords)
        func, args, keywords = (_translated(part, copies) for part in parts)
        same = func is value.func and args is value.args and keywords is value.keywords
        return value if same else functools.partial(func, *args, **keywords)
    if type(value) is dict:
        items = {key: _translated(item, copies) for key, item in value.items()}
        return items if any(item is not value[key] for key, item in items.items()) else value
    if type(value) in (list, tuple, set):
        found = [_translated(item, copies) for item in value]
        return type(value)(found) if any(new is not old for new, old in zip(found, value, strict=True)) else value
    return value


def _computes_weights(hook: object) -> bool:
    place = getattr(hook, "__module__", None) or type(hook).__module__
    return place.startswith(("torch.nn.utils.", "torch.nn.modules."))


def _is_leaf(module: nn.Module) -> bool:
    """True if a quantizer sees it as one operation: no children but those by which torch computes its weights."""
    if isinstance(module, (nn.ParameterList, nn.ParameterDict)):
        return False
    return isinstance(module, nn.MultiheadAttention) or all(
        name == "parametrizations" and parametrize.is_parametrized(module) for name, _ in module.named_children()
    )


def _has_own_state(module: nn.Module) -> bool:
    return any(True for _ in module.parameters()) or any(True for _ in module.buffers())
