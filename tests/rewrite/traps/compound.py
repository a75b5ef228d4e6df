"""17: modules that hide their stages."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, prepared

_RNN = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = {}

    def forward(self, x):
        {}


def example():
    return Net(), (torch.randn(2, 3, 4),)
"""

_COMPOUNDS = {
    "lstm": ("nn.LSTM(4, 4, batch_first=True)", "y, (h, c) = self.rnn(x)\n        return y + x"),
    "lstm-projected": ("nn.LSTM(4, 4, proj_size=2)", "return self.rnn(x)[0]"),
    "lstm-bidirectional": ("nn.LSTM(4, 2, 2, bidirectional=True, dropout=0.1)", "return self.rnn(x)[0] * x"),
    "gru": ("nn.GRU(4, 4, bias=False)", "y, h = self.rnn(x)\n        return y"),
    "rnn": ("nn.RNN(4, 4, nonlinearity='relu')", "y, h = self.rnn(x)\n        return y, h"),
    "lstm-cell": ("nn.LSTMCell(4, 4)", "h, c = self.rnn(x[0])\n        return h"),
    "attention": ("nn.MultiheadAttention(4, 2, batch_first=True)", "return self.rnn(x, x, x)[0] + x"),
    "attention-without-weights": (
        "nn.MultiheadAttention(4, 2, add_zero_attn=True)",
        "return self.rnn(x, x, x, need_weights=False)[0]",
    ),
    "encoder-layer": ("nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)", "return self.rnn(x)"),
    "transformer": ("nn.Transformer(4, 2, 1, 1, 8)", "return self.rnn(x, x)"),
}

_OWN = """
class Own(nn.LSTM):
    def __init__(self, size, residual=True, **kwargs):
        super().__init__(size, size, **kwargs)
        self.residual = residual

    def forward(self, x, state=None):
        y, state = super().forward(x, state)
        return (x + y if self.residual else y), state


class Deep(Own):
    def reset_parameters(self):
        super().reset_parameters()
        nn.init.zeros_(self.bias_ih_l0)


class Last(nn.Module):
    def forward(self, pair):
        return pair[0]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = {}

    def forward(self, x):
        return {}
"""

_MADE = {
    "subclass": ("Own(4)", "self.rnn(x)[0]"),
    "subclass-of-a-subclass": ("Deep(4, num_layers=2)", "self.rnn(x, None)[0]"),
    "subclass-in-a-list": ("nn.ModuleList(Own(4, n > 0) for n in range(2))", "self.rnn[1](self.rnn[0](x)[0])[0]"),
    "sequential": ("nn.Sequential(nn.LSTM(4, 4), Last(), nn.GRU(4, 4), Last())", "self.rnn(x)"),
    "dict-of-layers": (
        "nn.ModuleDict({'a': nn.LSTM(4, 4), 'b': nn.RNN(4, 4)})",
        "self.rnn['b'](self.rnn['a'](x)[0])[0]",
    ),
}

_NAMED = """
import torch.nn as tnn
from functools import partial
from torch.nn import LSTM as Recurrent
from torch.nn.modules.rnn import GRU
from typing import Literal

KINDS = {{"long": "LSTM", "gated": "GRU"}}
ALLOWED = ("LSTM", "GRU")
CLASSES = {{"LSTM": nn.LSTM, "GRU": nn.GRU}}


class Net(nn.Module):
    rnn_class = nn.GRU

    def __init__(self, kind: Literal["LSTM", "GRU"] = "GRU", short="gated", cls=nn.LSTM, plain="LSTM"):
        super().__init__()
        {}

    def forward(self, x):
        return self.rnn(x)[0]


def example():
    return Net(), (torch.randn(2, 3, 4),)
"""

_SPELLED = {
    "aliases": "self.rnn = nn.Sequential(Recurrent(4, 4))",
    "inner-module": "self.rnn = GRU(4, 4)",
    "dotted": "self.rnn = torch.nn.modules.rnn.RNN(4, 4)",
    "class-attribute": "self.rnn = self.rnn_class(4, 4)",
    "table-of-classes": "self.rnn = CLASSES[kind](4, 4)",
    "choice": "self.rnn = (nn.LSTM if kind == 'LSTM' else tnn.GRU)(4, 4)",
    "default": "self.rnn = cls(4, 4)",
    "partial": "self.rnn = partial(nn.GRU, batch_first=True)(4, 4)",
    "local-alias": "cls = nn.GRU\n        self.rnn = cls(4, 4)",
    "getattr-constant": "self.rnn = getattr(nn, 'LSTM')(4, 4)",
    "getattr-literal": "self.rnn = getattr(nn, kind)(4, 4)",
    "getattr-table": "self.rnn = getattr(torch.nn, KINDS[short])(4, 4)",
    "getattr-tested": "if plain in ALLOWED:\n            self.rnn = getattr(nn, plain)(4, 4)",
    "getattr-asserted": "assert plain == 'LSTM' or plain == 'GRU'\n        self.rnn = getattr(nn, plain)(4, 4)",
    "getattr-refused": (
        "if plain not in ALLOWED:\n            raise ValueError(plain)\n        self.rnn = getattr(tnn, plain)(4, 4)"
    ),
    "getattr-loop": (
        "self.rnn = nn.Identity()\n        for name in ('GRU', 'LSTM'):\n            self.rnn = getattr(nn, name)(4, 4)"
    ),
    "getattr-cell": "self.rnn = getattr(nn, f'{kind}Cell')(4, 4)\n        self.rnn = nn.GRU(4, 4)",
    "getattr-bidirectional": "self.rnn = getattr(nn, plain)(4, 4, bidirectional=False)",
    "getattr-batch-first": "self.rnn = getattr(nn, plain)(4, 4, 1, batch_first=True)",
    "getattr-joined": "name = 'G' + 'RU'\n        self.rnn = getattr(nn, name)(4, 4)",
}

_COMPARED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 4)
        for module in self.modules():
            if {}:
                nn.init.ones_(module.bias_ih_l0)

    def forward(self, x):
        return self.rnn(x)[0]
"""

CASES: dict[int, tuple[Case, ...]] = {
    17: (
        *(prepared(name, module(_RNN.format(made, body))) for name, (made, body) in _COMPOUNDS.items()),
        *(prepared(name, module(_OWN.format(made, body))) for name, (made, body) in _MADE.items()),
        *(prepared(name, module(_NAMED.format(made))) for name, made in _SPELLED.items()),
        prepared("isinstance", module(_COMPARED.format("isinstance(module, (nn.LSTM, nn.GRU))"))),
        declined("type-compared", module(_COMPARED.format("type(module) is nn.LSTM")), "is compared"),
        declined("type-in-tuple", module(_COMPARED.format("type(module) in (nn.LSTM, nn.GRU)")), "is compared"),
        declined("type-as-key", module(_COMPARED.format("{nn.LSTM: 1}.get(type(module))")), "is compared"),
        declined(
            "getattr-other-layers",
            module(
                _NAMED.format("assert plain in ('LSTM', 'RNN', 'Linear')\n        self.rnn = getattr(nn, plain)(4, 4)")
            ),
            "may also refer to",
        ),
    ),
}
