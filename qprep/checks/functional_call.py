"""QP301: functional twins of torch.nn modules."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid, help_for, unowned
from qprep.foundation.catalogue.op import RuleFamily
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP301",
    "functional-call",
    "A functional call where torch.nn has a module, such as `F.relu(x)`",
    "`F.relu(x)`, `torch.relu(x)` and `x.relu()` compute the same as `nn.ReLU`, but a quantizer has no module to "
    "replace, observe or fuse.",
)
VALID = (
    """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(x)
""",
    """
from torch import nn

def relu(x):
    return x

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return relu(self.fc(x))
""",
)
INVALID = (
    Invalid(
        """
import torch
import torch.nn.functional as F
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        x = F.relu(self.fc(x))
        return F.dropout(x.sigmoid(), 0.5, self.training)
""",
        ("F.relu(self.fc(x))", "F.dropout(x.sigmoid(), 0.5, self.training)", "x.sigmoid()"),
    ),
)


def check(facts: Facts) -> Iterator[Hit]:
    """Calls of the functional family that take no weights."""
    for site in unowned(facts):
        if (
            site.form in ("function", "method")
            and site.op.family is RuleFamily.FUNCTIONAL
            and site.spelling is not None
        ):
            if not site.op.weights:
                name = site.spelling.qualified.replace("Tensor.", ".")
                message = f"`{name}` is invisible to a module-level quantizer"
                yield Hit(site.place, message, help_for(site), site)
