"""Operations lent to objects that are no modules, and results written into another tensor."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.runtime_modules import (
    ClassOperation,
    EltwiseAdd,
    Exp,
    Into,
    ObjectOperations,
    PerCall,
    mark_added,
    original_forward,
    original_list,
)
from qprep.runtime_modules.object_operations import _GIVEN


class Coder:
    exp: Any = ClassOperation(Exp)
    add: Any = ClassOperation(EltwiseAdd, per_call=True)

    def decode(self, x: Tensor) -> Tensor:
        result: Tensor = self.add(self.add(self.exp(x), 1), 2)
        return result


class Holder(nn.Module):
    def __init__(self, coder: object) -> None:
        super().__init__()
        self.coder = coder
        self.coder_operations = ObjectOperations("coder", owner=self)

    def forward(self, x: Tensor) -> Tensor:
        found = self.coder[0] if isinstance(self.coder, list) else self.coder
        assert isinstance(found, Coder)
        return found.decode(x)


X = torch.arange(3.0)
EXPECTED = X.exp() + 1 + 2


def _run(model: nn.Module) -> list[str]:
    """The names of the modules without children that a forward runs."""
    ran: list[str] = []
    for name, module in model.named_modules():
        if not any(True for _ in module.children()):
            module.register_forward_hook(lambda *_, name=name: ran.append(name))
    assert torch.equal(model(X), EXPECTED)
    return ran


def test_an_object_runs_modules_that_its_holder_reaches_by_name() -> None:
    model = Holder(Coder())
    model(X)  # grows the second addition
    assert _run(model) == ["coder_operations.exp", "coder_operations.add.0", "coder_operations.add.1"]
    assert model.state_dict() == {}


def test_one_object_of_two_holders_runs_the_operations_of_each() -> None:
    coder = Coder()
    first, second = Holder(coder), Holder(coder)
    assert len(_run(first)) == 2  # the second addition has no hook before it is there
    assert len(_run(second)) == 2
    assert first.coder_operations.exp is not second.coder_operations.exp


def test_another_object_gets_the_operations_of_its_place() -> None:
    model = Holder(None)
    assert list(model.coder_operations.children()) == []
    model.coder = Coder()
    assert torch.equal(model(X), EXPECTED)
    assert isinstance(model.coder_operations.exp, Exp)
    assert isinstance(model.coder_operations.add, PerCall)


def test_objects_in_a_list_have_operations_each() -> None:
    model = Holder([Coder(), Coder()])
    names = {name for name, module in model.named_modules() if isinstance(module, Exp)}
    assert names == {"coder_operations.item0.exp", "coder_operations.item1.exp"}


def test_copies_and_pickles_have_operations_of_their_own() -> None:
    model = Holder(Coder())
    copies: list[Any] = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    original: Any = model
    for other in copies:
        assert torch.equal(other(X), EXPECTED)
        assert other.coder.exp is other.coder_operations.exp
        assert other.coder.exp is not original.coder.exp


def test_an_object_that_nobody_holds_runs_what_all_share() -> None:
    assert Coder().exp is Coder().exp
    assert torch.equal(Coder().decode(X), EXPECTED)


def test_objects_made_in_a_forward_are_given_operations() -> None:
    holder = nn.Module()
    operations = ObjectOperations.of(Coder, owner=holder)
    coder = operations.given(Coder())
    assert coder.exp is operations.exp
    assert torch.equal(coder.decode(X), EXPECTED)


def test_a_class_that_is_given_operations_runs_them_in_its_constructor() -> None:
    class Early(Coder):
        def __init__(self, x: Tensor, *, more: int = 0) -> None:
            self.value, self.operation = self.decode(x) + more, self.exp

    operations = ObjectOperations.of(Early, owner=nn.Module())
    made = operations.given(Early)(X, more=1)
    assert type(made) is Early
    assert made.operation is operations.exp
    assert torch.equal(made.value, EXPECTED + 1)


def test_into_writes_the_result_and_its_shape() -> None:
    out = torch.empty(0)
    assert Into(EltwiseAdd())(X, X, out=out) is out
    assert torch.equal(out, X + X)
    assert torch.equal(Into(EltwiseAdd())(X, X), X + X)


def test_into_refuses_what_torch_refuses() -> None:
    with pytest.raises(RuntimeError, match="automatic differentiation"):
        Into(EltwiseAdd())(X.clone().requires_grad_(), X, out=torch.empty(3))
    with pytest.raises(RuntimeError, match=r"holds torch\.float32, found torch\.int64"):
        Into(EltwiseAdd())(X, X, out=torch.empty(3, dtype=torch.int64))


def test_the_original_steps_leave_out_what_was_added() -> None:
    steps = nn.Sequential(Exp(), nn.ReLU())
    steps.add = EltwiseAdd()
    mark_added(steps, "add")
    assert torch.equal(original_forward(steps)(X), X.exp())
    assert original_list(steps) == [steps[0], steps[1]]


def test_an_object_has_no_attribute_more() -> None:
    coder = Coder()
    model = Holder(coder)
    model(X)
    assert vars(coder) == {}
    assert vars(copy.deepcopy(coder)) == {}


def test_what_an_object_was_given_goes_with_it() -> None:
    before = len(_GIVEN)
    model: Any = Holder(Coder())
    model(X)
    assert len(_GIVEN) == before + 1
    model.coder = None
    gc.collect()
    assert len(_GIVEN) == before
