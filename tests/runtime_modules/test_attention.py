"""MultiheadAttention from stages: equal to torch's in every option, and drop-in in everything around it."""

from __future__ import annotations

import copy
import inspect
import itertools
import pathlib
import pickle
import runpy
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from qprep.runtime_modules.attention import AttentionSoftmax, MultiheadAttention

MATRIX: Any = SimpleNamespace(**runpy.run_path(str(pathlib.Path(__file__).parents[2] / "scripts" / "option_matrix.py")))


@pytest.fixture(autouse=True)
def _without_fast_path() -> Iterator[None]:
    # torch's fused inference path rounds otherwise, and gives other values where a row is masked entirely.
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(enabled)


def pair(*args: Any, **keywords: Any) -> tuple[nn.MultiheadAttention, MultiheadAttention]:
    torch.manual_seed(0)
    own = nn.MultiheadAttention(*args, **keywords)
    torch.manual_seed(0)
    staged = MultiheadAttention(*args, **keywords)
    staged.force_stages = True
    return own, staged


@pytest.mark.parametrize("masks", MATRIX.MASKS)
@pytest.mark.parametrize("name", MATRIX.ATTENTION_OPTIONS)
def test_every_option_gives_torchs_outputs_and_gradients(name: str, masks: str) -> None:
    for dtype, limit in ((torch.float32, 1e-6), (torch.float64, 1e-12)):
        for batch_first, need_weights, average in itertools.product((False, True), repeat=3):
            error = MATRIX.attention_error(
                MATRIX.ATTENTION_OPTIONS[name],
                masks,
                batch_first=batch_first,
                need_weights=need_weights,
                average=average,
                dtype=dtype,
            )
            assert error <= limit


@pytest.mark.parametrize("name", MATRIX.ATTENTION_OPTIONS)
def test_where_nothing_watches_a_stage_the_bits_are_torchs(name: str) -> None:
    options = MATRIX.ATTENTION_OPTIONS[name]
    for batch_first, need_weights, dims in itertools.product((False, True), (False, True), (2, 3)):
        own, staged = pair(8, 2, dropout=0.5, batch_first=batch_first, **options)
        staged.force_stages = False
        widths = (8, options.get("kdim", 8), options.get("vdim", 8))
        shared = torch.randn(5, *((5,) if dims == 3 else ()), 8, requires_grad=True)
        # One tensor in three places takes another way through torch's function than three tensors.
        leaves = [shared] * 3 if widths == (8, 8, 8) else [torch.randn(*shared.shape[:-1], w) for w in widths]
        results = []
        for module in (own, staged):
            torch.manual_seed(3)
            output, weights = module(*leaves, need_weights=need_weights, attn_mask=torch.rand(5, 5).triu())
            gradients = torch.autograd.grad(output.sin().sum(), list(module.parameters()))
            results.append((output, weights, *gradients))
        for found, expected in zip(results[1], results[0], strict=True):
            assert (found is None and expected is None) or torch.equal(found, expected)
        assert results[0][0].stride() == results[1][0].stride()


def _watch(staged: MultiheadAttention) -> None:
    staged.stages.softmax.register_forward_hook(lambda *_: None)


def _replace_output(staged: MultiheadAttention) -> None:
    linear = nn.Linear(8, 8)
    linear.load_state_dict(staged.out_proj.state_dict())
    staged.out_proj = linear  # type: ignore[assignment]


@pytest.mark.parametrize("touch", [_watch, _replace_output])
def test_stages_run_where_one_is_watched_or_replaced(touch: Callable[[MultiheadAttention], None]) -> None:
    own, staged = pair(8, 2)
    staged.force_stages = False
    touch(staged)
    ran: list[str] = []
    for name, stage in staged.stages.named_children():
        stage.forward = _noting(ran, name, stage.forward)
    x = torch.randn(4, 2, 8)
    torch.testing.assert_close(staged(x, x, x)[0], own(x, x, x)[0])
    assert {"query_linear", "score_matmul", "softmax", "head_mean"} <= set(ran)


def _noting(ran: list[str], name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any) -> Any:
        ran.append(name)
        return forward(*args)

    return run


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_size_and_mask_gives_torchs_outputs(data: st.DataObject) -> None:
    heads, head_dim = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4))
    width, (length, source, rows) = heads * head_dim, (data.draw(st.integers(1, 4)) for _ in range(3))
    batched, boolean = data.draw(st.booleans()), data.draw(st.booleans())
    torch.manual_seed(data.draw(st.integers(0, 9)))
    own, staged = pair(width, heads, add_bias_kv=data.draw(st.booleans()), dtype=torch.float64)
    lead = (rows,) if batched else ()
    q = torch.randn(length, *lead, width, dtype=torch.float64)
    k = v = torch.randn(source, *lead, width, dtype=torch.float64)
    shape = data.draw(st.sampled_from([(length, source), ((rows if batched else 1) * heads, length, source)]))
    mask = torch.rand(shape) > 0.7 if boolean else torch.randn(shape, dtype=torch.float64)
    padding = torch.rand(*lead, source) > 0.7
    keywords = {
        "attn_mask": data.draw(st.sampled_from([None, mask])),
        "key_padding_mask": data.draw(st.sampled_from([None, padding if boolean else padding.double()])),
        "need_weights": data.draw(st.booleans()),
        "average_attn_weights": data.draw(st.booleans()),
    }
    for found, expected in zip(staged(q, k, v, **keywords), own(q, k, v, **keywords), strict=True):
        assert (found is None) == (expected is None)
        if found is not None and expected is not None:
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12, equal_nan=True)


def test_a_row_masked_entirely_has_zero_context_and_finite_gradients() -> None:
    own, staged = pair(8, 2)
    x, mask = torch.randn(3, 2, 8), torch.zeros(3, 3)
    mask[1] = -torch.inf
    for module in (own, staged):
        output = module(x, x, x, attn_mask=mask, need_weights=False)[0]
        assert torch.allclose(output[1], module.out_proj.bias)
        output.sum().backward()
    assert staged.in_proj_weight.grad is not None
    assert torch.allclose(staged.in_proj_weight.grad, own.in_proj_weight.grad, atol=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("need_weights", [False, True])
def test_stages_drop_what_torch_drops_under_one_seed(need_weights: bool) -> None:
    own, staged = pair(8, 2, dropout=0.5)
    x = torch.randn(5, 3, 8)
    outputs = []
    for module in (own, staged):
        torch.manual_seed(4)
        outputs.append(module(x, x, x, need_weights=need_weights)[0])
    torch.testing.assert_close(*outputs)


@pytest.mark.parametrize("keywords", [{}, {"kdim": 3, "vdim": 5}, {"add_bias_kv": True}, {"bias": False}])
def test_everything_around_is_torchs(keywords: dict[str, Any]) -> None:
    own, staged = pair(8, 2, **keywords)
    assert isinstance(staged, nn.MultiheadAttention)
    assert list(own.state_dict()) == list(staged.state_dict())
    assert all(torch.equal(own.state_dict()[key], value) for key, value in staged.state_dict().items())
    assert inspect.signature(type(staged)) == inspect.signature(type(own))


def test_each_leaf_runs_once_and_the_fast_path_never() -> None:
    staged = MultiheadAttention(8, 2, batch_first=True, add_bias_kv=True, add_zero_attn=True).eval()
    counts: dict[str, int] = {}
    for name, module in staged.named_modules():
        counts[name] = 0
        module.register_forward_hook(lambda *_, name=name: counts.update({name: counts[name] + 1}))
    torch.backends.mha.set_fastpath_enabled(True)
    with torch.no_grad():
        x = torch.randn(3, 5, 8)
        staged(x, x, x)
    assert set(counts) - {"stages"} == {name for name, count in counts.items() if count == 1}
    assert len(counts) == 16


def test_the_mask_stays_out_of_the_scores() -> None:
    staged = MultiheadAttention(8, 2)
    scores: list[torch.Tensor] = []
    staged.stages.softmax.register_forward_pre_hook(lambda _module, args: scores.append(args[0]))
    x = torch.randn(4, 1, 8)
    staged(x, x, x, attn_mask=nn.Transformer.generate_square_subsequent_mask(4))
    assert isinstance(staged.stages.softmax, nn.Softmax)
    assert scores[0].isfinite().all()


def test_softmax_without_a_mask_is_softmax() -> None:
    x = torch.randn(2, 3)
    assert torch.equal(AttentionSoftmax()(x), x.softmax(-1))


def _call(module: nn.Module, **change: Any) -> Any:
    arguments = {"query": torch.zeros(4, 2, 8), "key": torch.zeros(3, 2, 8), "value": torch.zeros(3, 2, 8), **change}
    return module(**arguments)


@pytest.mark.parametrize(
    "change",
    [
        {"query": torch.zeros(8)},
        {"query": torch.zeros(4, 8)},
        {"query": torch.zeros(4, 2, 6)},
        {"value": torch.zeros(5, 2, 8)},
        {"attn_mask": torch.zeros(3, 4)},
        {"attn_mask": torch.zeros(3, 4, 3)},
        {"attn_mask": torch.zeros(4, 3, dtype=torch.int64)},
        {"key_padding_mask": torch.zeros(3)},
        {"key_padding_mask": torch.zeros(3, 2)},
        {"is_causal": True},
    ],
)
def test_bad_input_gives_torchs_kind_of_error(change: dict[str, Any]) -> None:
    own, staged = pair(8, 2)
    with pytest.raises((AssertionError, RuntimeError, ValueError)) as expected:
        _call(own, **change)
    with pytest.raises(expected.type):
        _call(staged, **change)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_are_equal(copied: Any) -> None:
    staged, x = MultiheadAttention(8, 2, add_bias_kv=True), torch.randn(4, 2, 8)
    assert torch.equal(copied(staged)(x, x, x)[0], staged(x, x, x)[0])


def test_compiled_and_exported_attention_gives_the_same() -> None:
    staged, x = MultiheadAttention(8, 2).eval(), torch.randn(4, 2, 8)
    expected = staged(x, x, x)[0]
    assert torch.allclose(torch.compile(staged, backend="eager", fullgraph=True)(x, x, x)[0], expected, atol=1e-6)
    program = torch.export.export(staged, (x, x, x), strict=False)
    assert torch.allclose(program.module()(x, x, x)[0], expected, atol=1e-6)


@pytest.mark.parametrize("heads", [2, 1])
@pytest.mark.parametrize(
    "options", [{}, {"bias": False}, {"batch_first": False}, {"add_bias_kv": True}, {"dropout": 0.1}]
)
@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("train", [False, True])
def test_the_layout_is_that_of_torch(heads: int, options: dict[str, Any], grad: bool, train: bool) -> None:
    """torch's fused path for inference gives a contiguous output, which code may `view`."""
    torch.manual_seed(0)
    torch.backends.mha.set_fastpath_enabled(True)
    original = nn.MultiheadAttention(4, heads, **{"batch_first": True, **options}).train(train)
    ours = MultiheadAttention(4, heads, **{"batch_first": True, **options}).train(train)
    ours.load_state_dict(original.state_dict())
    x, other = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    padding = torch.tensor([[False, False, True]] * (2 if original.batch_first else 3))[:, : x.size(1)]
    masks: list[dict[str, Any]] = [{}, {"need_weights": False}, {"attn_mask": torch.zeros(3, 3)}]
    if original.batch_first:
        masks += [{"key_padding_mask": padding}, {"attn_mask": torch.ones(3, 3, dtype=torch.bool).triu(1)}]
    with torch.set_grad_enabled(grad):
        for given, mask in [*(((x, x, x), mask) for mask in masks[:2] + masks[3:]), ((x, other, other), {})]:
            expected, found = original(*given, **mask)[0], ours(*given, **mask)[0]
            assert found.stride() == expected.stride()


def test_the_causal_hint_counts_as_in_torch() -> None:
    torch.backends.mha.set_fastpath_enabled(True)
    original = nn.MultiheadAttention(4, 2, batch_first=True).eval()
    ours = MultiheadAttention(4, 2, batch_first=True).eval()
    ours.load_state_dict(original.state_dict())
    x = torch.randn(2, 3, 4)
    with torch.no_grad():
        torch.testing.assert_close(ours(x, x, x, is_causal=True)[0], original(x, x, x, is_causal=True)[0])
