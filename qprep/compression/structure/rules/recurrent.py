"""Recurrent layers: the channels that they read, and their own units.

A unit whose rows of weights and biases are 0 stays at 0 when its states begin at 0: all its gates are the same number,
what they let in is tanh(0). States that begin at another number make the trial of the family fail, so that it is
frozen. The hidden size is one number for all layers and directions: the same unit of each goes together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from qprep.compression.structure.labels import spread, varying
from qprep.compression.structure.rules.layer import column, read_axis, read_into
from qprep.compression.structure.state import LabelState, LabelStep
from qprep.compression.structure.store import DimensionRole


@dataclass(frozen=True, slots=True)
class _Weights:
    """Of one layer in one direction: (gates · units, inputs), (gates · units, units), biases (gates · units)."""

    input: Tensor
    hidden: Tensor
    biases: Sequence[Tensor]


def recurrent(state: LabelState, step: LabelStep) -> None:
    """Of torch.lstm, gru and rnn_*: (input, hx, params, …), or packed (data, batch_sizes, hx, params, …)."""
    packed = isinstance(step.args[1], Tensor) and not step.args[1].is_floating_point()
    source, start, weights = step.args[0], step.args[2 if packed else 1], step.args[3 if packed else 2]
    layers, bidirectional = step.args[5 if packed else 4], step.args[8 if packed else 7]
    directions = 2 if bidirectional else 1
    each = len(weights) // (layers * directions)
    starts = range(0, len(weights), each)
    made = [_Weights(weights[at], weights[at + 1], weights[at + 2 : at + each]) for at in starts]
    _reads(state, step, source, [one.input for one in made[:directions]])
    if each % 2:  # with a projection of the state
        _stay(state, step, start, weights)
        return
    units = _units(state, made)
    for one in made[directions:]:
        read_into(state, units.repeat(directions), column(state, one.input, 1))
    _run(state, step, start, made, units)


def cell(state: LabelState, step: LabelStep) -> None:
    """Of torch.lstm_cell and the like: (input, hx, weight_ih, weight_hh, …)."""
    source, start, *weights = step.args
    made = _Weights(weights[0], weights[1], [each for each in weights[2:] if isinstance(each, Tensor)])
    _reads(state, step, source, [made.input])
    _run(state, step, start, [made], _units(state, [made]))


def _reads(state: LabelState, step: LabelStep, source: Tensor, readers: list[Tensor]) -> None:
    given = read_axis(state, source, source.dim() - 1)
    for weight in readers:
        read_into(state, given, column(state, weight, 1))
    if state.module is not None:
        state.attribute(state.module, "input_size", given)
    others = [layer for layer in state.layers(source) if layer.shape[-1] == 1 or layer.stride(-1) == 0]
    state.store.freeze(others, state.cause(f"{step.call.name} runs over them"))


def _units(state: LabelState, weights: Sequence[_Weights]) -> Tensor:
    """The label of each unit: its rows of every gate, layer and direction go together."""
    size = weights[0].hidden.shape[1]
    units = column(state, weights[0].hidden, 0)[:size]
    cause = state.cause("a gate of a recurrent layer is not a parameter")
    for one in weights:
        for weight, role in (
            (one.input, DimensionRole.MAKES),
            (one.hidden, DimensionRole.MAKES),
            *((each, DimensionRole.SCALES) for each in one.biases),
        ):
            rows = column(state, weight, 0)
            state.store.merge(units.repeat(len(rows) // size), rows, cause)
            state.mark(rows, role)
        read_into(state, units, column(state, one.hidden, 1))
    return units


def _run(state: LabelState, step: LabelStep, start: Any, weights: Sequence[_Weights], units: Tensor) -> None:  # noqa: ANN401
    """States begin with the units' labels, where they have any, and outputs carry them."""
    source = step.args[0]
    for tensor in _states(start):
        last = tensor.dim() - 1
        if any(last in varying(layer) for layer in state.layers(tensor)):
            state.store.merge(read_axis(state, tensor, last), units, state.cause("a state of fixed width"))
        others = [layer for layer in state.layers(tensor) if last not in varying(layer)]
        state.store.freeze(others, state.cause(f"{step.call.name} runs over them"))
    if state.module is not None:
        state.attribute(state.module, "hidden_size", units)
    positions = source.numel() / max(source.shape[-1], 1)
    for one in weights:
        for weight in (one.input, one.hidden):
            state.count(weight, positions, source, step.outputs[0])
    for tensor in step.outputs:
        last = tensor.dim() - 1
        state.set(tensor, (spread(units.repeat(tensor.shape[last] // len(units)), tensor.shape, last),))


def _stay(state: LabelState, step: LabelStep, start: Any, weights: list[Tensor]) -> None:  # noqa: ANN401
    """The units of all layers."""
    cause, source = state.cause("they are units of a recurrent layer with a projection"), step.args[0]
    for tensor in _states(start):
        state.store.freeze(state.layers(tensor), cause)
    positions = source.numel() / max(source.shape[-1], 1)
    for weight in weights:
        rows = column(state, weight, 0)
        state.store.freeze((rows,), cause)
        if weight.dim() > 1:
            state.mark(rows, DimensionRole.MAKES)
            state.count(weight, positions, source, step.outputs[0])
    for tensor in step.outputs:
        state.set(tensor, ())


def _states(start: Any) -> list[Tensor]:  # noqa: ANN401
    given = start if isinstance(start, (tuple, list)) else [start]
    return [each for each in given if isinstance(each, Tensor)]
