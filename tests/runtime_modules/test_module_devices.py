"""Modules on a GPU: where they make tensors, and that they compute what torch's own do there."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils import _pytree as pytree

from qprep.quantizer.graph.graph_tracing import build_graph
from qprep.runtime_modules import another, convert_compound, to_torch
from qprep.tracing import trace
from tests.quantizer.graphs import SETTINGS

DEVICE = "cuda"
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def there(value: Any) -> Any:
    return pytree.tree_map_only(Tensor, lambda each: each.to(DEVICE), value)


def packed(x: Tensor) -> Any:
    return pack_padded_sequence(x, torch.tensor([2, 5, 3]), batch_first=True, enforce_sorted=False)


X = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
MASK = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[Any, ...], dict[str, Any]]] = {
    **{
        f"{kind} {both}": (partial(getattr(nn, kind), 8, 6, 2, batch_first=True, bidirectional=both), (X,), {})
        for kind in ("LSTM", "GRU", "RNN")
        for both in (False, True)
    },
    "projected": (partial(nn.LSTM, 8, 6, proj_size=4, batch_first=True), (X,), {}),
    "LSTMCell": (partial(nn.LSTMCell, 8, 6), (X[0],), {}),
    "GRUCell": (partial(nn.GRUCell, 8, 6), (X[0],), {}),
    "attention": (partial(nn.MultiheadAttention, 8, 2, batch_first=True), (X, X, X), {"attn_mask": MASK}),
    "attention with extras": (
        partial(nn.MultiheadAttention, 8, 2, add_bias_kv=True, add_zero_attn=True, batch_first=True),
        (X, X, X),
        {},
    ),
    "encoder": (partial(nn.TransformerEncoderLayer, 8, 2, 16, batch_first=True), (X,), {"src_mask": MASK}),
    "transformer": (partial(nn.Transformer, 8, 2, 1, 1, 16, batch_first=True), (X, X), {}),
}


def tensors(value: Any) -> list[Tensor]:
    return [each for each in pytree.tree_leaves(value) if isinstance(each, Tensor)]


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    """No product is rounded to TF32."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def agree(expected: Any, found: Any) -> None:
    for one, other in zip(tensors(expected), tensors(found), strict=True):
        assert other.device.type == DEVICE
        assert torch.allclose(one.cpu(), other.cpu(), atol=1e-5)


def made(name: str) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    torch.manual_seed(0)
    make, args, kwargs = MODELS[name]
    return make().eval(), args, kwargs


@pytest.mark.parametrize("name", MODELS)
def test_stages(name: str) -> None:
    model, args, kwargs = made(name)
    expected = model(*args, **kwargs)
    staged = convert_compound(copy.deepcopy(model)).to(DEVICE)
    for module in staged.modules():
        module.register_forward_hook(lambda *_: None)
    agree(expected, staged(*there(args), **there(kwargs)))


@pytest.mark.parametrize("name", MODELS)
def test_kernels_of_torch(name: str) -> None:
    model, args, kwargs = made(name)
    expected = model.to(DEVICE)(*there(args), **there(kwargs))
    staged = convert_compound(copy.deepcopy(model))
    agree(expected, staged(*there(args), **there(kwargs)))
    agree(expected, to_torch(staged)(*there(args), **there(kwargs)))


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_packed_sequences(kind: str) -> None:
    torch.manual_seed(0)
    model = getattr(nn, kind)(8, 6, batch_first=True, bidirectional=True).eval()
    expected, _ = model(packed(X))
    staged: Any = convert_compound(copy.deepcopy(model)).to(DEVICE)
    staged.force_stages = True
    agree(expected.data, staged(packed(X.to(DEVICE)))[0].data)


@pytest.mark.parametrize("name", MODELS)
def test_traces_and_graphs(name: str) -> None:
    model, args, kwargs = made(name)
    model = convert_compound(model.to(DEVICE))
    report = trace(model, *there(args), **there(kwargs))
    assert report.is_prepared
    graph = build_graph(model, there(args), there(kwargs), lambda _: SETTINGS)
    assert all(edge.device is not None and edge.device.type == DEVICE for edge in graph.edges if edge.floating)


def test_tied_instances_move_with_their_source() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 8)
            self.again = another(self.fc)

        def forward(self, x: Tensor) -> Any:
            return self.again(self.fc(x))

    model = Twice()
    expected = model(X)
    agree(expected, model.to(DEVICE)(X.to(DEVICE)))
