"""One time step of LSTM, GRU and RNN: every operation a module of its own, in the order of torch's formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn

from qprep.runtime_modules._watch import direct
from qprep.runtime_modules.arithmetic import EltwiseAdd, EltwiseMul, EltwiseSub
from qprep.runtime_modules.joins import Chunk
from qprep.runtime_modules.linear import AffineMap

State = tuple[Tensor, ...]  # (h,), or (h, c) for an LSTM
Projected = Tensor | tuple[Tensor, ...]  # the input's share of the gates; one tensor a gate for a GRU


class Weights(NamedTuple):
    """The parameters of one layer in one direction, with torch's shapes."""

    ih: Tensor  # (gates * hidden_size, input_size)
    hh: Tensor  # (gates * hidden_size, proj_size or hidden_size)
    bias_ih: Tensor | None = None  # (gates * hidden_size,)
    bias_hh: Tensor | None = None  # (gates * hidden_size,)
    hr: Tensor | None = None  # (proj_size, hidden_size)

    @classmethod
    def of(cls, parameters: list[Tensor]) -> Weights:
        """Name the entries of one item of `RNNBase.all_weights`: w_ih, w_hh[, b_ih, b_hh][, w_hr]."""
        ih, hh, *rest = parameters
        bias_ih, bias_hh = rest[:2] if len(rest) >= 2 else (None, None)
        return cls(ih, hh, bias_ih, bias_hh, rest[-1] if len(rest) % 2 else None)


StepFunction = Callable[[Any, State, Weights], State]  # Any: Projected, of the kind that the step takes


class RecurrentStep(nn.Module):
    """The stages of one time step; `bind` resolves them once, so that a loop over time pays for it once."""

    def bind(self) -> StepFunction:
        """Return `step(projected_input, state, weights) -> state` over this step's stages."""
        raise NotImplementedError

    def entry(self) -> StepFunction:
        """The callable of one step of a loop over time: the module itself if it carries hooks."""
        call = direct(self)
        return self if call is self else self.bind()

    def forward(self, projected: Projected, state: State, weights: Weights) -> State:
        """`projected`: the input's share of the gates, (batch, gates * hidden_size); returns the next state."""
        return self.bind()(projected, state, weights)


class LSTMStep(RecurrentStep):
    """i, f, g, o = gates; c' = f * c + i * g; h' = o * tanh(c'), projected by W_hr where `projects`."""

    def __init__(self, projects: bool = False) -> None:
        super().__init__()
        self.hidden_linear = AffineMap()
        self.gate_add = EltwiseAdd()
        self.gate_chunk = Chunk(4, 1)
        self.input_sigmoid = nn.Sigmoid()
        self.forget_sigmoid = nn.Sigmoid()
        self.cell_tanh = nn.Tanh()
        self.output_sigmoid = nn.Sigmoid()
        self.forget_mul = EltwiseMul()
        self.input_mul = EltwiseMul()
        self.cell_add = EltwiseAdd()
        self.hidden_tanh = nn.Tanh()
        self.hidden_mul = EltwiseMul()
        self.hidden_projection = AffineMap() if projects else None

    def bind(self) -> StepFunction:
        """See `RecurrentStep.bind`; the state is (h, c)."""
        hidden_linear, gate_add, chunk = direct(self.hidden_linear), direct(self.gate_add), direct(self.gate_chunk)
        input_sigmoid, forget_sigmoid = direct(self.input_sigmoid), direct(self.forget_sigmoid)
        cell_tanh, output_sigmoid = direct(self.cell_tanh), direct(self.output_sigmoid)
        forget_mul, input_mul, cell_add = direct(self.forget_mul), direct(self.input_mul), direct(self.cell_add)
        hidden_tanh, hidden_mul = direct(self.hidden_tanh), direct(self.hidden_mul)
        project = direct(self.hidden_projection) if self.hidden_projection is not None else None

        def step(projected: Tensor, state: State, weights: Weights) -> State:
            hidden, cell = state
            i, f, g, o = chunk(gate_add(projected, hidden_linear(hidden, weights.hh, weights.bias_hh)))
            cell = cell_add(forget_mul(forget_sigmoid(f), cell), input_mul(input_sigmoid(i), cell_tanh(g)))
            hidden = hidden_mul(output_sigmoid(o), hidden_tanh(cell))
            return (hidden if project is None else project(hidden, weights.hr)), cell

        return step


class GRUStep(RecurrentStep):
    """n = tanh(x_n + r * h_n); h' = (h - n) * z + n, which is (1 - z) * n + z * h with one multiplication less."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden_linear = AffineMap()
        self.hidden_chunk = Chunk(3, 1)
        self.reset_add = EltwiseAdd()
        self.reset_sigmoid = nn.Sigmoid()
        self.update_add = EltwiseAdd()
        self.update_sigmoid = nn.Sigmoid()
        self.reset_mul = EltwiseMul()
        self.new_add = EltwiseAdd()
        self.new_tanh = nn.Tanh()
        self.state_sub = EltwiseSub()
        self.update_mul = EltwiseMul()
        self.state_add = EltwiseAdd()

    def bind(self) -> StepFunction:
        """See `RecurrentStep.bind`; `projected` is the input's share of r, z and n, one tensor each."""
        hidden_linear, chunk = direct(self.hidden_linear), direct(self.hidden_chunk)
        reset_add, reset_sigmoid = direct(self.reset_add), direct(self.reset_sigmoid)
        update_add, update_sigmoid = direct(self.update_add), direct(self.update_sigmoid)
        reset_mul, new_add, new_tanh = direct(self.reset_mul), direct(self.new_add), direct(self.new_tanh)
        state_sub, update_mul, state_add = direct(self.state_sub), direct(self.update_mul), direct(self.state_add)

        def step(projected: tuple[Tensor, Tensor, Tensor], state: State, weights: Weights) -> State:
            (hidden,) = state
            hidden_r, hidden_z, hidden_n = chunk(hidden_linear(hidden, weights.hh, weights.bias_hh))
            reset = reset_sigmoid(reset_add(projected[0], hidden_r))
            update = update_sigmoid(update_add(projected[1], hidden_z))
            new = new_tanh(new_add(projected[2], reset_mul(reset, hidden_n)))
            return (state_add(update_mul(state_sub(hidden, new), update), new),)

        return step


class RNNStep(RecurrentStep):
    """h' = tanh(x + W_hh h), or ReLU."""

    def __init__(self, relu: bool = False) -> None:
        super().__init__()
        self.hidden_linear = AffineMap()
        self.gate_add = EltwiseAdd()
        self.activation: nn.Module = nn.ReLU() if relu else nn.Tanh()

    def bind(self) -> StepFunction:
        """See `RecurrentStep.bind`."""
        hidden_linear, gate_add = direct(self.hidden_linear), direct(self.gate_add)
        activation = direct(self.activation)

        def step(projected: Tensor, state: State, weights: Weights) -> State:
            (hidden,) = state
            return (activation(gate_add(projected, hidden_linear(hidden, weights.hh, weights.bias_hh))),)

        return step


def make_step(mode: str, projects: bool) -> RecurrentStep:
    """The step of `RNNBase.mode`: LSTM, GRU, RNN_TANH or RNN_RELU."""
    if mode == "LSTM":
        return LSTMStep(projects)
    return GRUStep() if mode == "GRU" else RNNStep(relu=mode == "RNN_RELU")
