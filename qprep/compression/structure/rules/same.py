"""Operations that work element by element: sums, products, activation functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from qprep.compression.structure.labels import Layers, compact, core, joined, varying
from qprep.compression.structure.rules.probe import zeros_of
from qprep.compression.structure.state import LabelState, LabelStep
from qprep.compression.structure.store import Cause, DimensionRole


@dataclass(eq=False, slots=True)
class _Cluster:
    """Layers of several inputs that vary along common dimensions."""

    dims: frozenset[int]
    layers: list[tuple[int, Tensor]] = field(default_factory=list)


def same(state: LabelState, step: LabelStep) -> None:
    """Labels at the same place go together; where a masked element does not give 0, the label says so."""
    inputs = step.inputs
    outputs = [each for each in step.outputs if each.dim()]
    if not outputs or not any(map(state.layers, inputs)):
        return
    shape = outputs[0].shape
    layers = unite(state, step, inputs, shape, step.call.name)
    raw = all(state.is_raw(each) for each in inputs)
    for output in outputs:
        if step.call.in_place and output._is_view() and any(map(bool, map(_dirty, layers))):  # noqa: SLF001
            state.store.freeze(layers, state.cause(f"{step.call.name} writes into a part of a tensor"))
        state.set(output, layers if output.shape == shape else (), raw=raw)


def unite(state: LabelState, step: LabelStep, inputs: Sequence[Tensor], shape: torch.Size, what: str) -> Layers:
    """The layers of an output of `shape`, computed element by element from `inputs`."""
    clusters: list[_Cluster] = []
    for number, tensor in enumerate(inputs):
        for layer in state.layers(tensor):
            _add(clusters, number, _broadcast(layer, shape))
    raw = [state.is_raw(each) for each in inputs]
    if any(state.layers(each) and not own for each, own in zip(inputs, raw, strict=True)):
        _mark_parameters(state, clusters, raw)
    cause = state.cause(f"{what} joins them with a tensor whose width is fixed")
    return tuple(_joined(state, step, inputs, cluster, cause).expand(shape) for cluster in clusters)


def _mark_parameters(state: LabelState, clusters: Sequence[_Cluster], raw: Sequence[bool]) -> None:
    """Parameters with a number for each channel are masked with it."""
    for cluster in clusters:
        for number, layer in cluster.layers:
            if raw[number]:
                state.mark(core(layer), DimensionRole.SCALES)


def _joined(state: LabelState, step: LabelStep, inputs: Sequence[Tensor], cluster: _Cluster, cause: Cause) -> Tensor:
    """The core of the layer that a cluster's layers give."""
    held = {number for number, _ in cluster.layers}
    layer = cluster.layers[0][1]
    dims = layer.dim()
    small = core(layer)
    for _, other in cluster.layers[1:]:
        state.store.merge(small, core(other), cause)
        small = joined(small, core(other))
    if any(_spans(tensor, cluster.dims, dims) for number, tensor in enumerate(inputs) if number not in held):
        state.store.freeze((small,), cause)
    zero = zeros_of(step, [_zero(cluster, number, small.shape) for number in range(len(inputs))])
    clean = torch.zeros_like(small, dtype=torch.bool) if zero is None else zero
    return torch.where(clean, small.abs(), -small.abs())


def _zero(cluster: _Cluster, number: int, shape: torch.Size) -> Tensor | None:
    """The positions of an input that are 0 if the channels of `cluster` are masked."""
    masks = [core(layer) > 0 for at, layer in cluster.layers if at == number]
    if not masks:
        return None
    found = masks[0]
    for mask in masks[1:]:
        found = found | mask
    return found.expand(shape)


def _add(clusters: list[_Cluster], number: int, layer: Tensor) -> None:
    dims = frozenset(varying(layer))
    near = [each for each in clusters if each.dims & dims or not (each.dims or dims)]
    merged = _Cluster(dims.union(*(each.dims for each in near)), [item for each in near for item in each.layers])
    merged.layers.append((number, layer))
    clusters[:] = [each for each in clusters if each not in near] + [merged]


def _broadcast(layer: Tensor, shape: torch.Size) -> Tensor:
    return compact(core(layer).expand(layer.shape)).expand(shape) if layer.shape != shape else layer


def _spans(tensor: Tensor, dims: frozenset[int], size: int) -> bool:
    """True if a tensor, broadcast to `size` dimensions, has a width of its own along any of `dims`."""
    first = size - tensor.dim()
    return any(dim >= first and tensor.shape[dim - first] > 1 for dim in dims)


def _dirty(layer: Tensor) -> bool:
    return bool((core(layer) < 0).any())
