# ruff: noqa: E501 -- sources as short strings
"""Names that mean another thing where a rewrite would write them, or later, or in another file (5, 14)."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, net, prepared

_CALL = "return scaled(self.fc(x))"
_SCALED = "def scaled(x):\n    return x * 3\n"
_ADD = "return self.fc(x) + x"
_IMPORTS = "import torch\nfrom torch import nn\n"
_CLASS = (
    "\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.fc = nn.Linear(4, 4)\n\n"
    "    def forward(self, x):\n        return {}\n"
)
_MORE_THAN_ONCE = "bound more than once"
_SAME_NAME = "has another meaning in the constructor"

SHADOWED: tuple[Case, ...] = (
    declined(
        "nn-in-the-constructor",
        net("return F.relu(self.fc(x))", "nn = 4\nself.n = nn").replace(
            "super().__init__()\n        self.fc = nn.Linear", "super().__init__()\n        self.fc = torch.nn.Linear"
        ),
        _SAME_NAME,
    ),
    prepared("runtime-name-in-the-constructor", net(_ADD, "EltwiseAdd = 3\nself.n = EltwiseAdd")),
    prepared(
        "runtime-name-of-a-parameter", net(_ADD, "self.n = EltwiseAdd").replace("(self):", "(self, EltwiseAdd=3):")
    ),
    prepared("class-of-a-function-in-the-constructor", net(_CALL, "Scaled = 3\nself.n = Scaled", extra=_SCALED)),
    declined(
        "self-is-another",
        net("fc, by = self.fc, self.by\nself = fc(x)\nreturn self + by", "self.by = 2"),
        "gives `self` another value",
    ),
    declined(
        "self-in-a-comprehension",
        net("return [self(x) + x for self in (self.fc, self.other)][0]", "self.other = nn.Linear(4, 4)"),
        "gives `self` another value",
    ),
)

FUNCTIONS: tuple[Case, ...] = (
    declined(
        "decorated-afterwards", net(_CALL, extra=_SCALED + "\n\nscaled = torch.no_grad()(scaled)"), _MORE_THAN_ONCE
    ),
    declined(
        "defined-by-a-global-statement",
        net(_CALL, extra=_SCALED + "\n\ndef use():\n    global scaled\n    scaled = torch.fliplr") + "\n\nuse()\n",
        _MORE_THAN_ONCE,
    ),
    prepared(
        "imported-over-a-definition",
        {
            "fast.py": "def scaled(x):\n    return x.flip(0)\n",
            "model.py": f"{_IMPORTS}\n\n{_SCALED}\n\ntry:\n    from fast import scaled\nexcept ImportError:\n    pass\n"
            + _CLASS.format("scaled(self.fc(x))"),
        },
    ),
    declined(
        "imported-from-one-of-two",
        {
            "slow.py": _SCALED,
            "fast.py": "def scaled(x):\n    return x.flip(0)\n",
            "model.py": f"{_IMPORTS}\nif nn is None:\n    from slow import scaled\nelse:\n    from fast import scaled\n"
            + _CLASS.format("scaled(self.fc(x))"),
        },
        "is unknown before the code runs",
    ),
    declined(
        "replaced-in-its-module",
        {
            "tools.py": _SCALED,
            "model.py": f"{_IMPORTS}\nimport tools\n\n\ndef fast(x):\n    return x.flip(0)\n\n\ntools.scaled = fast\n"
            + _CLASS.format("tools.scaled(self.fc(x))"),
        },
        "is replaced or changed elsewhere",
    ),
    declined(
        "file-of-one-name-in-two-folders",
        {
            "a/utils.py": _SCALED,
            "b/utils.py": "def scaled(x):\n    return x.flip(0)\n",
            "model.py": "import os\nimport sys\n\n"
            + _IMPORTS
            + "\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), 'b'))\n"
            "from utils import scaled\n\ndel sys.path[0]\n" + _CLASS.format("scaled(self.fc(x))"),
        },
        "two files are called utils",
    ),
    declined(
        "default-that-is-made",
        net(
            _CALL,
            extra="def made():\n    made.calls += 1\n    return float(made.calls)\n\n\nmade.calls = 0\n\n\ndef scaled(x, by=made()):\n    return x * by",
        ),
        "created once",
    ),
    declined(
        "default-that-calls-share",
        net(_CALL, extra="def scaled(x, seen=[]):\n    seen.append(1)\n    return x * len(seen)"),
        "calls share",
    ),
    declined(
        "private-name", net(_CALL, extra="__by = 3.0\n\n\ndef scaled(x):\n    return x * __by"), "leading underscores"
    ),
    declined(
        "own-variables", net(_CALL, extra="def scaled(x, by=2):\n    return x * by + len(locals())"), "own variables"
    ),
    prepared("other-attribute-of-that-name", net(_CALL, "self.fc.scaled = 1\nself.n = self.fc.scaled", extra=_SCALED)),
)

_GATE = "def gate(x):\n    return x * 2 + 1\n"
_BASE = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n" + _CLASS.format(
    "F.relu(self.fc(x))"
).replace("Net", "Base")

FILES: tuple[Case, ...] = (
    prepared(
        "taken-by-a-star",
        {
            "tools.py": _GATE,
            "layers.py": f"{_IMPORTS}\n\nclass Gate(nn.Linear):\n    pass\n\n\nclass EltwiseAdd(nn.Linear):\n    pass\n",
            "model.py": f"{_IMPORTS}\nfrom layers import EltwiseAdd, Gate\nfrom tools import *\n"
            + _CLASS.format("gate(self.fc(x))").replace(
                "nn.Linear(4, 4)", "nn.Sequential(Gate(4, 4), EltwiseAdd(4, 4))"
            ),
        },
    ),
    prepared(
        "circular-by-the-module",
        {
            "tools.py": f"import net\n\n\n{_GATE}",
            "net.py": f"{_IMPORTS}\nimport tools\n" + _CLASS.format("tools.gate(self.fc(x))"),
            "model.py": "import torch\nimport tools\nfrom net import Net\n\n\ndef example():\n    return Net(), (torch.randn(2, 4),)\n",
        },
    ),
    prepared(
        "circular-at-the-end",
        {
            "tools.py": f"{_GATE}\n\nfrom net import Net\n",
            "net.py": f"{_IMPORTS}\nfrom tools import gate\n" + _CLASS.format("gate(self.fc(x))"),
            "model.py": "import torch\nimport tools\nfrom net import Net\n\n\ndef example():\n    return Net(), (torch.randn(2, 4),)\n",
        },
    ),
    prepared(
        "namespace-package",
        {
            "parts/tools.py": _GATE,
            "parts/net.py": f"{_IMPORTS}\nfrom .tools import gate\n" + _CLASS.format("gate(self.fc(x))"),
            "model.py": "import torch\nfrom parts.net import Net\n\n\ndef example():\n    return Net(), (torch.randn(2, 4),)\n",
        },
    ),
    prepared(
        "import-that-another-file-reads",
        {
            "base.py": _BASE,
            "model.py": "import base\n\n\nclass Net(base.Base):\n    def forward(self, x):\n"
            "        return super().forward(x) if base.F is not None else x\n",
        },
    ),
    prepared(
        "import-that-an-annotation-quotes",
        net("return F.relu(self.fc(x))", extra="import typing").replace(
            "x):\n        return F", 'x: "torch.Tensor"):\n        return F'
        )
        + "\n\ndef example():\n    typing.get_type_hints(Net.forward)\n    return Net(), (nn.Linear(4, 2).weight,)\n",
    ),
    prepared(
        "import-that-a-text-reads",
        net(
            "return F.relu(self.act(self.fc(x)))",
            "self.act = nn.Identity() if eval('torch') else None",
            extra="import math",
        ),
    ),
    declined(
        "classes-listed",
        {
            "blocks.py": f"{_IMPORTS}\n\n{_GATE}\n" + _CLASS.format("gate(self.fc(x))").replace("Net", "Block"),
            "model.py": f"import inspect\n\n{_IMPORTS}\nimport blocks\n\nFOUND = [cls for _, cls in inspect.getmembers(blocks, inspect.isclass)]\n"
            "\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.layers = nn.Sequential(*(cls() for cls in FOUND))\n\n    def forward(self, x):\n        return self.layers(x)\n",
        },
        "listed",
    ),
)

CASES = {5: (*SHADOWED, *FILES), 14: FUNCTIONS}
