"""Random sources of models for the property tests: operations, reuse, loops, branches, odd formatting, comments."""

from __future__ import annotations

import textwrap
from itertools import count

from hypothesis import strategies as st

_HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn


def gate(t, by=2.0):
    # helper
    return t * torch.sigmoid(t) / by


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.Tanh()  # shared
        self.norm = nn.LayerNorm(4)
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])
        self.scale = 0.5
        self.w = nn.Parameter(torch.ones(4))

    def forward(self, x):
        y = self.fc(x)
"""
_TAIL = """\
        return x, y


def example():
    return Net(), (torch.randn(2, 4, 4),)
"""

# `a` and `b` stand for expressions of the input's shape; every form keeps it.
_FORMS = (
    "a + b", "a - b", "a * b", "a / (b * b + 1)", "a @ b", "-a", "a * 2", "1 - a", "a ** 2", "a * self.scale",
    "a + self.w", "torch.add(a, b, alpha=2)", "torch.mul(other=a, input=b)", "a.sub(b)", "torch.maximum(a, b)",
    "F.relu(a)", "F.gelu(a, approximate='tanh')", "torch.tanh(input=a)", "a.sigmoid()", "F.leaky_relu(a, 0.2)",
    "F.softmax(a, dim=-1)", "a.softmax(1)", "a - a.mean(-1, keepdim=True)", "a.clamp(-1, 1)", "a.abs()",
    "F.dropout(a, 0.5, self.training)", "F.dropout(a, self.scale)", "F.layer_norm(a, (4,))",
    "F.linear(a, self.fc.weight, self.w)", "torch.cat([a, b], -1)[..., :4]", "torch.stack([a, b]).sum(0)",
    "self.act(a)", "self.fc(a)", "self.norm(a)", "self.layers[0](a)", "gate(a)", "gate(a, by=3)",
    "torch.where(a > 0, a, b)", "(a if self.training else b)", "sum([a, b])", "(lambda t: F.relu(t) + 1)(a)",
    "a.transpose(1, 2).transpose(1, 2)", "a * (x.size(1) // 2)", "a.relu().neg()", "torch.Tensor.add(a, b)",
)  # fmt: skip
_SPREAD = ("({})", "(\n    {}\n)", "(\n    # inner\n    {}  # tail\n)", "( {} )")


@st.composite
def _expression(draw: st.DrawFn, depth: int = 2) -> str:
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(("x", "y")))
    form = draw(st.sampled_from(_FORMS))
    parts = {name: draw(_expression(depth - 1)) for name in "ab"}
    text = "".join(_operand(parts[token]) if token in parts else token for token in _tokens(form))
    return draw(st.sampled_from(_SPREAD)).format(text) if draw(st.integers(0, 5)) == 0 else text


def _operand(text: str) -> str:
    return text if text.isidentifier() else f"({text})"


def _tokens(form: str) -> list[str]:
    """A form cut so that a lone `a` or `b` is a token of its own."""
    tokens, word = [], ""
    for character in form + " ":
        if character.isalnum() or character in "_'":
            word += character
            continue
        tokens += [word, character]
        word = ""
    return tokens[:-1]


@st.composite
def _simple(draw: st.DrawFn) -> str:
    target = draw(st.sampled_from(("x", "y")))
    sign = draw(st.sampled_from(("=", "=", "=", "+=", "-=", "*=")))
    blank = draw(st.sampled_from((" ", " ", "", "  ")))
    return f"{target}{blank}{sign}{blank}{draw(_expression())}"


@st.composite
def _statement(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.sampled_from(("simple", "simple", "pair", "in-place", "loop", "branch"))) if depth else "simple"
    if kind == "simple":
        return draw(_simple())
    if kind == "pair":
        return f"{draw(_simple())}; {draw(_simple())}"
    if kind == "in-place":
        method = draw(st.sampled_from(("add_(x)", "mul_(2)", "relu_()", "clamp_(0, 1)", "sigmoid_()")))
        return f"z = y\ny.{method}\nx = x + z"
    body = textwrap.indent(draw(_block(depth - 1)), "    ")
    if kind == "branch":
        other = textwrap.indent(draw(_block(depth - 1)), "    ")
        test = draw(st.sampled_from(("self.training", "x.size(0) > 1", "not self.training")))
        return f"if {test}:\n{body}\nelse:\n{other}"
    head = draw(st.sampled_from(("for _ in range(2)", "for i in range(len(self.layers))", "for layer in self.layers")))
    return f"{head}:\n{body}"


@st.composite
def _block(draw: st.DrawFn, depth: int = 1, most: int = 2) -> str:
    return "\n".join(draw(st.lists(_statement(depth), min_size=1, max_size=most)))


@st.composite
def models(draw: st.DrawFn) -> str:
    """The source of a model; every line that can carry a comment may have one of its own."""
    body = draw(_block(depth=2, most=4))
    numbers = count(1)
    lines = []
    for line in textwrap.indent(body, " " * 8).splitlines():
        free = not line.rstrip().endswith(("(", "tail", "inner"))
        lines.append(f"{line}  # note {next(numbers)}" if free and draw(st.integers(0, 3)) == 0 else line)
    newline = draw(st.sampled_from(("\n", "\n", "\r\n")))
    return (_HEAD + "\n".join(lines) + "\n" + _TAIL).replace("\n", newline)
