# ruff: noqa: E501 -- sources as short strings
"""20: source that is odd but legal."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, net, prepared

_SAME_TEXT = net("y = self.fc(x)\nassert f'{{y.sum()}} {y.sum()}'.startswith('{y.sum()} ')\nreturn y")
_IN_A_ROW = """
y = self.fc(x)
assert (
    'sum'
    f'é {y.sum()} {y.mean():{len(str(y.exp()))}}' f'{x.size(0)}'
)
return y
"""


_PLAIN = net("y = F.relu(self.fc(x))  # first\nreturn torch.cat([y + x, x], 1)  # last")
_CHAIN = net("return self.fc(x){}")

_LINE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    {}
"""

ODD: tuple[Case, ...] = (
    prepared("crlf", _PLAIN.replace("\n", "\r\n")),
    prepared("tabs", _PLAIN.replace("    ", "\t")),
    prepared("two-blanks", _PLAIN.replace("    ", "  ")),
    prepared("bom", "\ufeff" + _PLAIN),
    prepared("no-final-newline", _PLAIN.rstrip("\n")),
    prepared("trailing-blanks", _PLAIN.replace("\n", "  \n")),
    prepared("utf8-cookie", "# -*- coding: utf-8 -*-\n# größe\n" + _PLAIN),
    prepared("non-ascii-line", net("größe = F.relu(self.fc(x)); return größe + x  # größer")),
    prepared("future-import", '"""Docs."""\nfrom __future__ import annotations\n' + _PLAIN),
    prepared("semicolons", net("y = self.fc(x); y = y + x; y += 1; return F.relu(y)")),
    prepared("one-line-if", net("y = self.fc(x)\nif self.training: y = y + x\nelse: y = y * 2\nreturn y")),
    prepared("one-line-loop", net("y = self.fc(x)\nfor _ in range(2): y = y + x; y = F.relu(y)\nreturn y")),
    prepared("one-line-forward", module(_LINE.format("def forward(self, x): return F.relu(self.fc(x)) + x"))),
    prepared("backslashes", net("y = self.fc(x) \\\n    + x \\\n    + 1\nreturn F.relu \\\n    (y)")),
    prepared("backslash-augmented", net("y = self.fc(x)\ny += \\\n    x\nreturn y")),
    prepared("parentheses", net("y = (((self.fc(x)) + ((x))))\nreturn ((y) * (x + (y)))")),
    prepared(
        "parentheses-over-lines", net("y = (\n    # sum\n    self.fc(x)\n    + x  # skip\n    # end\n)\nreturn y")
    ),
    prepared("operator-at-the-line-end", net("y = (self.fc(x) +  # new\n     x)  # old\nreturn y")),
    prepared("no-blanks", net("y=self.fc(x)+x*2-1\nreturn(F.relu(y)*(-x))")),
    declined("beyond-libcst", net("y=self.fc(x)+x*2-1\nreturn(F.relu(y)if y.dim()else-y)"), "cannot be rewritten"),
    prepared("return-minus", net("return-self.fc(x)")),
    prepared("not-in-words", net("return self.fc(x) if not-1 else-self.fc(x)")),
    prepared("long-chain", _CHAIN.format(" + x" * 40)),
    declined("very-long-chain", _CHAIN.format(" + x" * 200), "nested so deeply"),
    prepared("long-method-chain", net("return self.fc(x)" + ".add(1).mul(2)" * 40)),
    prepared("deep-parentheses", net("return " + "(" * 40 + "self.fc(x) + x" + ")" * 40)),
    prepared(
        "decorator",
        module(_LINE.format("@torch.no_grad()\n    def forward(self, x):\n        return F.relu(self.fc(x)) + x")),
    ),
    prepared(
        "autocast",
        module(
            _LINE.format(
                "@torch.autocast('cpu', enabled=False)\n    def forward(self, x):\n        return F.relu(self.fc(x)) + x"
            )
        ),
    ),
    prepared("type-comment", net("y = self.fc(x)  # type: torch.Tensor\nreturn y + x  # type: ignore")),
    prepared(
        "annotations",
        module(
            _LINE.format(
                "def forward(self, x: 'torch.Tensor', *, n: int = 1) -> 'torch.Tensor':\n        return F.relu(self.fc(x)) + n"
            )
        ),
    ),
    prepared(
        "type-checking-import",
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from torch import Tensor\n" + _PLAIN,
    ),
    prepared(
        "match-statement",
        net("match x.dim():\n    case 2 | 4:\n        y = self.fc(x) + x\n    case _:\n        y = x * 2\nreturn y"),
    ),
    prepared("walrus", net("if (y := self.fc(x) + x).dim() > 1:\n    return F.relu(y)\nreturn y")),
    prepared("walrus-in-a-comprehension", net("return sum([(z := F.relu(t)) * z for t in (x, self.fc(x))])")),
    prepared("f-string", net("y = self.fc(x) + x\nassert f'{y.sum() * 2:.3f} {x.size(0) + 1}'\nreturn y")),
    prepared("f-strings-in-a-row", net(_IN_A_ROW)),
    declined(
        "f-string-that-shows-itself",
        net("y = self.fc(x)\nassert f'{y.sum()=}'\nreturn y"),
        "prints the expression itself",
    ),
    prepared("f-string-with-the-same-text", _SAME_TEXT),
    prepared(
        "string-with-quotes",
        net("y = self.fc(x) + x\ntext = '''x + y # no comment'''\nreturn y if text else F.relu(y)"),
    ),
    prepared(
        "comments-everywhere",
        net("# one\ny = F.relu(  # two\n    # three\n    self.fc(x),  # four\n)  # five\n# six\nreturn y"),
    ),
    prepared("global-and-nonlocal", net("global SEEN\nSEEN = True\nreturn F.relu(self.fc(x))", extra="SEEN = False")),
    prepared(
        "conditional-class",
        module(
            "if torch.__version__:\n    class Net(nn.Module):\n        def __init__(self):\n            super().__init__()\n"
            "            self.fc = nn.Linear(4, 4)\n\n        def forward(self, x):\n            return F.relu(self.fc(x)) + x"
        ),
    ),
    prepared(
        "pass-and-ellipsis",
        module(
            _LINE.format(
                "def reset(self): ...\n\n    def forward(self, x):\n        pass\n        return F.relu(self.fc(x))"
            )
        ),
    ),
    prepared(
        "imports-on-one-line",
        "import torch, math; import torch.nn.functional as F, os\nfrom torch import nn\n"
        + _PLAIN.partition("from torch import nn\n")[2].replace("y + x", "y + math.pi"),
    ),
    prepared(
        "imports-in-parentheses",
        "from torch import (\n    cat,  # join\n    nn,\n)\nfrom torch.nn.functional import (\n    relu,\n)\n"
        + _PLAIN.partition("from torch import nn\n")[2].replace("F.relu", "relu").replace("torch.cat", "cat"),
    ),
)

CASES: dict[int, tuple[Case, ...]] = {20: ODD}
