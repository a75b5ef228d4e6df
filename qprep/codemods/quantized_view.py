"""`.view()` of what is quantized becomes `.reshape()`."""

from __future__ import annotations

from qprep.analysis.eager.eager_facts import QuantizedView
from qprep.codemods.base import Outcome
from qprep.foundation.findings import Rejection, RejectionCode
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope

_HEAD = """\
from torch import nn
from torch.ao.quantization import DeQuantStub, QuantStub


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.fc = nn.Linear(64, 4)
        self.quant, self.dequant = QuantStub(), DeQuantStub()

    def forward(self, x):
        x = self.conv(self.quant(x))
"""
REWRITES = (
    (
        _HEAD + "        return self.dequant(self.fc(x.view(x.size(0), -1)))\n",
        _HEAD + "        return self.dequant(self.fc(x.reshape(x.size(0), -1)))\n",
    ),
)


def rewrite(scope: Scope, site: QuantizedView) -> Outcome:  # noqa: ARG001 -- every rewrite takes its fact
    """`x.view(2, -1)` → `x.reshape(2, -1)`: the same wherever `view` does not raise."""
    end = scope.code.span(scope.call().func)[1]
    if scope.code.text[end - len("view") : end] != "view":
        return Rejection("the name of the method is not where it was expected", RejectionCode.CALL_FORM)
    scope.message = "use `.reshape()`"
    return (Piece(end - len("view"), end, "reshape"),)
