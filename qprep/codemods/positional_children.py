"""Code that takes the children of a module by position or counts them goes on to see those the model was made with."""

from __future__ import annotations

from qprep.analysis.facts import ChildIteration
from qprep.codemods.base import Outcome
from qprep.rewriting.composed_edits import Piece, opening
from qprep.rewriting.fix_scope import Scope

REWRITES = (
    (
        """\
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Linear(4, 4)
        self.head = nn.Linear(4, 4)

    def forward(self, x):
        return self.head(self.conv(x) + x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(*list(Block().children())[:-1])

    def forward(self, x):
        return self.body(x) + x
""",
        """\
from qprep.runtime_modules import EltwiseAdd, mark_added, original_children
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Linear(4, 4)
        self.head = nn.Linear(4, 4)
        self.add = EltwiseAdd()
        mark_added(self, "add")

    def forward(self, x):
        return self.head(self.add(self.conv(x), x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(*list(original_children(Block()))[:-1])
        self.add = EltwiseAdd()

    def forward(self, x):
        return self.add(self.body(x), x)
""",
    ),
)


def rewrite(scope: Scope, site: ChildIteration) -> Outcome:
    """`model.children()` → `original_children(model)`."""
    start, end = scope.code.span(scope.node)  # type: ignore[arg-type]
    receiver = scope.node.func.value  # type: ignore[attr-defined]
    dot = scope.code.skip_blank(scope.code.span(receiver)[1], ")")
    name = scope.runtime(f"original_{site.method}")
    return (opening(start, f"{name}(", end - start), Piece(dot, end, ")"))
