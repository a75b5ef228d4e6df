"""A convolution and its BatchNorm get a list of their own in addition to those that the class fuses."""

from __future__ import annotations

import ast

from qprep.analysis.eager.eager_facts import UnfusedPair
from qprep.codemods.base import Outcome
from qprep.foundation.findings import Applicability, Unfixable
from qprep.rewriting.composed_edits import Piece
from qprep.rewriting.fix_scope import Scope

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
        fuse_modules(self, [["conv1", "bn1", "relu1"]], inplace=True)
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
        fuse_modules(self, [["conv1", "bn1", "relu1"], ["conv2", "bn2"]], inplace=True)
""",
    ),
)


def rewrite(scope: Scope, site: UnfusedPair) -> Outcome:
    """`[["conv1", "bn1"]]` → `[["conv1", "bn1"], ["conv2", "bn2"]]`."""
    node = scope.code.node(site.fuse_list) if site.fuse_list is not None else None
    if not isinstance(node, ast.List):
        return Unfixable("there is no list of lists to add it to")
    last = scope.code.span(node.elts[-1])[1]
    first, second = site.names
    scope.message = f"fuse `{first}` and `{second}`"
    return (Piece(last, last, f', ["{first}", "{second}"]'),)
