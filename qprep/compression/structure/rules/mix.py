"""Operations that mix channels, or of which nothing is known: what goes in stays."""

from __future__ import annotations

from qprep.compression.structure.state import State, Step


def mix(state: State, step: Step) -> None:
    """Freeze the channels of all inputs; the outputs are in none."""
    found = [layer for each in step.inputs for layer in state.layers(each)]
    if found:
        state.store.freeze(found, state.cause(f"{step.call.name} is not known to keep channels apart"))
    for tensor in (*step.outputs, *(step.inputs[:1] if step.call.in_place or step.out is None else ())):
        state.set(tensor, ())


def new(state: State, step: Step) -> None:
    """The outputs are in no channel."""
    for output in step.outputs:
        state.set(output, ())
