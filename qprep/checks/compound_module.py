"""QP401: recurrent modules, attention and transformers, whose stages are hidden."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP401",
    "compound-module",
    "A compound module hides its stages: nn.LSTM, nn.GRU, nn.MultiheadAttention, nn.Transformer",
    "Gates, cell updates, attention scores and softmax run in C++ or inside one forward. A quantizer sees only the "
    "module's inputs and outputs.",
)
VALID = (
    """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x)
""",
)
INVALID = (
    Invalid(
        """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 4)

    def forward(self, x):
        return self.rnn(x)[0]
""",
        ("nn.LSTM",),
    ),
    Invalid(
        """
from torch import nn

class Net(nn.Module):
    def __init__(self, kind: str = "LSTM"):
        super().__init__()
        assert kind in ("LSTM", "GRU")
        self.rnn = getattr(nn, kind)(4, 4)

    def forward(self, x):
        return self.rnn(x)[0]
""",
        ("getattr(nn, kind)",),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Constructions of compound modules, and classes that inherit from one."""
    for compound in facts.compounds.values():
        names = [cls.rpartition(".")[2] for cls in compound.classes]
        hide = "hides its stages" if len(names) == 1 else "hide their stages"
        message = f"{' or '.join(f'`nn.{name}`' for name in names)} {hide} from a module-level quantizer"
        better = " or ".join(f"`qprep.runtime_modules.{name}`" for name in names)
        yield Hit(compound.place, message, f"use {better}, which loads the same checkpoints", compound)
