"""Calls that run one instance twice on one path: keys are values, and branches may exclude each other."""

# ruff: noqa: E501  (each program is one line of a table)

from __future__ import annotations

import pytest

from qprep import check_source

_HEAD = "import torch\nfrom torch import nn\n\n\n"
_NET = """\
class Net(nn.Module):
    def __init__(self, pre=True, mode="a", order=("conv", "norm", "act")):
        super().__init__()
        self.pre, self.mode, self.order = pre, mode, order
        self.conv, self.norm, self.act = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU()
        self.table = {}
        for i in range(2):
            self.table["up", i] = nn.Conv2d(4, 4, 1)
            self.table["out", i] = nn.Conv2d(4, 4, 1)
        self.by_name = nn.ModuleDict({f"{k}_{i}": nn.Conv2d(4, 4, 1) for i in range(2) for k in ("up", "out")})
        self.held = nn.ModuleList(self.table.values())

    def forward(self, x):
"""
ONCE = {
    "before-or-behind": "if self.pre:\n    x = self.norm(x)\nx = self.conv(x)\nif not self.pre:\n    x = self.norm(x)\nreturn x",
    "in-a-conditional": "x = self.norm(x) if self.pre else x\nx = self.conv(x)\nreturn x if self.pre else self.norm(x)",
    "compared-with-texts": "if self.mode == 'a':\n    x = self.norm(x)\nx = self.conv(x)\nif self.mode == 'b':\n    x = self.norm(x)\nreturn x",
    "is-none": "if self.pre is None:\n    x = self.norm(x)\nif self.pre is not None:\n    x = self.norm(x)\nreturn x",
    "both-of-two": "if self.pre and self.mode:\n    x = self.norm(x)\nif not self.pre:\n    x = self.norm(x)\nreturn x",
    "in-methods": "if self.pre:\n    x = self.run(x)\nif not self.pre:\n    x = self.run(x)\nreturn x",
    "returned-before": "if self.pre:\n    return self.norm(x)\nreturn self.norm(self.conv(x))",
    "by-the-name-of-a-step": "for step in self.order:\n    if step == 'conv':\n        x = self.conv(x)\n    elif step == 'norm' and self.pre:\n        x = self.norm(x)\n    else:\n        x = self.act(x)\nreturn x",
    "by-a-written-name": "for s in ('c', 'n'):\n    if s == 'c':\n        x = self.conv(x)\n    if s in ('n', 'm'):\n        x = self.norm(x)\nreturn x",
    "by-the-name-in-a-method": "for s in self.order:\n    if s == 'norm':\n        x = self.run(x)\nreturn x",
    "by-the-number-of-a-round": "for i, s in enumerate(self.order):\n    if i == 0:\n        x = self.norm(x)\nreturn x",
    "chosen-in-an-expression": "for s in self.order:\n    x = self.norm(x) if s == 'norm' else x\nreturn x",
    "key-of-a-text-and-a-number": "for i in range(2):\n    x = self.table['up', i](x)\n    x = self.table[('out', i)](x)\nreturn x",
    "key-that-is-formatted": "for i in range(2):\n    x = self.by_name[f'up_{i}'](x)\n    x = self.by_name[f'out_{i}'](x)\nreturn x",
    "key-that-is-added": "for i in range(2):\n    x = self.by_name['up_' + str(i)](x)\n    x = self.by_name['out_' + str(i)](x)\nreturn x",
    "key-with-percent": "for i in range(2):\n    x = self.by_name['up_%d' % i](x)\n    x = self.by_name['out_%d' % i](x)\nreturn x",
}  # fmt: skip
TWICE = {
    "one-after-the-other": "if self.pre:\n    x = self.norm(x)\nreturn self.norm(x)",
    "same-test-twice": "if self.pre:\n    x = self.norm(x)\nif self.pre:\n    x = self.norm(x)\nreturn x",
    "test-of-something-that-changes": "n = self.pre\nif n:\n    x = self.norm(x)\nn = not n\nif not n:\n    x = self.norm(x)\nreturn x",
    "test-of-a-call": "if x.sum() > 0:\n    x = self.norm(x)\nif not x.sum() > 0:\n    x = self.norm(x)\nreturn x",
    "other-tests": "if self.pre:\n    x = self.norm(x)\nif not self.mode:\n    x = self.norm(x)\nreturn x",
    "in-each-round": "for s in self.order:\n    x = self.norm(x)\nreturn x",
    "in-all-rounds-but-one": "for i in range(3):\n    if i == 0:\n        x = self.conv(x)\n    else:\n        x = self.norm(x)\nreturn x",
    "selected-by-another-loop": "for s in self.order:\n    if s == 'a':\n        for _ in range(3):\n            x = self.norm(x)\nreturn x",
    "selected-and-behind": "for s in self.order:\n    if s == 'a':\n        x = self.norm(x)\nreturn self.norm(x)",
    "same-key": "for i in range(2):\n    x = self.by_name[f'up_{i}'](x)\n    x = self.by_name[f'up_{i}'](x)\nreturn x",
    "key-that-stays": "for i in range(2):\n    x = self.by_name['up_0'](x)\nreturn x",
}  # fmt: skip


def codes(body: str) -> list[str]:
    """The rules that a forward with this body breaks."""
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    text = _NET + lines + "\n    def run(self, x):\n        return self.norm(x)\n"
    return reused(text)


def reused(text: str) -> list[str]:
    """The rules for instances that run twice that a file breaks."""
    return [f.code for f in check_source(_HEAD + text) if f.code in ("QP201", "QP202", "QP203")]


@pytest.mark.parametrize("name", ONCE)
def test_it_runs_once(name: str) -> None:
    assert codes(ONCE[name]) == []


@pytest.mark.parametrize("name", TWICE)
def test_it_runs_twice(name: str) -> None:
    assert codes(TWICE[name]) == ["QP202"]


_NAMED = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.act = nn.Conv1d(4, 4, 1), nn.ReLU()
        self.net = nn.Sequential(self.conv, self.act{more})
        self.conv.weight.data.normal_()

    def forward(self, x):
        return self.net({given})
"""


@pytest.mark.parametrize(
    ("more", "given", "expected"),
    [
        ("", "x", []),
        (", self.act", "x", ["QP203"]),
        ("", "self.act(x)", ["QP203"]),
    ],
)
def test_a_name_that_nothing_runs_is_no_second_place(more: str, given: str, expected: list[str]) -> None:
    assert reused(_NAMED.format(more=more, given=given)) == expected


_CHOSEN = """\
class Net(nn.Module):
    def __init__(self, flag):
        super().__init__()
        self.flag, self.a, self.b, self.conv = flag, nn.ReLU(), nn.GELU(), nn.Conv1d(4, 4, 1)

    def forward(self, x):
        {}
"""


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("x = (self.a if self.flag else self.b)(x)", "return self.a(self.conv(x))"), ["QP201"]),
        (("x = (self.a if self.flag else self.b)(x)", "return self.b(self.conv(x))"), ["QP201"]),
        (("x = self.b(x)", "return (self.a if self.flag else self.b)(self.conv(x))"), ["QP201"]),
        (("act = self.b", "if self.flag:", "    act = self.a", "return self.a(self.conv(act(x)))"), ["QP201"]),
        (("act = self.a if self.flag else self.b", "return self.conv(act(x))"), []),
        (("x = self.conv(x)", "return self.a(x) if self.flag else self.b(x)"), []),
        (("for layer in (self.a, self.conv, self.b):", "    x = layer(x)", "return x"), []),
    ],
)
def test_each_of_several_chosen_attributes_counts_as_run(lines: tuple[str, ...], expected: list[str]) -> None:
    assert reused(_CHOSEN.format("\n        ".join(lines))) == expected
