"""A name in a fuse list becomes the one that is meant, where there is only one."""

from __future__ import annotations

from qprep.analysis.eager.eager_facts import FusedName
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
        self.conv = nn.Conv2d(4, 4, 1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))

    def fuse_model(self):
        fuse_modules(self, [["conv2d", "BatchNorm2d", "ReLU"]], inplace=True)
""",
        """\
from torch import nn
from torch.ao.quantization import fuse_modules


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.bn = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))

    def fuse_model(self):
        fuse_modules(self, [["conv", "bn", "relu"]], inplace=True)
""",
    ),
)


def rewrite(scope: Scope, site: FusedName) -> Outcome:
    """`"conv2d"` → `"conv"`."""
    if len(site.close) != 1:
        return Unfixable("the submodule is not known")
    scope.message = f"name `{site.close[0]}`"
    return string_piece(scope, site.close[0])
