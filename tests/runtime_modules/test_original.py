"""The children that a module was made with."""

from __future__ import annotations

import copy
import pickle
import types
from collections.abc import Iterator

import torch
from torch import nn

from qprep.runtime_modules import EltwiseAdd, another, mark_added, original_children, original_named_children


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.ReLU()
        self.add = EltwiseAdd()
        mark_added(self, "add")
        self.last = nn.Tanh()
        self.last_1 = nn.Tanh()
        mark_added(self, "last_1")


def test_added_children_are_left_out() -> None:
    net = _Net()
    for each in (net, copy.deepcopy(net), pickle.loads(pickle.dumps(net)), another(net)):
        assert [name for name, _ in original_named_children(each)] == ["first", "last"]
        assert [type(child) for child in original_children(each)] == [nn.ReLU, nn.Tanh]
        assert len(list(each.children())) == 4


class _Scripted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.ReLU()
        self.last = nn.Tanh()
        mark_added(self, "last")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.last(self.first(x))
        return y


def test_added_children_of_a_scripted_module_are_left_out() -> None:
    scripted = torch.jit.script(_Scripted())
    assert [name for name, _ in original_named_children(scripted)] == ["first"]
    assert len(list(original_children(scripted))) == 1
    assert len(list(scripted.children())) == 2


def test_other_modules_keep_all() -> None:
    assert len(list(original_children(nn.Sequential(nn.ReLU(), nn.ReLU())))) == 2


class _Tree:
    def children(self) -> list[int]:
        return [1, 2]

    def named_children(self) -> list[tuple[str, int]]:
        return [("a", 1), ("b", 2)]


class _Wrapper:
    """An object that passes attributes on to a module."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __getattr__(self, name: str) -> object:
        return getattr(self.module, name)


class _Reversed(_Net):
    def named_children(self, *args: object) -> Iterator[tuple[str, nn.Module]]:
        return reversed(list(super().named_children()))


class _Parts(_Net):
    def parts(self) -> list[nn.Module]:
        return list(original_children(super()))


def test_objects_of_other_classes_list_what_they_like() -> None:
    children: list[object] = [*original_children(_Tree())]
    assert children == [1, 2]
    named: list[object] = [*original_named_children(_Tree())]
    assert named == [("a", 1), ("b", 2)]
    others: list[object] = [*original_children(types.SimpleNamespace(children=lambda: [3]))]
    assert others == [3]


def test_a_wrapper_lists_the_children_of_the_module_that_it_passes_on() -> None:
    assert [name for name, _ in original_named_children(_Wrapper(_Net()))] == ["first", "last"]
    assert len(list(original_children(_Wrapper(_Net())))) == 2
    assert len(_Parts().parts()) == 2


def test_a_class_with_a_method_of_its_own_is_listed_by_it() -> None:
    net = _Reversed()
    assert list(original_children(net)) == list(net.children())
    assert list(original_named_children(net)) == list(net.named_children())
    assert len(list(original_children(net))) == 4


def test_the_result_has_the_name_of_the_method() -> None:
    assert original_children(_Net()).__name__ == _Net().children().__name__  # type: ignore[attr-defined]
