"""LSTMCell, GRUCell and RNNCell from stages: equal to torch's, and drop-in in everything around them."""

from __future__ import annotations

import inspect
import itertools
import pathlib
import runpy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from qprep.runtime_modules import recurrent_cells

MATRIX: Any = SimpleNamespace(**runpy.run_path(str(pathlib.Path(__file__).parents[2] / "scripts" / "option_matrix.py")))
KINDS = ("LSTMCell", "GRUCell", "RNNCell")
CASES: list[tuple[str, dict[str, str]]] = [(kind, {}) for kind in KINDS] + [("RNNCell", {"nonlinearity": "relu"})]


def pair(kind: str, **keywords: Any) -> tuple[Any, Any]:
    torch.manual_seed(0)
    own = getattr(nn, kind)(4, 6, **keywords)
    torch.manual_seed(0)
    staged = getattr(recurrent_cells, kind)(4, 6, **keywords)
    staged.force_stages = True
    return own, staged


def run(cell: Any, x: torch.Tensor, state: list[torch.Tensor]) -> list[torch.Tensor]:
    """Two steps, then the gradients of their sum."""
    hx: Any = None if not state else tuple(state) if isinstance(cell, nn.LSTMCell) else state[0]
    outputs = cell(x * 2, cell(x, hx))
    outputs = [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)
    leaves = [x, *state, *cell.parameters()]
    return [*outputs, *torch.autograd.grad(sum(out.sin().sum() for out in outputs), leaves)]


@pytest.mark.parametrize(("kind", "keywords"), CASES)
def test_cells_give_torchs_outputs_and_gradients(kind: str, keywords: dict[str, str]) -> None:
    for bias, batched, with_state, dtype in itertools.product(
        (True, False), (True, False), (True, False), (torch.float32, torch.float64)
    ):
        own, staged = pair(kind, bias=bias, dtype=dtype, **keywords)
        lead = (3,) if batched else ()
        x = torch.randn(*lead, 4, dtype=dtype, requires_grad=True)
        count = 0 if not with_state else 2 if kind == "LSTMCell" else 1
        state = [torch.randn(*lead, 6, dtype=dtype, requires_grad=True) for _ in range(count)]
        for found, expected in zip(run(staged, x, state), run(own, x, state), strict=True):
            limit = 1e-6 if dtype is torch.float32 else 1e-12
            assert (found - expected).abs().max() <= limit * expected.abs().max()


def test_every_option_of_the_table() -> None:
    for name, form, with_state in itertools.product(MATRIX.CELLS, MATRIX.CELL_FORMS, (False, True)):
        assert MATRIX.cell_error(name, form, with_state, torch.float32) <= 1e-6
        assert MATRIX.cell_error(name, form, with_state, torch.float64) <= 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_unwatched_cells_give_torchs_bits(kind: str) -> None:
    own, staged = pair(kind)
    staged.force_stages = False
    x = torch.randn(3, 4)
    found, expected = staged(x), own(x)
    assert torch.equal(*(out[1] if kind == "LSTMCell" else out for out in (found, expected)))


@pytest.mark.parametrize("kind", KINDS)
def test_everything_around_is_torchs(kind: str) -> None:
    own, staged = pair(kind)
    assert isinstance(staged, type(own))
    assert list(own.state_dict()) == list(staged.state_dict())
    assert all(torch.equal(own.state_dict()[key], value) for key, value in staged.state_dict().items())
    assert inspect.signature(type(staged)) == inspect.signature(type(own))
    assert staged.extra_repr() == own.extra_repr()


def test_a_hook_sees_the_stages() -> None:
    cell = recurrent_cells.GRUCell(4, 6)
    seen = []
    for stage in cell.modules():
        stage.register_forward_hook(lambda module, *_: seen.append(type(module).__name__))
    cell(torch.randn(3, 4))
    assert seen.count("Sigmoid") == 2
    assert seen[-1] == "GRUCell"


@pytest.mark.parametrize("force_stages", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("shape", "state"), [((2, 3, 4), None), ((3, 5), None), ((3, 4), (2, 6)), ((3, 4), (3, 5)), ((3, 4), (1, 3, 6))]
)
def test_bad_input_gives_torchs_kind_of_error(
    kind: str, shape: tuple[int, ...], state: tuple[int, ...] | None, force_stages: bool
) -> None:
    own, staged = pair(kind)
    staged.force_stages = force_stages
    hx: Any = None if state is None else torch.zeros(state)
    hx = (hx, hx) if kind == "LSTMCell" and hx is not None else hx
    with pytest.raises((ValueError, RuntimeError)) as expected:
        own(torch.zeros(shape), hx)
    with pytest.raises(expected.type):
        staged(torch.zeros(shape), hx)


def test_an_unknown_nonlinearity_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="Unknown nonlinearity: selu"):
        recurrent_cells.RNNCell(4, 6, nonlinearity="selu")
