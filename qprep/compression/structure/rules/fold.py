"""Reductions, operations along one dimension, and those within the space behind the channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from qprep.compression.structure.labels import core, dirty, spread_core, varying
from qprep.compression.structure.rules.mix import mix
from qprep.compression.structure.rules.probe import keeps_zero, replaced
from qprep.compression.structure.rules.same import same
from qprep.compression.structure.state import LabelState, LabelStep
from qprep.foundation.catalogue.call_signature import parse_spelling
from qprep.foundation.catalogue.op import Channels

# Both signs and each alone: the largest of numbers of one sign is where zeros count.
_WITH_ZEROS: Final = ((1.3, -0.7, 0.0, 2.1, 0.0), (0.0, 1.3, 0.7, 2.1, 0.0), (-1.3, 0.0, -0.7, 0.0, -2.1))
_FROM_THE_END: Final = {Channels.SPACE_1: 1, Channels.SPACE_2: 2, Channels.SPACE_3: 3}


def fold(state: LabelState, step: LabelStep) -> None:
    """Labels of the dimensions that stay; channels may fold away where zeros make no difference (sum, norm)."""
    tensor = step.inputs[0]
    if len(step.inputs) > 1:  # torch.max of two tensors
        same(state, step)
        return
    dims, outputs = _dims(step, tensor), step.outputs
    if dims is None:
        mix(state, step)
        return
    layers = []
    for layer in state.layers(tensor):
        if set(varying(layer)) & dims:
            if bool((core(layer) < 0).any()) or not _is_neutral(step, tensor, dims, folds=True):
                state.store.freeze((layer,), state.cause(f"{step.call.name} runs over them"))
            continue
        layers.append(_clean(layer, step, tensor, dims))
    for output in outputs:
        state.set(output, tuple(_folded(layer, dims, output) for layer in layers))


def along(state: LabelState, step: LabelStep) -> None:
    """Labels as they are, where the operation runs along another dimension than that of channels."""
    tensor = step.inputs[0]
    dims, outputs = _dims(step, tensor), step.outputs
    if dims is None or len(step.inputs) > 1 or not outputs or outputs[0].shape != tensor.shape:
        mix(state, step)
        return
    layers = []
    for layer in state.layers(tensor):
        if not set(varying(layer)) & dims:
            layers.append(_clean(layer, step, tensor, dims))
        elif not bool((core(layer) < 0).any()) and _is_neutral(step, tensor, dims, folds=False):
            layers.append(layer)
        else:
            state.store.freeze((layer,), state.cause(f"{step.call.name} runs over them"))
    for output in outputs:
        state.set(output, tuple(layers))


def space(state: LabelState, step: LabelStep) -> None:
    """Labels of the dimensions in front of the space: pooling, resizing."""
    tensor, outputs = step.inputs[0], step.outputs
    channels = step.call.op.channels if step.call.op is not None else Channels.MIX
    first = tensor.dim() - _FROM_THE_END.get(channels, tensor.dim() - 2)
    layers = []
    for layer in state.layers(tensor):
        if any(dim >= first for dim in varying(layer)):
            state.store.freeze((layer,), state.cause(f"{step.call.name} runs over them"))
        else:
            layers.append(layer)
    for output in outputs:
        state.set(output, tuple(spread_core(core(layer), output.shape) for layer in layers))


def _dims(step: LabelStep, tensor: Tensor) -> set[int] | None:
    """The dimensions that `dim` names, all where it names none; None if it is something else."""
    dim: Any = step.get("dim")
    if dim is None or dim == ():
        folds = step.call.op is not None and step.call.op.channels is Channels.FOLD
        return set(range(tensor.dim())) if folds else _default(step, tensor)
    given = [dim] if isinstance(dim, int) and not isinstance(dim, bool) else dim
    if not isinstance(given, (list, tuple)) or not all(type(each) is int for each in given):
        return None
    return {each % tensor.dim() for each in given}


def _default(step: LabelStep, tensor: Tensor) -> set[int] | None:
    """The dimension that an operation runs along where none is given, as its signature says."""
    spellings = () if step.call.op is None else map(parse_spelling, step.call.op.spellings)
    found = next((each for spelling in spellings if (each := spelling.parameter("dim")) is not None), None)
    if found is None or found.default is None or not found.default.lstrip("-").isdigit():
        return None
    return {int(found.default) % tensor.dim()}


def _folded(layer: Tensor, dims: set[int], output: Tensor) -> Tensor:
    small = core(layer)
    if output.dim() < layer.dim():
        for dim in sorted(dims, reverse=True):
            small = small.select(dim, 0)
    return spread_core(small, output.shape)


def _clean(layer: Tensor, step: LabelStep, tensor: Tensor, dims: set[int]) -> Tensor:
    """`layer`, dirty where the operation does not make zeros of zeros."""
    shape = [min(size, 64 if dim in dims else 2) for dim, size in enumerate(tensor.shape)]
    return layer if keeps_zero(step, _runner(step), shape) else dirty(layer)


def _runner(step: LabelStep) -> Callable[[Tensor], Sequence[Tensor] | None]:
    def run(value: Tensor) -> Sequence[Tensor] | None:
        outs = replaced(step, [value])
        return None if outs is None else outs[:1]

    return run


def _is_neutral(step: LabelStep, tensor: Tensor, dims: set[int], *, folds: bool) -> bool:
    """True if zeros make no difference to the rest: found on a few numbers with zeros among them, and without."""
    shape = [1] * tensor.dim()
    shape[min(dims)] = -1
    return all(
        _agrees(step, torch.tensor(each, dtype=tensor.dtype).reshape(shape), folds=folds) for each in _WITH_ZEROS
    )


def _agrees(step: LabelStep, full: Tensor, *, folds: bool) -> bool:
    kept = full != 0
    rest = full[kept].reshape([-1 if size > 1 else 1 for size in full.shape])
    first, second = _runner(step)(full), _runner(step)(rest)
    if not first or not second:
        return False
    one, other = first[0], second[0].reshape(-1)
    if folds:
        one = one.reshape(-1)
    elif one.shape != full.shape or bool(one[~kept].any()):
        return False
    else:
        one = one[kept]
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-5, atol=1e-6)
