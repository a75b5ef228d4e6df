"""Recurrent and attention modules become their twins of dedicated operations, which load the same checkpoints."""

from __future__ import annotations

from typing import Final

from qprep.analysis.facts import Compound
from qprep.codemods.base import Outcome
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope

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
from qprep.runtime_modules import LSTM
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = LSTM(4, 4, batch_first=True)

    def forward(self, x):
        return self.rnn(x)[0]
""",
    ),
    (
        """\
from torch import nn


class Net(nn.Module):
    def __init__(self, kind="GRU"):
        super().__init__()
        assert kind in ("LSTM", "GRU")
        self.rnn = getattr(nn, kind)(4, 4)

    def forward(self, x):
        return self.rnn(x)[0]
""",
        """\
from qprep import runtime_modules
from torch import nn


class Net(nn.Module):
    def __init__(self, kind="GRU"):
        super().__init__()
        assert kind in ("LSTM", "GRU")
        self.rnn = getattr(runtime_modules, kind)(4, 4)

    def forward(self, x):
        return self.rnn(x)[0]
""",
    ),
)


_ATTENTION = "torch.nn.MultiheadAttention"
_ENCODER = ("torch.nn.TransformerEncoderLayer", _ATTENTION)
_DECODER = ("torch.nn.TransformerDecoderLayer", _ATTENTION)
# What each class makes of itself, or of what it is given, is staged as well.
_STAGED_INSIDE: Final = {
    "torch.nn.TransformerEncoderLayer": (_ATTENTION,),
    "torch.nn.TransformerDecoderLayer": (_ATTENTION,),
    "torch.nn.TransformerEncoder": _ENCODER,
    "torch.nn.TransformerDecoder": _DECODER,
    "torch.nn.Transformer": (*_ENCODER, *_DECODER, "torch.nn.TransformerEncoder", "torch.nn.TransformerDecoder"),
}


def rewrite(scope: Scope, site: Compound) -> Outcome:
    """`nn.LSTM(…)` → `LSTM(…)` of qprep.runtime_modules; `getattr(nn, kind)` → `getattr(runtime_modules, kind)`."""
    for cls in sorted({part for name in site.classes for part in (name, *_STAGED_INSIDE.get(name, ()))}):
        if (place := scope.context.facts.compared.get(cls)) is not None:
            return Rejection(
                f"`{cls.removeprefix('torch.')}` is compared with another class at {place}", RejectionCode.MUTATION
            )
    if not site.is_fetched:
        start, end = scope.code.span(scope.node)  # type: ignore[arg-type]
        return (Piece(start, end, scope.runtime(site.classes[0].rpartition(".")[2])),)
    for cls in site.classes:
        known = scope.context.analysis.catalogue.nn_module(cls.removeprefix("torch.nn."))
        if known is None or not known.is_compound:
            return Rejection(
                f"the name may also refer to `{cls.removeprefix('torch.')}`, which has no hidden stages",
                RejectionCode.RUN_ONLY,
            )
    start, end = scope.code.span(scope.node.args[0])  # type: ignore[attr-defined]
    return (Piece(start, end, scope.package("runtime_modules")),)
