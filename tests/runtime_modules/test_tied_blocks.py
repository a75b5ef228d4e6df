"""Copies of modules with children, their weights tied."""

from __future__ import annotations

import copy
import functools
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.runtime_modules import EltwiseAdd, PerCall, another


class Block(nn.Module):
    """Children, a parameter, a buffer that forward counts in, a child's weight read by name, a list of children."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Linear(4, 4)
        self.act = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.gain = nn.Parameter(torch.ones(4))
        self.register_buffer("calls", torch.zeros(()))
        self.layers = [self.conv, self.act]
        self.apply_act = functools.partial(self.run, self.act)

    calls: Tensor

    @staticmethod
    def run(module: nn.Module, input: Tensor) -> Tensor:
        return module(input)  # type: ignore[no-any-return]

    def forward(self, input: Tensor) -> Tensor:
        self.calls = self.calls + 1
        out = self.apply_act(self.layers[0](input) * self.gain)
        return self.drop(out + self.conv.weight.sum())  # type: ignore[no-any-return]


def _pickled(model: nn.Module) -> nn.Module:
    found: nn.Module = pickle.loads(pickle.dumps(model))
    return found


class Encoder(nn.Module):
    """A weight, a buffer that training changes, an own parameter, nothing that forward keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.gain = nn.Parameter(torch.ones(4))

    def forward(self, input: Tensor) -> Tensor:
        return self.norm(self.conv(input)) * self.gain  # type: ignore[no-any-return]


class Holder(nn.Module):
    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.inner = encoder

    def forward(self, input: Tensor) -> Tensor:
        return self.inner(input)  # type: ignore[no-any-return]


class Several(nn.Module):
    """One encoder under three names: shared, or as separate instances."""

    def __init__(self, separate: bool) -> None:
        super().__init__()
        self.encoder = Encoder()
        copies = [another(self.encoder, listed=True) if separate else self.encoder for _ in range(2)]
        self.holders = nn.Sequential(*map(Holder, copies))

    def forward(self, input: Tensor) -> Tensor:
        return self.holders(self.encoder(input))  # type: ignore[no-any-return]


def _several() -> tuple[Several, Several]:
    torch.manual_seed(0)
    shared = Several(False)
    torch.manual_seed(0)
    return shared, Several(True)


def _names(model: nn.Module) -> list[list[str]]:
    return [
        list(model.state_dict()),
        [name for name, _ in model.named_parameters()],
        [name for name, _ in model.named_parameters(remove_duplicate=False)],
        [name for name, _ in model.named_buffers()],
        list(getattr(model.state_dict(), "_metadata")),  # noqa: B009 -- torch's own, in no stub
    ]


def test_listed_instances_are_listed_as_one_shared_instance() -> None:
    shared, separate = _several()
    assert _names(shared) == _names(separate)
    assert len({id(module) for module in separate.modules()}) > len({id(module) for module in shared.modules()})
    assert separate.holders[1].inner.conv is not separate.encoder.conv  # type: ignore[union-attr]
    separate.load_state_dict(shared.state_dict(), strict=True)
    shared.load_state_dict(separate.state_dict(), strict=True)


def test_listed_instances_train_as_one_shared_instance() -> None:
    data, seen = torch.randn(6, 4), []
    for model in _several():
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            model(data).square().sum().backward()
            optimizer.step()
        seen.append([*model(data).flatten(), *model.state_dict().values()])
    assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))


def _emptied(model: nn.Module) -> nn.Module:
    state = model.state_dict()
    model.to("meta").to_empty(device="cpu").load_state_dict(state, assign=True)
    return model


@pytest.mark.parametrize(
    "moved", [copy.deepcopy, _pickled, lambda model: model.double(), lambda model: model.to("cpu"), _emptied]
)
def test_listed_instances_stay_tied(moved: Any) -> None:
    model = moved(_several()[1])
    for holder in model.holders:
        assert holder.inner.conv.source is model.encoder.conv
        assert holder.inner.gain is model.encoder.gain
        assert holder.inner.norm.weight is model.encoder.norm.weight
        assert holder.inner.norm.running_mean is model.encoder.norm.running_mean
    mean = model.encoder.norm.running_mean.clone()
    model.holders[1].inner.train()
    model.encoder.train()
    model.holders[1](torch.randn(6, 4).to(mean.dtype))
    assert not torch.equal(model.encoder.norm.running_mean, mean)


@pytest.mark.parametrize(
    "visit", [lambda model, fn: model.apply(fn), lambda model, fn: [fn(m) for m in model.modules()]]
)
def test_listed_layers_are_initialised_as_one_shared_layer(visit: Any) -> None:
    def initialise(module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight)

    states = []
    for model in _several():
        torch.manual_seed(5)
        visit(model, initialise)
        states.append((model.encoder.conv.weight, torch.get_rng_state()))
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))


def test_block_is_copied_with_its_state_shared() -> None:
    torch.manual_seed(0)
    block = Block().eval()
    other = another(block)
    assert isinstance(other, Block)
    assert not list(other.named_parameters())
    assert not list(other.named_buffers())
    assert not other.state_dict()
    assert [id(p) for p in other.parameters()] == [id(p) for p in block.parameters()]  # what its own methods ask for
    assert other.act is not block.act
    assert other.layers[0] is other.conv
    assert other.apply_act.args == (other.act,)
    data = torch.randn(2, 4)
    assert torch.equal(other(data), block(data))
    assert block.calls.item() == other.calls.item() == 2


class TwoBlocks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block()
        self.block_1 = another(self.block)

    def forward(self, input: Tensor) -> Tensor:
        return self.block_1(self.block(input))  # type: ignore[no-any-return]


@pytest.mark.parametrize("copied", [copy.deepcopy, _pickled])
def test_copied_blocks_are_tied_to_the_copy(copied: Any) -> None:
    model = copied(TwoBlocks().eval())
    assert list(model.state_dict()) == ["block.gain", "block.calls", "block.conv.weight", "block.conv.bias"]
    with torch.no_grad():
        model.block.gain.zero_()
        model.block.conv.weight.zero_()
    assert torch.equal(model.block_1(torch.ones(1, 4)), torch.zeros(1, 4))
    model(torch.ones(1, 4))
    assert model.block.calls.item() == 3
    model.double()
    assert model(torch.ones(1, 4, dtype=torch.float64)).dtype == torch.float64


def test_blocks_train_together() -> None:
    torch.manual_seed(0)
    model = TwoBlocks().eval()
    model(torch.randn(2, 4)).sum().backward()
    assert model.block.gain.grad is not None
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = model.block_1(torch.ones(1, 4))
    optimizer.step()
    assert not torch.equal(model.block_1(torch.ones(1, 4)), before)


def test_parameter_lists_attention_and_recurrence() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.ParameterList([torch.ones(4), torch.zeros(4)])
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.lstm = nn.LSTM(4, 4, batch_first=True)

        def forward(self, input: Tensor) -> Tensor:
            out = self.attention(input, input, input)[0]
            return self.lstm(out)[0] * self.weights[0] + sum(self.weights)  # type: ignore[no-any-return]

    source = Odd().eval()
    other = another(source)
    data = torch.randn(2, 3, 4)
    assert torch.equal(other(data), source(data))
    assert not list(other.named_parameters())


def test_per_call_counts_for_the_copy_of_its_owner() -> None:
    class Owner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2)
            self.add = PerCall(EltwiseAdd(), owner=self)

        def forward(self, input: Tensor) -> Tensor:
            out = input
            for _ in range(3):
                out = self.add(out, self.linear(out))
            return out

    source = Owner()
    other = another(source)
    for _ in range(2):
        assert torch.equal(other(torch.ones(1, 2)), source(torch.ones(1, 2)))
    assert len(other.add) == 3  # type: ignore[arg-type]


def test_blocks_compile() -> None:
    data = torch.randn(2, 4)
    blocks = TwoBlocks().eval()
    assert torch.equal(torch.compile(blocks, backend="eager")(data), blocks(data))
