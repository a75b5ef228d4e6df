"""QP104: tensor methods without a module in torch.nn."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid, help_for, unowned
from qprep.foundation.catalogue.op import RuleFamily
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP104",
    "tensor-method",
    "A method of a tensor that computes, such as `x.mean(…)`",
    "Reductions and arithmetic called as methods of a tensor have no module, so no observer records the range of "
    "the result. Methods that only rearrange (`view`, `permute`, `chunk` …) are not findings.",
)
VALID = (
    """
from torch import nn

class Flat(nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 1).reshape(x.size(0), -1)
""",
)
INVALID = (
    Invalid(
        """\
from torch import nn


class Pool(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x.mean((2, 3)))
""",
        ("x.mean((2, 3))",),
        """\
from qprep.runtime_modules import Mean
from torch import nn


class Pool(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.mean = Mean(dim=(2, 3))

    def forward(self, x):
        return self.fc(self.mean(x))
""",
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Calls of methods of the operator family."""
    for site in unowned(facts):
        if site.form == "method" and site.op.family is RuleFamily.OPERATOR and site.spelling is not None:
            name = site.spelling.qualified.rpartition(".")[2]
            message = f"`.{name}()` of a tensor is invisible to a module-level quantizer"
            yield Hit(site.place, message, help_for(site), site)
