"""14: names with several definitions, of which a run takes one."""

from __future__ import annotations

from tests.rewrite.cases import Case, declined, module, net, prepared

_CLASS = """
class {0}(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return {1}
"""
_NET = _CLASS.format("Net", "self.fc(self.block(x)) + x").replace(
    "Linear(4, 4)", "Linear(4, 4)\n        self.block = Block()"
)


def _in_branches(first: str, second: str, lead: str = "if torch.__version__:", other: str = "else:") -> str:
    return f"{lead}\n{_indent(first)}\n\n{other}\n{_indent(second)}\n"


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.strip().splitlines())


_TWICE, _SUM = "def twice(t):\n    return t * 2", "def twice(t):\n    return t + t"
_ABSENT = "from kernels_that_nobody_has import twice"

CONDITIONAL: tuple[Case, ...] = (
    declined(
        "conditional-definition", net("return twice(self.fc(x))", extra=_in_branches(_TWICE, _SUM)), "conditional"
    ),
    declined(
        "conditional-definition-other-branch",
        net("return twice(self.fc(x))", extra=_in_branches(_TWICE, _SUM, "if not torch.__version__:")),
        "conditional",
    ),
    declined(
        "conditional-definition-in-another-file",
        {
            "tools.py": "import torch\n\n" + _in_branches(_TWICE, _SUM),
            "model.py": "from tools import twice\n" + net("return twice(self.fc(x))"),
        },
        "conditional",
    ),
    declined(
        "definition-if-an-import-fails",
        net("return twice(self.fc(x))", extra=_in_branches(_ABSENT, _TWICE, "try:", "except ImportError:")),
        "conditional",
    ),
    declined(
        "definition-replaced-under-a-condition",
        net(
            "return twice(self.fc(x))",
            extra=f"{_TWICE}\n\n\ndef other(t):\n    return t + t\n\n\nif torch.__version__:\n    twice = other",
        ),
        "conditional",
    ),
    declined(
        "function-of-torch-or-ones-own",
        net(
            "return twice(self.fc(x))",
            extra=_in_branches("from torch import exp as twice", _TWICE, "try:", "except ImportError:"),
        ),
        "one of the project",
    ),
    prepared(
        "function-of-torch-or-another",
        net("return act(self.fc(x)) + act(x)", extra=_in_branches("act = F.relu", "act = F.gelu")),
    ),
    prepared(
        "function-of-torch-that-a-package-may-replace",
        net(
            "return act(self.fc(x))",
            extra=_in_branches(
                "from kernels_that_nobody_has import act", "act = F.gelu", "try:", "except ImportError:"
            ),
        ),
    ),
    prepared(
        "imported-from-one-of-two-places",
        net(
            "return act(self.fc(x))",
            extra=_in_branches(
                "from kernels_that_nobody_has import act",
                "from torch.nn.functional import gelu as act",
                "try:",
                "except ImportError:",
            ),
        ),
    ),
    prepared(
        "conditional-functions-held",
        net("return self.act(self.fc(x))", "self.act = act", extra=_in_branches("act = F.relu", "act = F.gelu")),
    ),
    prepared(
        "conditional-classes",
        module(
            _in_branches(
                _CLASS.format("Block", "F.relu(self.fc(x)) + x"), _CLASS.format("Block", "torch.tanh(self.fc(x)) - x")
            )
            + "\n"
            + _NET
        ),
    ),
    prepared(
        "conditional-classes-other-branch",
        module(
            _in_branches(
                _CLASS.format("Block", "F.relu(self.fc(x)) + x"),
                _CLASS.format("Block", "torch.tanh(self.fc(x)) - x"),
                "if not torch.__version__:",
            )
            + "\n"
            + _NET
        ),
    ),
    prepared(
        "conditional-base-classes",
        module(
            _in_branches(
                _CLASS.format("Base", "F.relu(self.fc(x)) + x"), _CLASS.format("Base", "torch.tanh(self.fc(x)) - x")
            )
            + "\n\nclass Block(Base):\n    def forward(self, x):\n        return super().forward(x) * 2\n\n"
            + _NET
        ),
    ),
    prepared(
        "class-if-an-import-fails",
        module(
            _in_branches(
                "from kernels_that_nobody_has import Block",
                _CLASS.format("Block", "F.relu(self.fc(x)) + x"),
                "try:",
                "except ImportError:",
            )
            + "\n"
            + _NET
        ),
    ),
    declined(
        "conditional-methods",
        module(
            _CLASS.format("Net", "self.act(self.fc(x))")
            + "\n"
            + _indent(
                _in_branches(
                    "def act(self, t):\n    return F.relu(t)",
                    "def act(self, t):\n    return torch.tanh(t)",
                )
            )
        ),
        "conditional",
    ),
)

CASES = {14: CONDITIONAL}
