"""The state of an optimizer, cut like the parameters it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor
from torch.optim import Optimizer

from qprep.compression.structure.cutting import cut
from qprep.compression.structure.structure_errors import StructureError

_COUNT: Final = "_numel_cache"  # L-BFGS counts its parameters once

Kept = Mapping[Tensor, Mapping[int, Tensor]]  # by parameter, the positions that stay along each dimension


def cut_state(optimizer: Optimizer, kept: Kept) -> Callable[[], None]:
    """Cut the whole state, and return what puts it in place; nothing changes before that is called.

    A tensor of its parameter's shape is cut as the parameter is; with 1 in place of some sizes (factors of moments),
    along the others; a vector with as many elements as all parameters together (L-BFGS) as those laid end to end.
    Numbers and tensors of one element stay. Call it before the parameters are cut.

    Raises StructureError for a tensor of any other shape.
    """
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    flat = _flat(parameters, kept) if any(each in kept for each in parameters) else None
    new: dict[Tensor, dict[str, Any]] = {}
    for parameter, state in optimizer.state.items():
        if not isinstance(state, Mapping):
            continue
        positions = kept.get(parameter, {})
        new[parameter] = {
            key: _cut(value, parameter, positions, flat, f"{type(optimizer).__name__}'s {key}")
            for key, value in state.items()
        }

    def put() -> None:
        for parameter, state in new.items():
            optimizer.state[parameter].update(state)
        if flat is not None and hasattr(optimizer, _COUNT):
            setattr(optimizer, _COUNT, None)

    return put


def _flat(parameters: list[Tensor], kept: Kept) -> tuple[int, Tensor]:
    """The number of elements of all parameters, and which of them stay, where they are laid end to end."""
    masks = []
    for parameter in parameters:
        mask = torch.ones(parameter.shape, dtype=torch.bool)
        for dim, positions in kept.get(parameter, {}).items():
            stays = torch.zeros(parameter.shape[dim], dtype=torch.bool)
            stays[positions] = True
            mask &= stays.view([-1 if each == dim else 1 for each in range(parameter.dim())])
        masks.append(mask.flatten())
    whole = torch.cat(masks)
    return len(whole), whole.nonzero().flatten()


def _cut(
    value: Any,  # noqa: ANN401
    parameter: Tensor,
    positions: Mapping[int, Tensor],
    flat: tuple[int, Tensor] | None,
    what: str,
) -> Any:  # noqa: ANN401
    if isinstance(value, (list, tuple)):
        return type(value)(_cut(each, parameter, positions, flat, what) for each in value)
    if not isinstance(value, Tensor) or value.numel() <= 1:
        return value
    if value.shape == parameter.shape:
        return cut(value, positions) if positions else value
    if flat is not None and value.dim() == 1 and len(value) == flat[0]:
        return value[flat[1].to(value.device)]
    if not positions:
        return value
    if value.dim() == parameter.dim() and all(a in (1, b) for a, b in zip(value.shape, parameter.shape, strict=True)):
        return cut(value, {dim: each for dim, each in positions.items() if value.shape[dim] > 1})
    raise StructureError(
        f"expected {what} to have the shape {tuple(parameter.shape)} of its parameter, found {tuple(value.shape)}"
    )
