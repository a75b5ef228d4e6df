"""The record of a thinning: plain data that makes a fresh model as thin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from qprep.compression.structure.cutting import cut, tensors_of
from qprep.compression.structure.structure_errors import StructureError

Record = dict[str, Any]  # text, numbers, lists and dicts: torch.load reads it with weights_only=True

_FORMAT: Final = "qprep thinning"
_VERSION: Final = 1


def made(
    tensors: Mapping[str, Tensor],
    kept: Mapping[str, Mapping[int, Tensor]],
    widths: Mapping[str, Mapping[str, int]],
    notes: tuple[str, ...],
) -> Record:
    """The record of what stays.

    format, version  what it is
    tensors          by name, the shape before and [[dim, positions that stay], …]
    modules          by path, the attributes that changed and their values
    notes            sentences on what was masked and had to stay
    """
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "tensors": {
            name: {
                "shape": list(tensors[name].shape),
                "kept": [[dim, positions.tolist()] for dim, positions in sorted(dims.items())],
            }
            for name, dims in kept.items()
        },
        "modules": {path: dict(values) for path, values in widths.items()},
        "notes": list(notes),
    }


def is_record(value: object) -> bool:
    """True if `value` is what `made` returns."""
    return isinstance(value, Mapping) and value.get("format") == _FORMAT


def kept_in(record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, dict[int, Tensor]]:
    """By tensor and dimension, the positions that stay; StructureError if the record is not of such a model."""
    if record.get("version") != _VERSION:
        raise StructureError(f"expected a thinning record of version {_VERSION}, found {record.get('version')!r}")
    found: dict[str, dict[int, Tensor]] = {}
    for name, entry in record["tensors"].items():
        if name not in tensors:
            raise StructureError(f"expected a model with {name}, as the thinning record has it, found none")
        shape = tuple(entry["shape"])
        if tuple(tensors[name].shape) != shape:
            raise StructureError(
                f"expected {name} of shape {shape}, as the thinning record has it, found {tuple(tensors[name].shape)}"
            )
        found[name] = {dim: torch.tensor(positions, dtype=torch.int64) for dim, positions in entry["kept"]}
    return found


def composed(first: Record, second: Record) -> Record:
    """The record of two thinnings, one after the other: it makes a fresh model as thin as both did."""
    tensors = {name: {"shape": each["shape"], "kept": list(each["kept"])} for name, each in first["tensors"].items()}
    for name, entry in second["tensors"].items():
        before = tensors.get(name)
        if before is None:
            tensors[name] = entry
            continue
        kept = dict(map(tuple, before["kept"]))
        for dim, positions in entry["kept"]:
            kept[dim] = [kept[dim][place] for place in positions] if dim in kept else positions
        tensors[name] = {"shape": before["shape"], "kept": [[dim, kept[dim]] for dim in sorted(kept)]}
    modules = {path: dict(values) for path, values in first["modules"].items()}
    for path, values in second["modules"].items():
        modules.setdefault(path, {}).update(values)
    return {**first, "tensors": tensors, "modules": modules, "notes": [*first["notes"], *second["notes"]]}


def applied(model: nn.Module, record: Mapping[str, Any]) -> None:
    """Make a fresh model as thin; StructureError, and nothing changed, where it is another model.

    Of a wrapper that holds the model as `module`, such as torch's AveragedModel, the model in it.
    """
    model = _recorded(model, record)
    tensors = tensors_of(model)
    kept = kept_in(record, tensors)
    for path, values in record["modules"].items():
        for name in values:
            if not hasattr(_module(model, path), name):
                raise StructureError(f"expected {name} in module {path or 'the model'}, found no such attribute")
    commit(model, {name: cut(tensors[name], positions) for name, positions in kept.items()}, record["modules"])


def commit(model: nn.Module, thin: Mapping[str, Tensor], widths: Mapping[str, Mapping[str, int]]) -> None:
    """Put thin tensors in place: parameters and buffers stay the objects they are; gradients go."""
    owned = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    for parameter in model.parameters():
        parameter.grad = None
    for name, tensor in thin.items():
        replace_data(owned[name], tensor)
    torch.clear_autocast_cache()  # of copies in half precision, which torch finds by the parameter
    for path, values in widths.items():
        for name, value in values.items():
            setattr(model.get_submodule(path), name, value)


def replace_data(owner: Tensor, tensor: Tensor) -> None:
    """Let `owner` hold other data of another shape.

    A graph of an earlier step may still be alive and with it the accumulator of the old shape: autograd makes a new one
    only where the type changes, so it does for a moment.
    """
    if owner.is_leaf and owner.requires_grad:
        other = torch.float32 if owner.dtype is torch.float64 else torch.float64
        owner.data = torch.empty(0, dtype=other, device=owner.device)
    owner.data = tensor


def _recorded(model: nn.Module, record: Mapping[str, Any]) -> nn.Module:
    inner = getattr(model, "module", None)
    names = record["tensors"].keys()
    if isinstance(inner, nn.Module) and names <= tensors_of(inner).keys() and not names <= tensors_of(model).keys():
        return inner
    return model


def _module(model: nn.Module, path: str) -> nn.Module:
    try:
        return model.get_submodule(path)
    except AttributeError as error:
        raise StructureError(f"expected a module at {path}, as the thinning record has it, found none") from error
