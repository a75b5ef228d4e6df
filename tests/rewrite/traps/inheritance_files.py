# ruff: noqa: E501 -- sources as short strings
"""15: inheritance over several files."""

from __future__ import annotations

from tests.rewrite.cases import Case, module, prepared, untouched

_TWO = (
    "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.fc = nn.Linear(4, 4)\n\n"
    "    def forward(self, x):\n        return {}\n"
)

_BASE = """
class Base(nn.Module):
    def __init__(self{}):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.fc(x)) + x
"""

ACROSS_FILES: tuple[Case, ...] = (
    prepared(
        "base-in-another-file",
        {
            "base.py": module(_BASE.format("")),
            "model.py": "from base import Base\n\n\nclass Net(Base):\n    def forward(self, x):\n        return super().forward(x) - x\n",
        },
    ),
    prepared(
        "child-in-another-file-with-its-own-init",
        {
            "base.py": module(_BASE.format("")),
            "model.py": "from torch import nn\n\nfrom base import Base\n\n\nclass Net(Base):\n    def __init__(self, n=2):\n        super().__init__()\n"
            "        self.more = nn.Linear(4, 4)\n\n    def forward(self, x):\n        return self.more(super().forward(x)) - x\n",
        },
    ),
    prepared(
        "package-with-relative-imports",
        {
            "pkg/__init__.py": "from .net import Net\n",
            "pkg/ops.py": "def twice(t):\n    return t * 2\n",
            "pkg/net.py": "from torch import nn\n\nfrom .ops import twice\n\n\n" + _TWO.format("twice(self.fc(x)) + x"),
            "model.py": "from pkg import Net\n\n\ndef example():\n    import torch\n\n    return Net(), (torch.randn(2, 4),)\n",
        },
    ),
    untouched(
        "sibling-that-must-not-change",
        {
            "base.py": "from torch import nn\n\n\nclass Base(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.fc = nn.Linear(4, 4)\n",
            "model.py": "from base import Base\n\n\nclass Net(Base):\n    def forward(self, x):\n        return self.fc(x)\n",
        },
    ),
)

CASES = {15: ACROSS_FILES}
