"""LSTM, GRU and RNN whose gates are dedicated modules: drop-in for torch's, state_dict and all.

Formulas: torch.nn.LSTM, GRU and RNN (their documentation). Parameters, constructor, initialisation, attributes and
`isinstance` come from torch's own classes; the stages are parameterless modules under the one child `stages`.

Two paths give the same results to rounding. Where anything reads or replaces a stage (a hook, another class, a
tracer, a compiler, a mode), every stage runs as a module. Where nothing does, torch's own kernel runs: its outputs
bit for bit, at its speed. `force_stages` always takes the first path.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from qprep.runtime_modules._recurrent_layers import STOCK, RecurrentStages
from qprep.runtime_modules._recurrent_steps import State, Weights
from qprep.runtime_modules._staging import Staged
from qprep.runtime_modules._watch import is_captured, is_untouched

Hidden = Tensor | tuple[Tensor, Tensor]


class StagedRecurrent(Staged, nn.RNNBase):
    """The base of LSTM, GRU and RNN: the stages, and the choice of path.

    unroll_steps  how many sets of step modules there are. With 1, one set serves all time steps; with n, the step
                  that runs t-th (in a reverse direction: from the end) uses set min(t, n - 1), so that each step
                  can have ranges of its own. Sets hold no parameters.
    force_stages  run the stages as modules even where nothing reads them.
    """

    stages: RecurrentStages
    force_stages: bool
    unroll_steps: int

    def __init__(self, *args: Any, unroll_steps: int = 1, force_stages: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_stages(unroll_steps, force_stages)

    def add_stages(self, unroll_steps: int = 1, force_stages: bool = False) -> None:
        """Create the stages anew, as the layer's options say."""
        if unroll_steps < 1:
            raise ValueError(f"unroll_steps should be 1 or more, got {unroll_steps}")
        self.unroll_steps = unroll_steps
        self.force_stages = force_stages
        self.stages = RecurrentStages(
            self.mode, self.num_layers, self.bidirectional, self.proj_size > 0, unroll_steps
        ).train(self.training)

    def extra_repr(self) -> str:
        """torch's, and the options that are ours."""
        unrolled = f", unroll_steps={self.unroll_steps}" if self.unroll_steps > 1 else ""
        return super().extra_repr() + unrolled + (", force_stages=True" if self.force_stages else "")

    def forward(
        self, input: Tensor | PackedSequence, hx: Hidden | None = None
    ) -> tuple[Tensor | PackedSequence, Hidden]:
        """As torch's: `input` (T, B, F), (B, T, F) with batch_first, (T, F) or packed; returns output and state."""
        if not self._runs_stages(input):
            return super().forward(input, hx)  # type: ignore[no-any-return]
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        return self._forward_padded(input, hx)

    def _runs_stages(self, input: Tensor | PackedSequence) -> bool:
        data = input.data if isinstance(input, PackedSequence) else input
        return self.force_stages or is_captured((data,)) or not is_untouched(self.stages, STOCK)

    def _forward_packed(self, input: PackedSequence, hx: Hidden | None) -> tuple[PackedSequence, Hidden]:
        data, batch_sizes, sorted_indices, unsorted_indices = input
        sizes = batch_sizes.tolist()
        hidden = self._zeros(data, sizes[0]) if hx is None else self.permute_hidden(hx, sorted_indices)  # type: ignore[arg-type]
        self.check_forward_args(data, hidden, batch_sizes)  # type: ignore[arg-type]
        output, last = self._run(data, hidden, sizes)
        packed = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
        return packed, self.permute_hidden(last, unsorted_indices)  # type: ignore[arg-type]

    def _forward_padded(self, input: Tensor, hx: Hidden | None) -> tuple[Tensor, Hidden]:
        name, batched = type(self).__name__, input.dim() == 3
        if input.dim() not in (2, 3):
            raise ValueError(f"{name}: Expected input to be 2D or 3D, got {input.dim()}D instead")
        batch_dim = 0 if self.batch_first else 1
        sequence = input if batched else input.unsqueeze(batch_dim)
        rows = sequence.size(batch_dim)
        hidden = self._zeros(sequence, rows) if hx is None else self._with_batch(hx, batched)
        self.check_forward_args(sequence, hidden, None)  # type: ignore[arg-type]
        if sequence.size(1 - batch_dim) == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        output, last = self._run(sequence.transpose(0, 1) if self.batch_first else sequence, hidden, None)
        if self.batch_first:
            output = output.transpose(0, 1)
        if batched:
            return output, last
        return output.squeeze(batch_dim), self._joined(tuple(part.squeeze(1) for part in self._parts(last)))

    def _run(self, sequence: Tensor, hidden: Hidden, batch_sizes: list[int] | None) -> tuple[Tensor, Hidden]:
        weights = [Weights.of(list(parameters)) for parameters in self.all_weights]
        output, last = self.stages(
            sequence, self._parts(hidden), weights, batch_sizes, dropout=self.dropout, training=self.training
        )
        return output, self._joined(last)

    def _with_batch(self, hx: Hidden, batched: bool) -> Hidden:
        expected = 3 if batched else 2
        parts = self._parts(hx)
        if any(part.dim() != expected for part in parts):
            found = ", ".join(f"{part.dim()}-D" for part in parts)
            kind = "batched 3-D" if batched else "unbatched 2-D"
            raise RuntimeError(f"For {kind} input, hx should also be {expected}-D but got {found} tensor")
        return hx if batched else self._joined(tuple(part.unsqueeze(1) for part in parts))

    def _zeros(self, data: Tensor, rows: int) -> Hidden:
        layers = self.num_layers * (2 if self.bidirectional else 1)
        sizes = (self.proj_size or self.hidden_size, self.hidden_size)
        return self._joined(
            tuple(torch.zeros(layers, rows, size, dtype=data.dtype, device=data.device) for size in sizes)
        )

    def _parts(self, hidden: Hidden) -> State:
        return tuple(hidden) if self.mode == "LSTM" else (hidden,)  # type: ignore[return-value]

    def _joined(self, parts: State) -> Hidden:
        return (parts[0], parts[1]) if self.mode == "LSTM" else parts[0]


class LSTM(StagedRecurrent, nn.LSTM):  # type: ignore[misc] # forward comes from the first
    """torch.nn.LSTM from dedicated modules; see `StagedRecurrent` for `unroll_steps` and `force_stages`."""


class GRU(StagedRecurrent, nn.GRU):  # type: ignore[misc] # forward comes from the first
    """torch.nn.GRU from dedicated modules; see `StagedRecurrent` for `unroll_steps` and `force_stages`."""


class RNN(StagedRecurrent, nn.RNN):  # type: ignore[misc] # forward comes from the first
    """torch.nn.RNN (tanh, relu) from dedicated modules; see `StagedRecurrent` for its two options."""
