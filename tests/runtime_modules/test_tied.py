"""Separate instances of a module whose weights stay tied."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from qprep.foundation.catalogue.lookup import load
from qprep.runtime_modules import Concat, Tied, another
from qprep.runtime_modules.tied import LAYERS


class Twice(nn.Module):
    """One linear layer and one norm at two places each."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.norm = nn.BatchNorm1d(4)
        self.linear_1 = another(self.linear)
        self.norm_1 = another(self.norm)

    def forward(self, input: Tensor) -> Tensor:
        return self.norm_1(self.linear_1(self.norm(self.linear(input))))  # type: ignore[no-any-return]


class Reused(Twice):
    """The same with one instance of each, as the source was before."""

    def forward(self, input: Tensor) -> Tensor:
        return self.norm(self.linear(self.norm(self.linear(input))))  # type: ignore[no-any-return]


def _pair() -> tuple[Twice, Reused]:
    torch.manual_seed(0)
    tied = Twice()
    reused = Reused()
    reused.load_state_dict(tied.state_dict())
    return tied, reused


def test_keeps_parameters_and_keys() -> None:
    tied, _ = _pair()
    plain = nn.ModuleDict({"linear": nn.Linear(4, 4), "norm": nn.BatchNorm1d(4)})
    assert list(tied.state_dict()) == list(plain.state_dict())
    assert [name for name, _ in tied.named_parameters(remove_duplicate=False)] == [
        name for name, _ in plain.named_parameters()
    ]
    assert sum(isinstance(module, nn.Linear) for module in tied.modules()) == 1


def test_no_random_numbers_are_drawn() -> None:
    source = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    before = torch.random.get_rng_state()
    another(source)
    assert torch.equal(before, torch.random.get_rng_state())


def test_trains_as_one_instance() -> None:
    tied, reused = _pair()
    data = torch.randn(3, 8, 4)
    for model in (tied, reused):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for batch in data:
            optimizer.zero_grad()
            model(batch).square().sum().backward()
            optimizer.step()
    for (name, one), other in zip(tied.state_dict().items(), reused.state_dict().values(), strict=True):
        assert torch.equal(one, other), name
    assert torch.equal(tied.eval()(data[0]), reused.eval()(data[0]))


def test_loads_strictly_both_ways() -> None:
    tied, reused = _pair()
    with torch.no_grad():
        tied.linear.weight.add_(1)
    reused.load_state_dict(tied.state_dict(), strict=True)
    fresh = Twice()
    fresh.load_state_dict(reused.state_dict(), strict=True)
    data = torch.randn(8, 4)
    assert torch.equal(fresh.eval()(data), reused.eval()(data))


def _pickled(model: nn.Module) -> nn.Module:
    found: nn.Module = pickle.loads(pickle.dumps(model))
    return found


def _saved(model: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    found: nn.Module = torch.load(file, weights_only=False)
    return found


@pytest.mark.parametrize("copied", [copy.deepcopy, _pickled, _saved])
def test_copies_are_tied_to_the_copy(copied: Any) -> None:
    tied, _ = _pair()
    other = copied(tied)
    assert other.linear_1.source is other.linear
    assert other.linear is not tied.linear
    with torch.no_grad():
        other.linear.weight.zero_()
        other.linear.bias.zero_()
    assert torch.equal(other.linear_1(torch.ones(1, 4)), torch.zeros(1, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_moves_with_the_source(dtype: torch.dtype) -> None:
    tied, _ = _pair()
    tied.to(dtype)
    assert tied.linear_1(torch.ones(2, 4, dtype=dtype)).dtype == dtype


def test_hooks_of_the_source_stay_with_it() -> None:
    tied, _ = _pair()
    seen: list[nn.Module] = []
    tied.linear.register_forward_hook(lambda module, args, out: seen.append(module))
    tied.linear_1.register_forward_hook(lambda module, args, out: seen.append(module))
    tied(torch.randn(8, 4))
    assert seen == [tied.linear, tied.linear_1]


def test_weights_that_torch_computes_in_a_hook() -> None:
    torch.manual_seed(0)
    source = nn.utils.spectral_norm(nn.Linear(4, 4))
    reference = copy.deepcopy(source)
    tied, data = another(source), torch.randn(2, 4)
    assert isinstance(tied, Tied)
    assert torch.equal(tied(source(data)), reference(reference(data)))


def test_parametrized_leaf() -> None:
    source = parametrizations.weight_norm(nn.Linear(4, 4))
    tied = another(source)
    assert isinstance(tied, Tied)
    assert torch.equal(tied(torch.ones(1, 4)), source(torch.ones(1, 4)))


def test_stateless_modules_are_copied_without_hooks() -> None:
    source = nn.Sequential(nn.ReLU(inplace=True), Concat(dim=1))
    source[0].register_forward_hook(lambda module, args, out: out)
    other = another(source)
    assert repr(other) == repr(source)
    assert other[0] is not source[0]  # type: ignore[index]
    assert not other[0]._forward_hooks  # type: ignore[index]
    assert type(another(another(nn.Identity()))) is nn.Identity


def test_tied_of_tied_is_tied_to_the_source() -> None:
    source = nn.Linear(2, 2)
    again = another(another(source))
    assert isinstance(again, Tied)
    assert again.source is source


def test_data_parallel_is_refused() -> None:
    with pytest.raises(RuntimeError, match="DistributedDataParallel"):
        another(nn.Linear(2, 2))._replicate_for_data_parallel()  # type: ignore[no-untyped-call]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_works_compiled_exported_and_traced() -> None:
    tied, reused = _pair()
    tied.eval()
    reused.eval()
    data = torch.randn(2, 4)
    expected = reused(data)
    assert torch.equal(torch.compile(tied, backend="eager")(data), expected)
    assert torch.equal(torch.export.export(tied, (data,)).module()(data), expected)
    assert torch.equal(torch.fx.symbolic_trace(tied)(data), expected)
    assert torch.equal(torch.jit.trace(tied, (data,))(data), expected)  # type: ignore[no-untyped-call]


def test_nothing_stays_nothing() -> None:
    assert another(None) is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_script_takes_the_source() -> None:
    model, data = Twice().eval(), torch.randn(2, 4)
    scripted = torch.jit.script(copy.deepcopy(model))
    assert torch.equal(scripted(data), model(data))
    with torch.no_grad():
        scripted.linear.weight.zero_()
    assert torch.equal(scripted.linear_1.weight, torch.zeros(4, 4))


class Unknown(nn.Module):
    """As DropPath of a package: no weights, no children."""

    def forward(self, input: Tensor) -> Tensor:
        return input * 2


class Wide(nn.Linear):
    """A layer of torch.nn with a child."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.inner = nn.Linear(4, 4)

    def forward(self, input: Tensor) -> Tensor:
        return self.inner(super().forward(input))  # type: ignore[no-any-return]


class Bare(nn.LayerNorm):
    """A layer of torch.nn that has no weights here."""

    def __init__(self) -> None:
        super().__init__(4, elementwise_affine=False)


@pytest.mark.parametrize("make", [Unknown, Wide, Bare, nn.ReLU, lambda: nn.Sequential(Wide(), Bare(), nn.PReLU())])
def test_a_plain_instance_is_no_second_layer_with_weights(make: Callable[[], nn.Module]) -> None:
    first = make()
    second = another(first, plain=True)
    assert second is not first
    assert not any(isinstance(part, LAYERS) for part in second.modules())
    x = torch.randn(2, 4)
    assert torch.equal(second(x), first(x))
    assert not list(second.state_dict())


def test_layers_are_those_of_the_catalogue() -> None:
    known = [row for row in load().nn_modules if row.may_have_state and not (row.is_container or row.is_compound)]
    assert known
    assert all(issubclass(getattr(nn, row.name), LAYERS) for row in known)
