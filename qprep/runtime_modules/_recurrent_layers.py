"""Layers and directions of LSTM, GRU and RNN over a sequence, from dedicated modules."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from qprep.runtime_modules._recurrent_steps import GRUStep, LSTMStep, Projected, RNNStep, State, Weights, make_step
from qprep.runtime_modules._watch import direct, is_untouched
from qprep.runtime_modules.arithmetic import EltwiseAdd, EltwiseMul, EltwiseSub
from qprep.runtime_modules.dropout import FunctionalDropout
from qprep.runtime_modules.joins import Chunk, Concat, Stack
from qprep.runtime_modules.linear import AffineMap

# From here on a copy of the hidden weights in the order that the product reads them pays for itself (measured).
_COPY_FROM_STEPS = 16
_COPY_FROM_ROWS = 4


def split_time(sequence: Tensor, batch_sizes: Sequence[int] | None) -> Sequence[Tensor]:
    """The rows of each time step: (T, B, F) unbound, or packed rows (sum(batch_sizes), F) split."""
    return sequence.unbind(0) if batch_sizes is None else torch.split_with_sizes(sequence, list(batch_sizes))


class RecurrentDirection(nn.Module):
    """One layer in one direction: the projection of the whole input, then the steps, then their outputs joined."""

    def __init__(self, mode: str, projects: bool, unroll_steps: int, reverse: bool) -> None:
        super().__init__()
        self.reverse = reverse
        self.input_linear = AffineMap()
        self.input_chunk = Chunk(3, -1) if mode == "GRU" else None
        self.steps = nn.ModuleList(make_step(mode, projects) for _ in range(unroll_steps))
        self.time_concat = Concat(0)

    def extra_repr(self) -> str:
        """Say which way it runs."""
        return "reverse=True" if self.reverse else ""

    def forward(
        self, sequence: Tensor, state: State, weights: Weights, batch_sizes: Sequence[int] | None = None
    ) -> tuple[Tensor, State]:
        """Run over `sequence`, (T, B, F) or packed rows; returns the outputs in the same form and the last state."""
        inputs = self._project(sequence, weights, batch_sizes)
        order = range(len(inputs) - 1, -1, -1) if self.reverse else range(len(inputs))
        sizes = [state[0].size(0)] * len(inputs) if batch_sizes is None else batch_sizes
        weights = self._laid_out(weights, len(inputs), state[0].size(0))
        outputs, state = self._run([(inputs[t], sizes[t]) for t in order], state, weights)
        joined = direct(self.time_concat)(outputs[::-1] if self.reverse else outputs)
        return (joined if batch_sizes is not None else joined.unflatten(0, (len(inputs), sizes[0]))), state

    def _project(self, sequence: Tensor, weights: Weights, batch_sizes: Sequence[int] | None) -> Sequence[Projected]:
        projected = direct(self.input_linear)(sequence, weights.ih, weights.bias_ih)
        if self.input_chunk is None:
            return split_time(projected, batch_sizes)
        gates = direct(self.input_chunk)(projected)
        return list(zip(*(split_time(gate, batch_sizes) for gate in gates), strict=True))

    def _laid_out(self, weights: Weights, steps: int, rows: int) -> Weights:
        # A replaced or watched linear gets the Parameter itself: it may know its weight by identity.
        if torch.is_grad_enabled() or steps < _COPY_FROM_STEPS or rows < _COPY_FROM_ROWS:
            return weights
        if not all(is_untouched(step.hidden_linear, LEAVES) for step in self.steps):  # type: ignore[arg-type]
            return weights
        return weights._replace(hh=weights.hh.t().contiguous().t())

    def _run(self, inputs: list[tuple[Projected, int]], state: State, weights: Weights) -> tuple[list[Tensor], State]:
        # `whole` is the state of all sequences, `state` that of the rows which this step has.
        entries = [step.entry() for step in self.steps]  # type: ignore[operator]
        whole, outputs, last = state, [], len(entries) - 1
        for number, (projected, rows) in enumerate(inputs):
            if rows != state[0].size(0):
                whole = _written_back(whole, state)
                state = tuple(part[:rows] for part in whole)
            state = entries[min(number, last)](projected, state, weights)
            outputs.append(state[0])
        return outputs, _written_back(whole, state)


def _written_back(whole: State, state: State) -> State:
    rows = state[0].size(0)
    if rows == whole[0].size(0):
        return state
    return tuple(torch.slice_scatter(old, new, 0, 0, rows) for old, new in zip(whole, state, strict=True))


class RecurrentStages(nn.Module):
    """All stages of an LSTM, GRU or RNN: `l0`, `l0_reverse`, `concat_l0`, `dropout_l0`, `l1` …; no parameters."""

    def __init__(self, mode: str, num_layers: int, bidirectional: bool, projects: bool, unroll_steps: int) -> None:
        super().__init__()
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        for layer in range(num_layers):
            self.add_module(f"l{layer}", RecurrentDirection(mode, projects, unroll_steps, reverse=False))
            if bidirectional:
                self.add_module(f"l{layer}_reverse", RecurrentDirection(mode, projects, unroll_steps, reverse=True))
                self.add_module(f"concat_l{layer}", Concat(-1))
            if layer < num_layers - 1:
                self.add_module(f"dropout_l{layer}", FunctionalDropout())
        self.hidden_stack = Stack(0)
        self.cell_stack = Stack(0) if mode == "LSTM" else None

    def forward(
        self,
        sequence: Tensor,
        state: State,
        weights: Sequence[Weights],
        batch_sizes: Sequence[int] | None = None,
        *,
        dropout: float = 0.0,
        training: bool = False,
    ) -> tuple[Tensor, State]:
        """Run all layers.

        sequence: (T, B, F), or packed rows with `batch_sizes`; state: (num_layers * directions, B, H) each;
        weights: one per layer and direction, in torch's order. Returns the last layer's output in the form of
        `sequence`, and the last state in the form of `state`.
        """
        parts = list(zip(*(whole.unbind(0) for whole in state), strict=True))
        directions = 2 if self.bidirectional else 1
        last: list[State] = []
        for layer in range(self.num_layers):
            here = slice(layer * directions, (layer + 1) * directions)
            sequence, finals = self._layer(layer, sequence, parts[here], weights[here], batch_sizes)
            last.extend(finals)
            if layer < self.num_layers - 1:
                sequence = self._stage(f"dropout_l{layer}")(sequence, dropout, training)
        stacks = [self.hidden_stack] if self.cell_stack is None else [self.hidden_stack, self.cell_stack]
        return sequence, tuple(stack(part) for stack, part in zip(stacks, zip(*last, strict=True), strict=True))

    def _stage(self, name: str) -> nn.Module:
        return self.get_submodule(name)

    def _layer(
        self,
        layer: int,
        sequence: Tensor,
        states: Sequence[State],
        weights: Sequence[Weights],
        batch_sizes: Sequence[int] | None,
    ) -> tuple[Tensor, list[State]]:
        output, last = self._stage(f"l{layer}")(sequence, states[0], weights[0], batch_sizes)
        if not self.bidirectional:
            return output, [last]
        backward, last_reverse = self._stage(f"l{layer}_reverse")(sequence, states[1], weights[1], batch_sizes)
        return self._stage(f"concat_l{layer}")([output, backward]), [last, last_reverse]


LEAVES: frozenset[type[nn.Module]] = frozenset(
    {
        AffineMap,
        FunctionalDropout,
        EltwiseAdd,
        EltwiseSub,
        EltwiseMul,
        Chunk,
        Concat,
        Stack,
        nn.Sigmoid,
        nn.Tanh,
        nn.ReLU,
    }
)
STOCK = LEAVES | {RecurrentStages, RecurrentDirection, LSTMStep, GRUStep, RNNStep, nn.ModuleList}
