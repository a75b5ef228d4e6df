"""QP203: one module instance put into several places."""

from __future__ import annotations

from collections.abc import Iterator

from qprep.analysis.facts import Facts
from qprep.checks.base import Hit, Invalid
from qprep.foundation.findings import Rule

RULE = Rule(
    "QP203",
    "shared-instance",
    "One module instance is stored in several places at construction",
    "An activation is created once and then stored under two names, twice in a container, in several blocks, on the"
    " class, or in a default argument. It runs in all these places, and no forward shows it.",
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
        """\
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
        """\
from qprep.runtime_modules import another
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        act = nn.ReLU()
        self.net = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), another(act))

    def forward(self, x):
        return self.net(x)
""",
    ),
)
_PLACES = {
    "attribute": "is stored a second time",
    "container": "is put into a container a second time",
    "argument": "is passed on a second time",
    "unpacked": "is passed on a second time with its list or dict",
    "copy": "is copied together with its hooks and children",
    "repetition": "is put into a list several times",
    "common": "is created once, with the file, the class or the default of a parameter",
}


def check(facts: Facts) -> Iterator[Hit]:
    """The second and later places of one instance, and all of one that is made once for all."""
    for sharing in facts.sharing.values():
        message = f"{_shown(sharing.classes)} {_PLACES[sharing.how]}"
        yield Hit(sharing.place, message, "make a separate instance for each place", sharing)
    for call in facts.calls.values():
        if call.is_common:
            message = f"{_shown(call.classes)} that runs here {_PLACES['common']}"
            yield Hit(call.place, message, "make an instance for each object", call)


def _shown(classes: set[str]) -> str:
    names = sorted({name.rpartition(".")[2] for name in classes})
    if not names or "?" in names:
        return "one module instance"
    return f"one {' or '.join(f'`{name}`' for name in names)} instance"
