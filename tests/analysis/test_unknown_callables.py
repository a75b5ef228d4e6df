"""Calls on activations of which the source does not show what they run: they are counted, not passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.engine import runs
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.results import CheckResult
from qprep.engine.rule_registry import all_rules
from tests.rewrite.cases import module, net
from tests.rewrite.running import write

_SET_BY_NAME = """
class Base(nn.Module):
    def __init__(self, **settings):
        super().__init__()
        for name, value in settings.items():
            setattr(self, name, value)


class Net(Base):
    def __init__(self):
        super().__init__(act=F.relu)
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.act(self.fc(x))
"""
_MADE = """
def make(act):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            return act(self.fc(x))

    return Net


Net = make(F.relu)
"""
UNKNOWN = {
    "set-by-name": (module(_SET_BY_NAME), "self.act()"),
    "updated-dict": (net("return self.act(self.fc(x))", "self.__dict__.update(act=torch.tanh)"), "self.act()"),
    "parameter-of-a-factory": (module(_MADE), "act()"),
    "product": ("import math\n" + net("return math.prod([self.fc(x), x])"), "math.prod()"),
    "function-of-the-class": (
        module("""
            class Net(nn.Module):
                act = torch.tanh

                def forward(self, x):
                    return self.act(x)
        """),
        "self.act()",
    ),
    "overload": (net("return torch.ops.aten._softmax(self.fc(x), 1, False)"), "torch.ops.aten._softmax()"),
}
FOUND = {
    "operator-of-aten": (net("return torch.ops.aten.relu(self.fc(x))"), "QP301"),
    "overload-of-aten": (net("return torch.ops.aten.add.Tensor(self.fc(x), x)"), "QP103"),
    "aten-of-functional": (net("return torch.ops.aten.gelu.default(self.fc(x))"), "QP301"),
    "result-in-out": (
        net("out = torch.empty(4, 4)\ntorch.cat([self.fc(x), x], out=out)\nreturn out * 2"),
        "QP102",
    ),
}


def _checked(text: str, folder: Path) -> CheckResult:
    return runs.check(write(folder, {"model.py": text}), SettingsResolver(all_rules(), Options(), isolated=True))


@pytest.mark.parametrize(("text", "symbol"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_call_on_an_activation_is_counted(text: str, symbol: str, tmp_path: Path) -> None:
    result = _checked(text, tmp_path)
    assert f"`{symbol}`" in " ".join(site.message for site in result.unknown_sites)


@pytest.mark.parametrize(("text", "code"), FOUND.values(), ids=FOUND)
def test_an_operation_is_found(text: str, code: str, tmp_path: Path) -> None:
    assert code in {finding.code for finding in _checked(text, tmp_path).findings}


@pytest.mark.parametrize("call", ["max(self.fc(x), x)", "min([self.fc(x), x], key=len)"])
def test_what_gives_its_argument_back_is_not_counted(call: str, tmp_path: Path) -> None:
    assert _checked(net(f"return {call}"), tmp_path).unknown == 0


@pytest.mark.parametrize("iterable", ["self.layers", "enumerate(self.layers)", "self.layers.children()"])
def test_a_loop_over_layers_calls_nothing_unknown(iterable: str, tmp_path: Path) -> None:
    target = "_, layer" if "enumerate" in iterable else "layer"
    body = f"for {target} in {iterable}:\n    x = layer(x)\nreturn x"
    assert _checked(net(body, "self.layers = given(self)", extra="from layers import given"), tmp_path).unknown == 0
