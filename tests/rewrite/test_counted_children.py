"""Code that counts children computes the same after a fix: in constructors, in bases, in loops, in recursion."""

from __future__ import annotations

import pytest

from qprep.engine.api import fix_source
from tests.rewrite.used_models import used

LEAF = """\
import torch
import torch.nn.functional as F
from torch import nn


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(4) * 0.5)

    def forward(self, x):
        return F.relu(x * self.w + x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.scale = Scale()

    def forward(self, x):
        return self.scale(self.fc(x))


"""
LEAF_TESTS = {
    "not-list": "return [n for n, q in net.named_modules() if hasattr(q, 'w') and not list(q.children())]",
    "length": "return [n for n, q in net.named_modules() if hasattr(q, 'w') and len(list(q.children())) == 0]",
    "next": "return [n for n, q in net.named_modules() if hasattr(q, 'w') and next(q.children(), None) is None]",
    "any": "return [n for n, q in net.named_modules() if hasattr(q, 'w') and not any(True for _ in q.children())]",
    "named": "return [n for n, q in net.named_modules() if hasattr(q, 'w') and not dict(q.named_children())]",
    "equal": "return [n for n, q in net.named_modules() if hasattr(q, 'w') and list(q.children()) == []]",
    "lambda": "leaf = lambda q: len(list(q.children())) == 0\n"
    "    return [n for n, q in net.named_modules() if hasattr(q, 'w') and leaf(q)]",
    "applied": "seen = []\n    net.apply(lambda q: seen.append(len(list(q.children()))) if hasattr(q, 'w') else None)\n"
    "    return seen",
    "recursive": "def walk(q, name, found):\n        inside = list(q.named_children())\n"
    "        if not inside:\n            found.append(name)\n"
    "        for n, c in inside:\n            walk(c, n, found)\n        return found\n    return walk(net, '', [])",
    "replaced": "for n, c in list(net.scale.named_children()):\n"
    "        setattr(net.scale, n, nn.Sequential(c, nn.Tanh()))\n"
    "    return net(torch.ones(2, 4)).tolist()",
    "submodule": "return len(list(net.get_submodule('scale').children()))",
}
CONSTRUCTED = """\
import torch
from torch import nn


class Base(nn.Module):
    n = 0

    def number(self):
        for i, q in enumerate(self.children()):
            if hasattr(q, "weight"):
                nn.init.constant_(q.weight, 0.1 * i)

    def count(self, q):
        self.n += 1


class Net(Base):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU()
        self.fc = nn.Linear(4, 4)
        self.out = nn.Linear(4, 4)
        {line}

    def forward(self, x):
        return self.out(self.act(self.act(self.fc(x)) + x))


"""
COUNTS = {
    "method-of-base": ("self.number()", "[q.weight[0, 0].item() for q in (net.fc, net.out)]"),
    "applied-method": ("self.apply(self.count)", "net.n"),
    "length": ("self.n = len(self._modules)", "net.n"),
    "names": ("self.n = [n for n, _ in self.named_children()]", "net.n"),
    "sorted": ("self.n = sorted(self._modules)", "net.n"),
    "starred": ("self.n = [*self._modules]", "net.n"),
    "unpacked": ("a, *b = self.children(); self.n = len(b)", "net.n"),
    "sum": ("self.n = sum(1 for _ in self.children())", "net.n"),
    "mapped": ("self.n = len(list(map(id, self.children())))", "net.n"),
    "closure": ("seen = []; self.apply(lambda q: seen.append(1)); self.n = len(seen)", "net.n"),
}
WRAPPED = """\
from torch import nn


class Base(nn.Module):
    def __init_subclass__(cls, **given):
        super().__init_subclass__(**given)
        init = cls.__init__

        def wrapped(self, *args, **settings):
            init(self, *args, **settings)
            self.post_init()

        cls.__init__ = wrapped

    def post_init(self):
        self.parts = sum(1 for _ in self.modules())


class Net(Base):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) + x


def use(net):
    return net.parts
"""


@pytest.mark.parametrize("body", LEAF_TESTS.values(), ids=LEAF_TESTS.keys())
def test_a_block_without_children_stays_one_for_code_that_asks(body: str) -> None:
    source = f"{LEAF}def use(net):\n    {body}\n\n\nuse(Net())\n"
    fixed, _ = fix_source(source)
    assert used(fixed) == used(source)


@pytest.mark.parametrize("body", LEAF_TESTS.values(), ids=LEAF_TESTS.keys())
def test_the_block_gains_its_modules_nevertheless(body: str) -> None:
    fixed, _ = fix_source(f"{LEAF}def use(net):\n    {body}\n\n\nuse(Net())\n")
    assert "mark_added(self" in fixed.partition("class Net")[0]


@pytest.mark.parametrize(("line", "shown"), COUNTS.values(), ids=COUNTS.keys())
def test_a_constructor_counts_the_same_children(line: str, shown: str) -> None:
    source = CONSTRUCTED.format(line=line) + f"def use(net):\n    return {shown}\n"
    fixed, _ = fix_source(source)
    assert used(fixed) == used(source)


def test_a_second_instance_waits_for_the_end_of_a_constructor_that_counts() -> None:
    source = CONSTRUCTED.format(line="self.n = len(self._modules)")
    lines = fix_source(source)[0].splitlines()
    second = next(i for i, line in enumerate(lines) if "self.act_1 =" in line)
    assert second > next(i for i, line in enumerate(lines) if "self.n = len" in line)


def test_a_second_instance_stays_beside_the_first_where_nothing_counts() -> None:
    lines = fix_source(CONSTRUCTED.format(line="self.n = self.fc.in_features"))[0].splitlines()
    first = next(i for i, line in enumerate(lines) if "self.act =" in line)
    assert "self.act_1 =" in lines[first + 1]


def test_code_behind_a_wrapped_constructor_makes_a_new_child_unsafe() -> None:
    fixed, result = fix_source(WRAPPED)
    assert used(fixed) == used(WRAPPED)
    assert any("self.modules()" in note for finding in result.remaining for note in finding.notes)
