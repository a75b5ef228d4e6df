"""LSTM, GRU and RNN from stages: equal to torch's in every option, and drop-in in everything around them."""

from __future__ import annotations

import pathlib
import runpy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from qprep.runtime_modules import recurrent
from qprep.runtime_modules._recurrent_steps import RecurrentStep

MATRIX: Any = SimpleNamespace(**runpy.run_path(str(pathlib.Path(__file__).parents[2] / "scripts" / "option_matrix.py")))
KINDS = ("LSTM", "GRU", "RNN")
LIMITS = {torch.float32: 1e-6, torch.float64: 1e-12}


def pair(kind: str, *args: Any, **keywords: Any) -> tuple[nn.Module, Any]:
    """torch's layer and ours with its weights, every stage run."""
    own = getattr(nn, kind)(*args, **keywords)
    staged = getattr(recurrent, kind)(*args, force_stages=True, **keywords)
    staged.load_state_dict(own.state_dict())
    return own, staged


@pytest.mark.parametrize("form", MATRIX.FORMS)
@pytest.mark.parametrize("options", list(MATRIX.recurrent_options()), ids=lambda options: options.label())
def test_every_option_gives_torchs_outputs_and_gradients(options: Any, form: str) -> None:
    for dtype, limit in LIMITS.items():
        for batch_first in (False, True):
            for with_state in (False, True):
                assert MATRIX.recurrent_error(options, form, batch_first, with_state, dtype) <= limit


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_size_and_length_gives_torchs_outputs_and_gradients(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    features, hidden = data.draw(st.integers(1, 5)), data.draw(st.integers(2, 6))
    keywords = {
        "num_layers": data.draw(st.integers(1, 3)),
        "bias": data.draw(st.booleans()),
        "bidirectional": data.draw(st.booleans()),
        "dtype": torch.float64,
    }
    if kind == "LSTM":
        keywords["proj_size"] = data.draw(st.integers(0, hidden - 1))
    torch.manual_seed(data.draw(st.integers(0, 9)))
    own, staged = pair(kind, features, hidden, **keywords)
    staged.add_stages(data.draw(st.integers(1, 4)), force_stages=True)
    lengths = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    leaves = [torch.randn(length, features, dtype=torch.float64, requires_grad=True) for length in lengths]
    assert MATRIX.worst_error(staged, own, lambda m: m(pack_sequence(leaves, enforce_sorted=False)), leaves) <= 1e-12


@pytest.mark.parametrize("kind", KINDS)
def test_more_steps_than_the_weight_copy_needs_give_torchs_outputs(kind: str) -> None:
    own, staged = pair(kind, 3, 5, 2, dtype=torch.float64)
    sequence = torch.randn(40, 6, 3, dtype=torch.float64)
    with torch.no_grad():
        assert MATRIX.relative_error(staged(sequence)[0], own(sequence)[0]) <= 1e-12


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [False, True])
def test_unwatched_layers_give_torchs_bits(kind: str, training: bool) -> None:
    own, staged = pair(kind, 4, 6, 3, dropout=0.5, bidirectional=True)
    staged.force_stages = False
    sequence = torch.randn(7, 3, 4)
    outputs = []
    for module in (own, staged):
        torch.manual_seed(5)
        outputs.append(module.train(training)(sequence)[0])
    assert torch.equal(*outputs)


@pytest.mark.parametrize("kind", KINDS)
def test_stages_drop_what_torch_drops_under_one_seed(kind: str) -> None:
    own, staged = pair(kind, 4, 6, 3, dropout=0.5, batch_first=True, dtype=torch.float64)
    sequence = torch.randn(3, 7, 4, dtype=torch.float64)
    outputs = []
    for module in (own, staged):
        torch.manual_seed(5)
        outputs.append(module(sequence)[0])
    assert MATRIX.relative_error(outputs[1], outputs[0]) <= 1e-12


def test_dropout_has_torchs_distribution() -> None:
    own, staged = pair("LSTM", 2, 3, 2, dropout=0.4)
    sequence = torch.randn(4, 1, 2).expand(-1, 20_000, -1).contiguous()
    with torch.no_grad():
        (expected, _), (found, _) = own(sequence), staged(sequence)
    spread = expected[-1].std(0) / 20_000**0.5
    assert ((found[-1].mean(0) - expected[-1].mean(0)).abs() < 6 * spread).all()
    assert torch.allclose(found[-1].std(0), expected[-1].std(0), rtol=0.05)


def test_dropout_stays_between_layers() -> None:
    staged = recurrent.LSTM(2, 3, 2, dropout=1.0, force_stages=True)
    sequence, other = torch.randn(5, 1, 2), torch.randn(5, 1, 2)
    (found, (hidden, _)), (expected, (other_hidden, _)) = staged(sequence), staged(other)
    assert torch.equal(found, expected)  # the second layer sees zeros only
    assert not torch.equal(hidden[0], other_hidden[0])  # the first layer's state is never dropped
    assert found.any()  # nor is the output of the last


def _calls(module: nn.Module, sequence: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, stage in module.named_modules():
        if name and not any(stage.children()):
            counts[name] = 0
            stage.register_forward_hook(lambda *_, name=name: counts.update({name: counts[name] + 1}))
    module(sequence)
    return counts


@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_sees_every_stage_of_every_step(kind: str) -> None:
    staged = getattr(recurrent, kind)(4, 6, 2, bidirectional=True, dropout=0.1)
    counts = _calls(staged, torch.randn(5, 3, 4))
    per_step = {name: count for name, count in counts.items() if ".steps." in name}
    assert len(per_step) == 4 * {"LSTM": 12, "GRU": 12, "RNN": 3}[kind]
    assert set(per_step.values()) == {5}
    assert {count for name, count in counts.items() if name not in per_step} == {1}


def test_unrolled_steps_have_stages_of_their_own() -> None:
    counts = _calls(recurrent.GRU(4, 6, unroll_steps=3, bidirectional=True), torch.randn(5, 2, 4))
    assert [counts[f"stages.l0.steps.{t}.new_tanh"] for t in range(3)] == [1, 1, 3]
    assert [counts[f"stages.l0_reverse.steps.{t}.new_tanh"] for t in range(3)] == [1, 1, 3]


def test_a_replaced_stage_is_used() -> None:
    staged = recurrent.LSTM(4, 6)
    sequence = torch.randn(5, 3, 4)
    before = staged(sequence)[0]
    staged.get_submodule("stages.l0.steps.0").output_sigmoid = nn.Hardsigmoid()
    after = staged(sequence)[0]
    weights = dict(staged.named_parameters())
    h = c = torch.zeros(3, 6)
    for x, found in zip(sequence, after, strict=True):
        gates = x @ weights["weight_ih_l0"].T + h @ weights["weight_hh_l0"].T
        i, f, g, o = (gates + weights["bias_ih_l0"] + weights["bias_hh_l0"]).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = nn.functional.hardsigmoid(o) * c.tanh()
        assert torch.allclose(found, h, atol=1e-6)
    assert not torch.allclose(before, after, atol=1e-3)


def test_a_hook_on_a_whole_step_sees_the_state() -> None:
    staged = recurrent.LSTM(4, 6)
    shapes = []
    step = next(module for module in staged.modules() if isinstance(module, RecurrentStep))
    step.register_forward_hook(lambda _module, _args, state: shapes.append([part.shape for part in state]))
    staged(torch.randn(5, 3, 4))
    assert shapes == [[(3, 6), (3, 6)]] * 5
