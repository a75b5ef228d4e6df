"""One instance per call in loops whose length only the run knows."""

from __future__ import annotations

import copy
import pickle
from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from qprep.runtime_modules import EltwiseAdd, PerCall


class Loop(nn.Module):
    """Adds as often as it is told; may fail, or call itself."""

    def __init__(self) -> None:
        super().__init__()
        self.add = PerCall(EltwiseAdd(), owner=self)

    def forward(self, input: Tensor, steps: int, fails: bool = False, inner: int = 0) -> Tensor:
        out = input
        for _ in range(steps):
            out = self.add(out, out)
        if inner:
            out = self(out, inner)
            out = self.add(out, out)
        if fails:
            raise RuntimeError("no")
        return out


def _counted(model: nn.Module) -> Counter[nn.Module]:
    calls: Counter[nn.Module] = Counter()
    for module in model.modules():
        if isinstance(module, EltwiseAdd):
            module.register_forward_hook(lambda module, args, out: calls.update([module]))
    return calls


def test_each_call_has_its_instance_in_every_pass() -> None:
    model = Loop()
    assert len(model.add) == 1
    assert torch.equal(model(torch.ones(2), 4), torch.full((2,), 16.0))
    calls = _counted(model)
    model(torch.ones(2), 3)
    assert [calls[module] for module in model.add] == [1, 1, 1, 0]
    assert not model.state_dict()
    assert [type(module) for module in model.add] == [EltwiseAdd] * 4


def test_counts_anew_after_a_failure() -> None:
    model = Loop()
    with pytest.raises(RuntimeError, match="no"):
        model(torch.ones(2), 3, fails=True)
    model(torch.ones(2), 3)
    assert len(model.add) == 3


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_count_for_themselves(copied: object) -> None:
    model = Loop()
    model(torch.ones(2), 2)
    assert callable(copied)
    other = copied(model)
    for _ in range(3):
        other(torch.ones(2), 5)
    assert len(other.add) == 5
    assert len(model.add) == 2


def test_an_owner_within_itself_goes_on_counting() -> None:
    model = Loop()
    for _ in range(2):
        model(torch.ones(2), 2, inner=3)
        assert len(model.add) == 6


def test_works_without_hooks() -> None:
    model = Loop()
    assert torch.equal(model.forward(torch.ones(2), 3), torch.full((2,), 8.0))
    assert torch.equal(model.forward(torch.ones(2), 3), torch.full((2,), 8.0))
    model(torch.ones(2), 2)
    assert len(model.add) == 6


def test_wraps_around_beyond_the_limit_and_warns_once() -> None:
    add = PerCall(EltwiseAdd(), limit=2)
    with pytest.warns(UserWarning, match="more than 2 calls") as caught:
        results = [add(1, 2) for _ in range(7)]
    assert results == [3] * 7
    assert len(caught) == 1
    assert len(add) == 2


def test_new_instances_are_as_the_first_is() -> None:
    model = Loop().eval()
    model(torch.ones(2), 3)
    assert not any(module.training for module in model.modules())


def test_state_is_refused() -> None:
    with pytest.raises(ValueError, match="'weight'"):
        PerCall(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="'running_mean'"):
        PerCall(nn.BatchNorm1d(2, affine=False))


class Fixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop()

    def forward(self, input: Tensor) -> Tensor:
        return self.loop(input, 3)  # type: ignore[no-any-return]


class Fold(nn.Module):
    """A loop of fixed length, as TorchScript can read it."""

    def __init__(self) -> None:
        super().__init__()
        self.add = PerCall(EltwiseAdd(), owner=self, length=3)

    def forward(self, input: Tensor) -> Tensor:
        out = input
        for _ in range(3):
            out = self.add(out, out)
        return out


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("warm", [False, True])
def test_can_be_scripted(warm: bool) -> None:
    model, data = Fold(), torch.randn(2)
    if warm:
        model(data)
    scripted = torch.jit.script(copy.deepcopy(model))
    assert torch.equal(scripted(data), data * 8)
    assert torch.equal(model(data), data * 8)
    assert len(model.add) == 3
    assert model.add._calls == 3  # the copy's hooks are gone, not those of the model


def test_instances_that_differ_are_not_scripted() -> None:
    model = Fold()
    model.add[1].register_forward_hook(lambda *_: None)
    with pytest.raises(RuntimeError, match="found different ones, or hooks"):
        torch.jit.script(model)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("warm", [False, True])
def test_can_be_captured(warm: bool) -> None:
    data = torch.randn(2)
    for capture in (
        lambda model: torch.compile(model, backend="eager"),
        lambda model: torch.export.export(model, (data,)).module(),
        lambda model: torch.jit.trace(model, (data,)),  # type: ignore[no-untyped-call]
        torch.fx.symbolic_trace,
    ):
        model = Fixed()
        if warm:
            model(data)
        assert torch.equal(capture(model)(data), data * 8)


class Holder(nn.Module):
    """Has no forward: its owner calls a method."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.fc = nn.Linear(2, 2)

    def look(self, x: torch.Tensor) -> torch.Tensor:
        """Run both."""
        found: Tensor = self.relu(self.fc(x))
        return found


class Caller(nn.Module):
    """Calls the method of another module three times."""

    def __init__(self) -> None:
        super().__init__()
        self.holder = Holder()
        PerCall.within(self.holder, owner=self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Call it."""
        for _ in range(3):
            x = self.holder.look(x)
        return x


def test_operations_within_a_module_whose_methods_are_called() -> None:
    model = Caller()
    for _ in range(2):
        model(torch.ones(2))
    assert isinstance(model.holder.relu, PerCall)
    assert len(model.holder.relu) == 3
    assert type(model.holder.fc) is nn.Linear
    assert list(model.state_dict()) == ["holder.fc.weight", "holder.fc.bias"]


class Remembers(nn.Module):
    """A class of one's own that keeps something."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Count."""
        self.seen += 1
        return x


def test_a_child_of_ones_own_class_stays_one_instance() -> None:
    holder = Holder()
    holder.add_module("relu", Remembers())
    PerCall.within(holder, owner=nn.Identity())
    assert type(holder.get_submodule("relu")) is Remembers


def test_there_may_be_nothing_to_look_within() -> None:
    PerCall.within(None, owner=nn.Identity())
