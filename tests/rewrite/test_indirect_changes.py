"""Programs that change a repeated module by one step of indirection, or whose class is not what it looks like.

Each is written so that a second instance of the module would be seen in the result.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.rewrite.reached_models import IMPORTS, NET, assert_bit_equal, fixed_outcomes

_DOUBLE = "def twice(module, inputs, output):\n    return output * 2\n\n\n"
_RUN = "    return [net(torch.randn(2, 8, 4, 4))]\n"


def _program(change: str, definitions: str = "") -> str:
    body = "".join(f"    {line}\n" for line in change.splitlines())
    net = NET.format(activation="nn.ReLU()")
    return f"{IMPORTS}{net}\n\n{_DOUBLE}{definitions}\n\ndef outcome():\n    net = Net()\n{body}{_RUN}"


def _counting(others: int) -> str:
    """One of several activations is the repeated module; the last of them depends on how often it ran."""
    names = [f"A{n}" for n in range(others)]
    classes = "".join(f"\n\nclass {name}(nn.Module):\n    def forward(self, x):\n        return x\n" for name in names)
    table = ", ".join(f'"{name}": {name}' for name in [*names, "Zeta"])
    return f"""{IMPORTS}{classes}

class Zeta(nn.Module):
    def __init__(self):
        super().__init__()
        self.runs = 0

    def forward(self, x):
        self.runs += 1
        return x * self.runs


class Net(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.act = {{{table}}}[name]()

    def forward(self, x):
        return self.act(self.act(x) + 1)


def outcome():
    net = Net("Zeta")
{_RUN}"""


_RENAMED_DATACLASS = f"""{IMPORTS}
from dataclasses import dataclass as record


@record(eq=False)
class Net(nn.Module):
    width: int = 8

    def __post_init__(self):
        super().__init__()
        self.conv = nn.Conv2d(self.width, self.width, 1)

    def forward(self, x):
        return torch.relu(self.conv(x)) + x


def outcome():
    net = Net()
    return [net(torch.randn(2, 8, 4, 4)), *net.state_dict().values()]
"""

PROGRAMS = {
    "hook-through-local": _program("layer = net.act\nlayer.register_forward_hook(twice)"),
    "hook-through-argument": _program("watch(net.act)", "def watch(layer):\n    layer.register_forward_hook(twice)\n"),
    "forward-of-list-item": _program("layers = [net.conv, net.act]\nlayers[1].forward = torch.tanh"),
    "hook-through-attrgetter": _program('attrgetter("act")(net).register_forward_hook(twice)'),
    "forward-through-shallow-copy": _program('twin = copy.copy(net)\ngetattr(twin, "act").forward = torch.tanh'),
    "hook-on-first-of-class": _program(
        "found = next(each for each in net.modules() if isinstance(each, nn.ReLU))\nfound.register_forward_hook(twice)"
    ),
    "function-with-parameter-self": _program(
        "switch_off(net)", "def switch_off(self):\n    self.act = nn.Identity()\n"
    ),
    "setattr-name-from-argument": _program(
        'put(net, "act")', "def put(module, name):\n    setattr(module, name, nn.Identity())\n"
    ),
    "setattr-name-from-list": _program('for name in ["act"]:\n    setattr(net, name, nn.Identity())'),
    "setattr-name-from-dict": _program(
        'new = {"act": nn.Identity()}\nfor name, layer in new.items():\n    setattr(net, name, layer)'
    ),
    "update-of-modules-in-dict": _program('net.__dict__["_modules"].update(act=nn.Identity())'),
    "update-of-modules": _program('net._modules.update({"act": nn.Identity()})'),
    "seventh-of-many-classes": _counting(6),
    "dataclass-by-another-name": _RENAMED_DATACLASS,
}

# Programs whose safe fix changes what they compute, each with the reason; strict, so that none stays too long.
KNOWN: dict[str, str] = {}


def _parameter(name: str) -> ParameterSet:
    marks = [pytest.mark.xfail(strict=True, reason=KNOWN[name])] if name in KNOWN else []
    return pytest.param(PROGRAMS[name], id=name, marks=marks)


@pytest.mark.parametrize("source", [_parameter(name) for name in PROGRAMS])
def test_a_safe_fix_keeps_what_the_program_computes(source: str, tmp_path: Path) -> None:
    _, before, after = fixed_outcomes({"model.py": source}, tmp_path)
    assert_bit_equal(before, after)


def test_without_a_change_the_program_is_rewritten(tmp_path: Path) -> None:
    result, before, after = fixed_outcomes({"model.py": _program("")}, tmp_path)
    assert len(result.changed) == 1
    assert_bit_equal(before, after)
