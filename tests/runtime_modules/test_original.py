"""The children that a module was made with."""

from __future__ import annotations

import copy
import pickle

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


def test_other_modules_keep_all() -> None:
    assert len(list(original_children(nn.Sequential(nn.ReLU(), nn.ReLU())))) == 2
