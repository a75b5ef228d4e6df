"""A module that another list has fused away becomes the one that forward calls there."""

from __future__ import annotations

from qprep.analysis.eager.eager_facts import FusedAgain
from qprep.codemods.base import Outcome
from qprep.foundation.findings import Applicability, Unfixable
from qprep.rewriting.fix_scope import Scope
from qprep.rewriting.fstrings import string_piece

APPLICABILITY = Applicability.UNSAFE
REWRITES = (
    (
        """\
from torch import nn
from torch.ao.quantization import fuse_modules


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 1)
        self.bn2 = nn.BatchNorm2d(4)
        self.relu1 = nn.ReLU()
        self.relu2 = nn.ReLU()

    def forward(self, x):
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.relu2(x)

    def fuse_model(self):
        fuse_modules(self, [["conv1", "bn1", "relu1"], ["conv2", "bn2", "relu1"]], inplace=True)
""",
        """\
from torch import nn
from torch.ao.quantization import fuse_modules


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 4, 1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 1)
        self.bn2 = nn.BatchNorm2d(4)
        self.relu1 = nn.ReLU()
        self.relu2 = nn.ReLU()

    def forward(self, x):
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        return self.relu2(x)

    def fuse_model(self):
        fuse_modules(self, [["conv1", "bn1", "relu1"], ["conv2", "bn2", "relu2"]], inplace=True)
""",
    ),
)


def rewrite(scope: Scope, site: FusedAgain) -> Outcome:
    """The second `"relu1"` → `"relu2"`, where forward calls that behind the BatchNorm before it."""
    if site.meant is None:
        return Unfixable("forward has no other module in this place")
    scope.message = f"name `{site.meant}`"
    return string_piece(scope, site.meant)
