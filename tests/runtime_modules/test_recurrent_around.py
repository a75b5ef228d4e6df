"""LSTM, GRU and RNN from stages are drop-in: state_dict, errors, copies, dtypes, compilers, computed weights."""

from __future__ import annotations

import copy
import pathlib
import pickle
from typing import Any

import pytest
import torch
from torch import distributed, nn
from torch.nn.utils.rnn import pack_padded_sequence

from qprep.runtime_modules import recurrent

KINDS = ("LSTM", "GRU", "RNN")


def pair(kind: str, *args: Any, **keywords: Any) -> tuple[nn.Module, Any]:
    """torch's layer and ours with its weights, every stage run."""
    own = getattr(nn, kind)(*args, **keywords)
    staged = getattr(recurrent, kind)(*args, force_stages=True, **keywords)
    staged.load_state_dict(own.state_dict())
    return own, staged


@pytest.mark.parametrize("kind", KINDS)
def test_state_dict_and_random_state_are_torchs(kind: str) -> None:
    torch.manual_seed(3)
    own = getattr(nn, kind)(4, 6, num_layers=2, bidirectional=True)
    after = torch.get_rng_state()
    torch.manual_seed(3)
    staged = getattr(recurrent, kind)(4, 6, num_layers=2, bidirectional=True)
    assert torch.equal(after, torch.get_rng_state())
    assert list(own.state_dict()) == list(staged.state_dict())
    assert [name for name, _ in own.named_parameters()] == [name for name, _ in staged.named_parameters()]
    assert all(torch.equal(own.state_dict()[key], value) for key, value in staged.state_dict().items())
    own.load_state_dict(staged.state_dict(), strict=True)
    assert isinstance(staged, getattr(nn, kind))
    assert [len(weights) for weights in staged.all_weights] == [len(weights) for weights in own.all_weights]
    assert staged.flatten_parameters() is None


@pytest.mark.parametrize("force_stages", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("shape", "state", "dtype"),
    [
        ((4,), None, torch.float32),
        ((5, 3, 7), None, torch.float32),
        ((0, 3, 4), None, torch.float32),
        ((5, 3, 4), (1, 2, 6), torch.float32),
        ((5, 3, 4), (3, 6), torch.float32),
        ((5, 4), (1, 3, 6), torch.float32),
        ((5, 3, 4), None, torch.float64),
    ],
)
def test_bad_input_gives_torchs_kind_of_error(
    kind: str, shape: tuple[int, ...], state: tuple[int, ...] | None, dtype: torch.dtype, force_stages: bool
) -> None:
    own, staged = pair(kind, 4, 6)
    staged.force_stages = force_stages
    hx: Any = None if state is None else torch.zeros(state)
    hx = (hx, hx) if kind == "LSTM" and hx is not None else hx
    with pytest.raises((ValueError, RuntimeError)) as expected:
        own(torch.randn(shape).to(dtype), hx)
    with pytest.raises(expected.type):
        staged(torch.randn(shape).to(dtype), hx)


@pytest.mark.parametrize("keywords", [{"proj_size": 2}, {"unroll_steps": 0}])
def test_bad_options_are_errors(keywords: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"proj_size|unroll_steps"):
        recurrent.GRU(4, 6, **keywords)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_are_equal_and_independent(copied: Any) -> None:
    staged = recurrent.LSTM(4, 6, 2, unroll_steps=2, force_stages=True)
    sequence = torch.randn(5, 3, 4)
    other = copied(staged)
    assert torch.equal(other(sequence)[0], staged(sequence)[0])
    assert not {id(module) for module in other.modules()} & {id(module) for module in staged.modules()}
    with torch.no_grad():
        other.weight_hh_l0.zero_()
    assert not torch.equal(other(sequence)[0], staged(sequence)[0])


class FormerlyTorch(recurrent.LSTM):
    """Stands for a user's subclass of nn.LSTM whose source was rewritten."""


def test_a_pickle_from_before_the_rewrite_gets_stages() -> None:
    state = copy.copy(vars(nn.LSTM(4, 6)))
    revived = FormerlyTorch.__new__(FormerlyTorch)
    revived.__setstate__(state)
    revived.force_stages = True
    assert revived(torch.randn(5, 3, 4))[0].shape == (5, 3, 6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes(dtype: torch.dtype) -> None:
    _, staged = pair("LSTM", 4, 6, 2)
    expected = staged(torch.ones(5, 3, 4))[0]
    found, (hidden, cell) = staged.to(dtype)(torch.ones(5, 3, 4, dtype=dtype))
    assert {found.dtype, hidden.dtype, cell.dtype} == {dtype}
    assert torch.allclose(found.float(), expected, atol=0.02)


@pytest.mark.parametrize("packed", [False, True])
def test_compiled_layers_give_the_same(packed: bool) -> None:
    staged = recurrent.LSTM(4, 6)

    def run(sequence: torch.Tensor) -> torch.Tensor:
        output: Any = staged(pack_padded_sequence(sequence, [5, 4, 2]) if packed else sequence)[0]
        result: torch.Tensor = output.data if packed else output
        return result * 2

    sequence = torch.randn(5, 3, 4)
    assert torch.allclose(torch.compile(run, backend="eager")(sequence), run(sequence), atol=1e-6)


def test_one_graph_holds_the_stages() -> None:
    staged, sequence = recurrent.LSTM(4, 6, bidirectional=True), torch.randn(5, 3, 4)
    with torch._dynamo.config.patch(allow_rnn=True):
        compiled = torch.compile(staged, backend="eager", fullgraph=True)
        assert torch.allclose(compiled(sequence)[0], staged(sequence)[0], atol=1e-6)


def test_an_exported_program_holds_the_stages() -> None:
    staged, sequence = recurrent.GRU(4, 6), torch.randn(5, 3, 4)
    program = torch.export.export(staged, (sequence,), strict=False)
    targets = [str(node.target) for node in program.graph.nodes]
    assert targets.count("aten.tanh.default") == 5
    assert not any("gru" in target for target in targets)
    assert torch.allclose(program.module()(sequence)[0], staged(sequence)[0], atol=1e-6)


@pytest.mark.parametrize("force_stages", [False, True])
def test_weights_that_are_computed_or_swapped_count(force_stages: bool) -> None:
    staged: Any = recurrent.LSTM(4, 6, force_stages=force_stages)
    sequence = torch.randn(5, 3, 4)
    zeros = {name: torch.zeros_like(value) for name, value in staged.state_dict().items()}
    assert not torch.func.functional_call(staged, zeros, (sequence,))[0].any()
    expected = staged(sequence)[0]
    nn.utils.parametrizations.weight_norm(staged, "weight_hh_l0")
    staged(sequence)[0].sum().backward()
    assert torch.allclose(staged(sequence)[0], expected, atol=1e-6)
    assert staged.parametrizations.weight_hh_l0.original0.grad.any()


def test_extra_repr_shows_the_options() -> None:
    assert (
        recurrent.LSTM(4, 6, unroll_steps=3, force_stages=True).extra_repr()
        == "4, 6, unroll_steps=3, force_stages=True"
    )
    assert recurrent.RNN(4, 6).extra_repr() == nn.RNN(4, 6).extra_repr()


def test_distributed_data_parallel_trains_stages(tmp_path: pathlib.Path) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        own, staged = pair("LSTM", 4, 6, 2)
        sequence = torch.randn(5, 3, 4)
        nn.parallel.DistributedDataParallel(staged)(sequence)[0].sum().backward()
        own(sequence)[0].sum().backward()
        for found, expected in zip(staged.parameters(), own.parameters(), strict=True):
            torch.testing.assert_close(found.grad, expected.grad, rtol=1e-5, atol=1e-5)
    finally:
        distributed.destroy_process_group()
