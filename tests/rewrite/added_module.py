"""A model that gets one module from a fix, unless other code of its source forbids that."""

from __future__ import annotations

from qprep.engine.api import fix_source

NET = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) + x
"""


def is_fixed(source: str) -> bool:
    """True if a fix adds the module to `Net` in a source."""
    return "EltwiseAdd()" in fix_source(source)[0]
