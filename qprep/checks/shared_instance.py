"""QP203: one module instance put into several places."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.checks.base import Hit, Invalid
from qprep.findings import Rule
from qprep.project.facts import Facts

RULE = Rule(
    "QP203",
    "shared-instance",
    "One module instance is put into several places at construction",
    "An activation that is created once and then stored under two names, twice in a container, handed to several "
    "blocks, or kept on the class or as a default argument, runs for all of them: in no forward is it visible.",
)
VALID = (
    """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        act = nn.ReLU()
        self.net = nn.Sequential(nn.Linear(4, 4), act)

    def forward(self, x):
        return self.net(x)
""",
)
INVALID = (
    Invalid(
        """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        act = nn.ReLU()
        self.net = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act)

    def forward(self, x):
        return self.net(x)
""",
        ("act",),
    ),
)
_PLACES = {
    "attribute": "is stored a second time",
    "container": "is put into a container a second time",
    "argument": "is handed on a second time",
    "class-attribute": "is shared by all instances of the class",
    "default-argument": "is shared by all calls that leave the argument out",
}


def check(facts: Facts) -> Iterator[Hit]:
    """The second and later places of one instance."""
    for sharing in facts.sharing.values():
        name = next(iter(sorted(sharing.classes)), "?").rpartition(".")[2]
        shown = f"one `{name}` instance" if name != "?" else "one module instance"
        yield Hit(sharing.place, f"{shown} {_PLACES[sharing.how]}", "make a separate instance for each place", sharing)
