"""Code that sees what a compound module is made of, or where its padded positions differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.cases import module
from tests.rewrite.running import fix, fix_unharmed, write

_NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {made}

    def forward(self, x):
        return {call} * {use}


def example():
    return Net(), (torch.randn(2, 3, 4),)
"""
_LSTM, _LIST = "self.rnn = nn.LSTM(4, 4)", "self.rnns = nn.ModuleList([nn.LSTM(4, 4)])"
_TEXTS = {
    "repr": (_LSTM, "self.rnn(x)[0]", "len(repr(self.rnn))"),
    "str": (_LSTM, "self.rnn(x)[0]", "len(str(self.rnn))"),
    "formatted": (_LSTM, "self.rnn(x)[0]", "len(f'{self.rnn}')"),
    "template": (_LSTM, "self.rnn(x)[0]", "len('%s' % self.rnn)"),
    "item": (_LIST, "self.rnns[0](x)[0]", "len(repr(self.rnns[0]))"),
    "list": (_LIST, "self.rnns[0](x)[0]", "len(repr(self.rnns))"),
    "class": (
        "self.coder = nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 8), 1)",
        "self.coder(x, x)",
        "sum(type(m) is nn.TransformerDecoderLayer for m in self.modules())",
    ),
}


@pytest.mark.parametrize(("made", "call", "use"), _TEXTS.values(), ids=_TEXTS.keys())
def test_computes_the_same(made: str, call: str, use: str, tmp_path: Path) -> None:
    fix_unharmed(module(_NET.format(made=made, call=call, use=use)), tmp_path)


def test_the_text_of_a_sequential_names_new_modules(tmp_path: Path) -> None:
    source = """
class Block(nn.Module):
    def forward(self, x):
        return F.relu(x) + x


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Block(), nn.ReLU())

    def forward(self, x):
        return self.body(x) * len(repr(self.body))


def example():
    return Net(), (torch.randn(2, 4),)
"""
    fix_unharmed(module(source), tmp_path)


_LAYER = "nn.TransformerEncoderLayer(4, 2, 8, 0.0{})"
_MASKED = {
    "by keyword": "self.coder(x, src_key_padding_mask=mask)",
    "by position": "self.coder(x, None, mask)",
    "no mask": "self.coder(x)",
    "None": "self.coder(x, src_key_padding_mask=None)",
}


@pytest.mark.parametrize("first", ["", ", batch_first=True", ", 'relu', 1e-5, True"])
@pytest.mark.parametrize("call", _MASKED.values(), ids=_MASKED.keys())
def test_padded_positions_of_an_encoder(first: str, call: str, tmp_path: Path) -> None:
    layer = _LAYER.format(first)
    source = f"""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.coder = nn.TransformerEncoder({layer}, 1)

    def forward(self, x, mask=None):
        return {call} + x
"""
    fix(write(tmp_path, {"model.py": module(source)}), write=True)
    is_staged = "self.coder = nn.TransformerEncoder(" not in (tmp_path / "model.py").read_text(encoding="utf-8")
    assert is_staged == (not first or "mask)" not in call)
