"""LSTMCell, GRUCell and RNNCell whose gates are dedicated modules: drop-in for torch's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from qprep.runtime_modules._recurrent_layers import STOCK
from qprep.runtime_modules._recurrent_steps import State, Weights, make_step
from qprep.runtime_modules._staging import Staged, like
from qprep.runtime_modules._watch import is_captured, is_untouched
from qprep.runtime_modules.joins import Chunk
from qprep.runtime_modules.linear import AffineMap

Hidden = Tensor | tuple[Tensor, ...]


class RecurrentCellStages(nn.Module):
    """The stages of one cell; no parameters."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.input_linear = AffineMap()
        self.input_chunk = Chunk(3, -1) if mode == "GRU" else None
        self.step = make_step(mode, projects=False)

    def forward(self, input: Tensor, state: State, weights: Weights) -> State:
        """`input` (batch, input_size), `state` (batch, hidden_size) each; returns the next state."""
        projected = self.input_linear(input, weights.ih, weights.bias_ih)
        next_state: State = self.step(
            projected if self.input_chunk is None else self.input_chunk(projected), state, weights
        )
        return next_state


class StagedCell(Staged, nn.RNNCellBase):
    """The base of the three cells.

    Set the attribute `force_stages` to run the stages as modules even where nothing reads them.
    """

    stages: RecurrentCellStages
    force_stages: bool

    def add_stages(self, force_stages: bool = False) -> None:
        """Create the stages anew, as the cell's options say."""
        self.force_stages = force_stages
        self.stages = RecurrentCellStages(self._mode()).train(self.training)

    def forward(self, input: Tensor, hx: Hidden | None = None) -> Hidden:
        """As torch's: `input` (batch, input_size) or (input_size,); returns the next state."""
        if not (self.force_stages or is_captured((input,)) or not is_untouched(self.stages, CELL_STOCK)):
            return super().forward(input, hx)  # type: ignore[no-any-return]
        self._check(input, hx)
        rows = input if input.dim() == 2 else input.unsqueeze(0)
        if hx is None:
            zeros = torch.zeros(rows.size(0), self.hidden_size, dtype=input.dtype, device=input.device)
            state: State = (zeros,) * (2 if self._mode() == "LSTM" else 1)
        else:
            state = self._parts(hx) if input.dim() == 2 else tuple(part.unsqueeze(0) for part in self._parts(hx))
        weights = Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        state = self.stages(rows, state, weights)
        if input.dim() == 1:
            state = tuple(part.squeeze(0) for part in state)
        return state if self._mode() == "LSTM" else state[0]

    def _mode(self) -> str:
        raise NotImplementedError

    def _parts(self, hx: Hidden) -> State:
        return (hx,) if isinstance(hx, Tensor) else tuple(hx)

    def _check(self, input: Tensor, hx: Hidden | None) -> None:
        name = type(self).__name__
        if input.dim() not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        if input.size(-1) != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {input.size(-1)} expected {self.input_size}")
        expected = (*input.shape[:-1], self.hidden_size)
        for part in () if hx is None else self._parts(hx):
            if part.dim() not in (1, 2):
                raise ValueError(f"{name}: Expected hidden to be 1D or 2D, got {part.dim()}D instead")
            if part.shape != expected:
                raise RuntimeError(f"{name}: Expected hidden of shape {expected}, got {tuple(part.shape)}")


class LSTMCell(StagedCell, nn.LSTMCell):  # type: ignore[misc] # forward comes from the first
    """torch.nn.LSTMCell from dedicated modules."""

    @like(nn.LSTMCell.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_stages()

    def _mode(self) -> str:
        return "LSTM"


class GRUCell(StagedCell, nn.GRUCell):  # type: ignore[misc] # forward comes from the first
    """torch.nn.GRUCell from dedicated modules."""

    @like(nn.GRUCell.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_stages()

    def _mode(self) -> str:
        return "GRU"


class RNNCell(StagedCell, nn.RNNCell):  # type: ignore[misc] # forward comes from the first
    """torch.nn.RNNCell (tanh, relu) from dedicated modules."""

    @like(nn.RNNCell.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        self.add_stages()

    def _mode(self) -> str:
        return f"RNN_{self.nonlinearity.upper()}"


CELL_STOCK = STOCK | {RecurrentCellStages}
