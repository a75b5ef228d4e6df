"""14: names with several definitions, of which a run takes one."""

from __future__ import annotations

from tests.rewrite.cases import HEADER, Case, declined, module, net, prepared

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
        "conditional-definition",
        net("return twice(self.fc(x))", extra=_in_branches(_TWICE, _SUM)),
        "unknown before the code runs",
    ),
    declined(
        "conditional-definition-other-branch",
        net("return twice(self.fc(x))", extra=_in_branches(_TWICE, _SUM, "if not torch.__version__:")),
        "unknown before the code runs",
    ),
    declined(
        "conditional-definition-in-another-file",
        {
            "tools.py": "import torch\n\n" + _in_branches(_TWICE, _SUM),
            "model.py": "from tools import twice\n" + net("return twice(self.fc(x))"),
        },
        "unknown before the code runs",
    ),
    prepared(
        "definition-if-an-import-fails",
        net("return twice(self.fc(x))", extra=_in_branches(_ABSENT, _TWICE, "try:", "except ImportError:")),
    ),
    declined(
        "definition-replaced-under-a-condition",
        net(
            "return twice(self.fc(x))",
            extra=f"{_TWICE}\n\n\ndef other(t):\n    return t + t\n\n\nif torch.__version__:\n    twice = other",
        ),
        "unknown before the code runs",
    ),
    prepared(
        "function-of-torch-or-ones-own",
        net(
            "return twice(self.fc(x))",
            extra=_in_branches("from torch import exp as twice", _TWICE, "try:", "except ImportError:"),
        ),
    ),
    prepared(
        "decorator-that-branches-define",
        net(
            "return twice(self.fc(x))",
            extra=_in_branches(
                "from kernels_that_nobody_has import kernel\n\ndef replace(name):\n    return kernel(name)",
                "def replace(name):\n    def decorator(function):\n        return function\n\n    return decorator",
                "try:",
                "except ImportError:",
            )
            + f"\n\n@replace('twice')\n{_TWICE}",
        ),
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

_LOCAL_BASE = """class Base(nn.Module):
    def act(self, t):
        return F.relu(t) + 1

"""
_OUTER = """
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = Net()

        def forward(self, x):
            return self.net(x) + x

    return Outer
"""
_IN_A_BRANCH = """if n > 8:
    class Net(nn.Module):
        def forward(self, x):
            return x * 2

    return Net
"""
_OTHER_FUNCTIONS = """class other_functions:
    @staticmethod
    def relu(t):
        return t * 3


"""
_FACTORY = """
def make(n, act=F.relu):
    {lead}
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(n, n)

        def forward(self, x):
            return {result}

    return Net


def example():
    return make(4)(), (torch.randn(2, 4),)
"""


def _factory(result: str, lead: str = "") -> str:
    return module(_FACTORY.format(result=result, lead=lead.replace("\n", "\n    ")))


IN_FUNCTIONS: tuple[Case, ...] = (
    prepared("class-in-a-function", _factory("F.relu(self.fc(x)) + x")),
    prepared("class-in-a-function-with-its-argument", _factory("act(self.fc(x)) * n")),
    prepared(
        "class-in-a-function-with-a-local",
        _factory("gate(self.fc(x)) * scale", "gate = torch.tanh\nscale = n / 2"),
    ),
    prepared(
        "class-in-a-function-with-a-local-base",
        _factory("self.act(self.fc(x))", _LOCAL_BASE).replace("class Net(nn.Module)", "class Net(Base)"),
    ),
    prepared(
        "class-in-a-function-with-any-base",
        _factory("F.relu(super().forward(self.fc(x)))", "base = nn.Identity").replace(
            "class Net(nn.Module)", "class Net(base)"
        ),
    ),
    prepared(
        "class-in-a-function-used-there",
        _factory("self.fc(x)").replace("    return Net\n", _OUTER),
    ),
    prepared(
        "class-in-a-method",
        module(
            "class Factory:\n    def make(self):\n        class Net(nn.Module):\n"
            "            def forward(self, x):\n                return F.relu(x) + x\n\n        return Net\n\n\n"
            "def example():\n    return Factory().make()(), (torch.randn(2, 4),)"
        ),
    ),
    prepared("class-made-under-a-condition", _factory("F.relu(self.fc(x)) + x", _IN_A_BRANCH)),
    declined(
        "class-in-a-function-that-calls-a-local-one",
        _factory("gate(self.fc(x))", "def gate(t):\n    return F.relu(t) * 2\n"),
        "next to the class that calls it",
    ),
    declined(
        "class-in-a-function-that-imports-torch",
        module(
            "def make():\n    from torch import nn\n    import torch.nn.functional as F\n\n"
            "    class Net(nn.Module):\n        def forward(self, x):\n            return F.relu(x) + x\n\n"
            "    return Net\n\n\n"
            "def example():\n    import torch\n\n    return make()(), (torch.randn(2, 4),)"
        ).removeprefix(HEADER),
        "torch is imported inside the function",
    ),
    prepared(
        "class-in-a-function-with-another-torch",
        _factory("F.relu(self.fc(x)) + x", "F = other_functions").replace("def make(", _OTHER_FUNCTIONS + "def make("),
    ),
    declined(
        "class-in-a-function-with-a-name-of-its-own",
        _factory("F.relu(self.fc(x)) + x", "nn = torch.nn"),
        "`nn` has another meaning",
    ),
)

CASES = {14: CONDITIONAL, 16: IN_FUNCTIONS}
