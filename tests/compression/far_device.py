"""A device without hardware: numbers of the CPU that claim another device and refuse to meet tensors of the CPU.

A mask, an index or a random number that was made on the CPU fails here as it fails on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

FAR: Final = torch.device("lazy:0")  # a type whose backward passes run on the thread of the CPU
_BETWEEN: Final = ("aten::copy_", "aten::_to_copy")  # these move numbers between devices
_INDEXING: Final = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_")  # as on GPUs


class FarTensor(Tensor):
    """A tensor whose numbers are in `near`, on the CPU."""

    near: Tensor

    @staticmethod
    def __new__(cls: type[FarTensor], near: Tensor) -> FarTensor:  # noqa: PYI034  (torch's)
        return Tensor._make_wrapper_subclass(
            cls,
            near.shape,
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            device=FAR,
        )

    def __init__(self, near: Tensor) -> None:
        self.near = near

    def __repr__(self) -> str:  # type: ignore[override]
        return f"FarTensor({self.near})"

    @property
    def data(self) -> Tensor:
        return self.detach()

    @data.setter
    def data(self, value: Tensor) -> None:
        assert isinstance(value, FarTensor)
        Tensor.data.__set__(self, value)  # type: ignore[attr-defined]
        self.near = value.near

    def tolist(self) -> Any:
        return self.near.tolist()

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, _: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given, name = dict(kwargs or {}), func._schema.name
        leaves = pytree.tree_leaves((args, given))
        strangers = [each for each in leaves if isinstance(each, Tensor) and not isinstance(each, FarTensor)]
        if name not in (*_BETWEEN, *_INDEXING) and any(each.dim() for each in strangers):
            raise RuntimeError(f"{name}: expected all tensors on one device, found {FAR} and cpu")
        target = given.get("device")
        near_args, near_given = pytree.tree_map(_near, (args, given))
        found = func(*near_args, **{**near_given, **({"device": "cpu"} if target is not None else {})})
        if found is None or (target is not None and torch.device(target).type == "cpu"):
            return found
        if name.endswith("_"):
            return args[0]
        return pytree.tree_map(lambda each: FarTensor(each) if isinstance(each, Tensor) else each, found)


class FarDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, tensors may be made on the far device and moved to it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if any(isinstance(each, FarTensor) for each in pytree.tree_leaves((args, given))):
            return FarTensor.__torch_dispatch__(func, types, args, given)
        target = given.get("device")
        if target is None or torch.device(target).type != FAR.type:
            return func(*args, **given)
        return FarTensor(func(*args, **{**given, "device": "cpu"}))


def moved(model: nn.Module) -> nn.Module:
    """The model with all parameters and buffers on the far device."""
    for module in model.modules():
        _replace(module._parameters, lambda each: nn.Parameter(FarTensor(each.detach().clone())))
        _replace(module._buffers, lambda each: FarTensor(each.detach().clone()))
    return model


def _replace(table: dict[str, Any], make: Callable[[Tensor], Tensor]) -> None:
    for name, each in table.items():
        if each is not None:
            table[name] = make(each)


def _near(each: Any) -> Any:
    return each.near if isinstance(each, FarTensor) else each
