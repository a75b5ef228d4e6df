"""17: modules that hide their stages."""

from __future__ import annotations

from tests.rewrite.cases import Case, module, prepared

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

CASES: dict[int, tuple[Case, ...]] = {
    17: tuple(prepared(name, module(_RNN.format(made, body))) for name, (made, body) in _COMPOUNDS.items()),
}
