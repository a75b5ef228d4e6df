"""Recurrent and attention modules become their twins of dedicated operations, which load the same checkpoints."""

from __future__ import annotations

from qprep.codemods.base import Outcome
from qprep.project.facts import Compound
from qprep.rewrite.pieces import Piece
from qprep.rewrite.scope import Scope

REWRITES = (
    (
        """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 4, batch_first=True)

    def forward(self, x):
        return self.rnn(x)[0]
""",
        """\
from torch import nn
from qprep.runtime_modules import LSTM


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = LSTM(4, 4, batch_first=True)

    def forward(self, x):
        return self.rnn(x)[0]
""",
    ),
)


def rewrite(scope: Scope, site: Compound) -> Outcome:
    """`nn.LSTM(…)` → `LSTM(…)` of qprep.runtime_modules."""
    start, end = scope.code.span(scope.node)  # type: ignore[arg-type]
    return (Piece(start, end, scope.runtime(site.cls.rpartition(".")[2])),)
