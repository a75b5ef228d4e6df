"""Recurrent layers: the channels that they read can go; their own units stay."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from qprep.compression.structure.rules.layer import column, read_axis, read_into
from qprep.compression.structure.state import State, Step
from qprep.compression.structure.store import Role


def recurrent(state: State, step: Step) -> None:
    """Of torch.lstm, gru and rnn_*: (input, hx, params, …), or packed (data, batch_sizes, hx, params, …)."""
    packed = isinstance(step.args[1], Tensor) and not step.args[1].is_floating_point()
    source, start, weights = step.args[0], step.args[2 if packed else 1], step.args[3 if packed else 2]
    layers, bidirectional = step.args[5 if packed else 4], step.args[8 if packed else 7]
    each = len(weights) // (layers * (2 if bidirectional else 1))
    _recurrent(state, step, source, [weights[0], weights[each]] if bidirectional else [weights[0]])
    _stay(state, step, start, weights)


def cell(state: State, step: Step) -> None:
    """Of torch.lstm_cell and the like: (input, hx, weight_ih, weight_hh, …)."""
    source, start, *weights = step.args
    _recurrent(state, step, source, [weights[0]])
    _stay(state, step, start, [each for each in weights if isinstance(each, Tensor)])


def _recurrent(state: State, step: Step, source: Tensor, readers: list[Tensor]) -> None:
    given = read_axis(state, source, source.dim() - 1)
    for weight in readers:
        read_into(state, given, column(state, weight, 1))
    if state.module is not None:
        state.attribute(state.module, "input_size", given)
    others = [layer for layer in state.layers(source) if layer.shape[-1] == 1 or layer.stride(-1) == 0]
    state.store.freeze(others, state.cause(f"{step.call.name} runs over them"))


def _stay(state: State, step: Step, start: Any, weights: list[Tensor]) -> None:  # noqa: ANN401
    """The units of all layers."""
    cause, source = state.cause("they are units of a recurrent layer"), step.args[0]
    for tensor in start if isinstance(start, (tuple, list)) else [start]:
        if isinstance(tensor, Tensor):
            state.store.freeze(state.layers(tensor), cause)
    positions = source.numel() / max(source.shape[-1], 1)
    for weight in weights:
        rows = column(state, weight, 0)
        state.store.freeze((rows,), cause)
        if weight.dim() > 1:
            state.mark(rows, Role.MAKES)
            state.count(weight, positions, source, step.outputs[0])
    for tensor in step.outputs:
        state.set(tensor, ())
