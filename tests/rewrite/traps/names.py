"""5: names that mean something else."""

from __future__ import annotations

from tests.rewrite.cases import Case, module, net, prepared, untouched

_LINEAR = (
    "from torch import nn\n{}\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.fc = nn.Linear(4, 4)\n\n    def forward(self, x):\n        return {}\n"
)

RESOLUTION: tuple[Case, ...] = (
    untouched("own-norm", net("return self.fc(norm(x))", extra="def norm(t):\n    return t.flatten(2).view(t.shape)")),
    untouched(
        "own-pad-in-another-file",
        {
            "tools.py": "def pad(t, n):\n    return t.reshape(t.shape)\n",
            "model.py": _LINEAR.format("from tools import pad", "self.fc(pad(x, 2))"),
        },
    ),
    untouched(
        "own-method-mean",
        module("""
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def mean(self, t):
        return t.transpose(1, 2)

    def forward(self, x):
        return self.fc(self.mean(x))
"""),
    ),
    untouched(
        "method-of-another-object",
        net(
            "return self.fc(tool.relu(x))",
            extra="class Tool:\n    def relu(self, t):\n        return t.flip(0)\n\n\ntool = Tool()",
        ),
    ),
    untouched(
        "shadowed-by-a-local",
        net(
            "F = Fake\nreturn self.fc(F.relu(x))",
            extra="class Fake:\n    @staticmethod\n    def relu(t):\n        return t.flip(0)",
        ),
    ),
    untouched("shadowed-by-a-parameter", net("return self.fc(relu(x))", args="x, relu=lambda t: t.flip(0)")),
    untouched(
        "shadowed-at-module-level",
        module("""
class F:
    @staticmethod
    def relu(t):
        return t.flip(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(F.relu(x))
"""),
    ),
    untouched(
        "another-package-of-that-name",
        {
            "functional.py": "def relu(t):\n    return t.flip(0)\n",
            "model.py": _LINEAR.format("import functional as F", "self.fc(F.relu(x))"),
        },
    ),
    prepared("functional-alias", _LINEAR.format("import torch.nn.functional as nnf", "nnf.relu(self.fc(x))")),
    prepared("torch-alias", _LINEAR.format("import torch as th", "th.cat([self.fc(x), x], 1)")),
    prepared("function-alias", _LINEAR.format("from torch.nn.functional import relu as act", "act(self.fc(x))")),
    prepared("from-torch", _LINEAR.format("from torch import cat, relu", "relu(cat([self.fc(x), x], 1))")),
    prepared("full-path", _LINEAR.format("import torch", "torch.nn.functional.relu(self.fc(x))")),
    prepared("through-nn", _LINEAR.format("import math", "nn.functional.relu(self.fc(x)) * math.pi")),
    prepared("star-import", _LINEAR.format("from torch.nn.functional import *", "relu(self.fc(x))")),
    prepared(
        "re-exported",
        {
            "layers.py": "from torch.nn.functional import relu\n",
            "model.py": _LINEAR.format("from layers import relu", "relu(self.fc(x))"),
        },
    ),
    prepared("alias-by-assignment", _LINEAR.format("import torch\n\nF = torch.nn.functional", "F.relu(self.fc(x))")),
    prepared("function-alias-by-assignment", _LINEAR.format("import torch\n\nact = torch.relu", "act(self.fc(x))")),
    prepared("import-in-the-function", net("import torch.nn.functional as FF\n\nreturn FF.relu(self.fc(x))")),
    prepared(
        "import-with-fallback",
        _LINEAR.format(
            "\ntry:\n    import torch.nn.functional as F\nexcept ImportError:\n    F = None", "F.relu(self.fc(x))"
        ),
    ),
    prepared("local-alias", net("act = F.relu\nreturn act(self.fc(x))")),
    prepared(
        "name-of-the-runtime-module-taken",
        net("return self.fc(x) + EltwiseAdd.bias", extra="class EltwiseAdd:\n    bias = 1"),
    ),
    prepared(
        "nn-taken",
        module("""
import torch.nn as tnn

nn = None


class Net(tnn.Module):
    def __init__(self):
        super().__init__()
        self.fc = tnn.Linear(4, 4)

    def forward(self, x):
        return F.relu(self.fc(x))
"""),
    ),
)

_TAKEN_FROM = module("class Base(nn.Module):\n    def forward(self, x):\n        return F.relu(x) + x")
_TAKING = """import torch
import torch.nn.functional as F
from torch import nn

from base import Base

{}


class Net(Base):
    def forward(self, x):
        return F.gelu(super().forward(x)) + K


def example():
    return Net(), (torch.randn(2, 4),)
"""
_TAKES = {
    "function": "def one():\n    from base import F as G\n\n    return G.relu(torch.ones(1))\n\n\nK = one()",
    "class": "class Ops:\n    from base import F as G\n\n\nK = Ops.G.relu(torch.ones(1))",
    "loop": "for _ in range(1):\n    from base import F as G\nK = G.relu(torch.ones(1))",
    "handler": "try:\n    from n import G\nexcept ImportError:\n    from base import F as G\nK = G.relu(torch.ones(1))",
}
TAKEN: tuple[Case, ...] = tuple(
    prepared(f"import-that-a-{name}-takes-from-the-file", {"base.py": _TAKEN_FROM, "model.py": _TAKING.format(text)})
    for name, text in _TAKES.items()
)

CASES = {5: (*RESOLUTION, *TAKEN)}
