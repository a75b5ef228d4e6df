"""Subclasses whose constructor may leave out that of the class which gets a new module."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.foundation.findings import Rejection
from tests.rewrite.cases import module
from tests.rewrite.running import fix, fix_unharmed, write

_MODEL = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(x) + x


{made}


def model():
    return Made(), (torch.randn(2, 4),)
"""
_MADE = "class Made(Net):\n    def __init__(self, x=0):\n"
_BODIES = {
    "else": "if x:\n    Net.__init__(self)\nelse:\n    nn.Module.__init__(self)",
    "super-past-it": "if x:\n    super().__init__()\nelse:\n    super(Net, self).__init__()",
    "return": "nn.Module.__init__(self)\nif x == 0:\n    return\nsuper().__init__()",
    "return-in-with": "nn.Module.__init__(self)\nwith torch.no_grad():\n    if not x: return\nsuper().__init__()",
    "and": "nn.Module.__init__(self)\nx and super().__init__()",
    "conditional": "nn.Module.__init__(self)\nsuper().__init__() if x else None",
    "loop": "nn.Module.__init__(self)\nfor _ in range(x):\n    super().__init__()",
    "while": "nn.Module.__init__(self)\nwhile x:\n    super().__init__()\n    break",
    "handler": "try:\n    super().__init__(x)\nexcept TypeError:\n    nn.Module.__init__(self)",
    "match": "match x:\n    case 1:\n        super().__init__()\n    case _:\n        nn.Module.__init__(self)",
    "lambda": "nn.Module.__init__(self)\nself.later = lambda: Net.__init__(self)",
    "comprehension": "nn.Module.__init__(self)\n[Net.__init__(self) for _ in range(x)]",
    "another": "nn.Module.__init__(self)",
}
SKIPPING = {
    **{name: _MADE + "\n".join(f"        {line}" for line in body.splitlines()) for name, body in _BODIES.items()},
    "type": 'def init(self):\n    nn.Module.__init__(self)\n\nMade = type("Made", (Net,), {"__init__": init})',
    "type-in-a-branch": (
        "def init(self, x=0):\n    if x:\n        Net.__init__(self)\n    else:\n        nn.Module.__init__(self)\n\n"
        'Made = type("Made", (Net,), {"__init__": init})'
    ),
    "through-another": (
        "class Middle(Net):\n    def __init__(self, x=0):\n        nn.Module.__init__(self)\n        if x:\n"
        "            super().__init__()\n\n\nclass Made(Middle):\n    def __init__(self):\n        super().__init__()"
    ),
}
_RUNNING = {
    "both": "if x:\n    super().__init__()\nelse:\n    Net.__init__(self)",
    "raise": "if x > 3:\n    raise ValueError(x)\nsuper().__init__()",
    "with": "with torch.no_grad():\n    super().__init__()",
    "handlers": "try:\n    super().__init__(x)\nexcept TypeError:\n    super().__init__()",
    "finally": "try:\n    x = x + 1\nfinally:\n    super().__init__()",
    "later-return": "super().__init__()\nif x == 0:\n    return\nself.x = x",
    "elif": "if x == 1:\n    super().__init__()\nelif x == 2:\n    raise ValueError(x)\nelse:\n    super().__init__()",
}


@pytest.mark.parametrize("made", SKIPPING.values(), ids=SKIPPING.keys())
def test_no_module_where_a_subclass_may_skip_the_constructor(made: str, tmp_path: Path) -> None:
    result = fix(write(tmp_path, {"model.py": module(_MODEL.format(made=made))}), write=False)
    assert not result.fixed
    left = [finding.fix for finding in result.remaining]
    assert left
    assert all(isinstance(each, Rejection) and "does not run the constructor" in each.reason for each in left)


@pytest.mark.parametrize("body", _RUNNING.values(), ids=_RUNNING.keys())
def test_a_constructor_that_runs_each_time_gives_the_module(body: str, tmp_path: Path) -> None:
    made = _MADE + "\n".join(f"        {line}" for line in body.splitlines())
    assert fix_unharmed(module(_MODEL.format(made=made)), tmp_path).fixed
