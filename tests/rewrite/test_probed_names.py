"""Names that code makes up and looks for: new attributes get others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.equivalence import differences, observe
from tests.rewrite.cases import module
from tests.rewrite.running import fix, write

_MODEL = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.act(self.fc(x)) - 0.1){more}
{method}

def count(net):
    {code}


def example():
    net = Net()
    net.fc.bias.data.fill_(count(net) / 7)
    return net, (torch.randn(2, 4),)
"""
_WHILE = """n, name = 0, "act"
    while hasattr(net, name):
        n += 1
        name = f"act_{n}"
    return n"""
OUTSIDE = {
    "hasattr-while": _WHILE,
    "hasattr": 'return sum(hasattr(net, f"act_{i}") for i in range(4))',
    "hasattr-percent": 'return sum(hasattr(net, "act_%d" % i) for i in range(4))',
    "hasattr-sum": 'return sum(hasattr(net, "act_" + str(i)) for i in range(4))',
    "getattr": 'return sum(getattr(net, "act_{}".format(i), None) is not None for i in range(4))',
    "in-modules": 'return sum(f"act_{i}" in net._modules for i in range(4))',
    "in-children": 'return len([i for i in range(4) if f"act_{i}" in dict(net.named_children())])',
}
_ANSWER = """
    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return 7
"""


def _check(source: str, folder: Path) -> None:
    files = {"model.py": module(source)}
    write(folder / "before", files)
    result = fix(write(folder / "after", files), write=True)
    before, after = observe(folder / "before"), observe(folder / "after")
    assert before.runs["eval"].tensors, before.runs["eval"].error
    assert differences(before, after) == []
    assert result.fixed


@pytest.mark.parametrize("code", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_code_outside_finds_no_new_attribute_under_a_name_that_it_makes_up(code: str, tmp_path: Path) -> None:
    _check(_MODEL.format(code=code, more="", method=""), tmp_path)


def test_forward_finds_none_either(tmp_path: Path) -> None:
    more = ' + sum(f"act_{i}" in self._modules for i in range(4))'
    _check(_MODEL.format(code="return 1", more=more, method=""), tmp_path)


def test_a_lookup_that_answers_every_name_answers_as_before(tmp_path: Path) -> None:
    _check(_MODEL.format(code="return net.sub + net.act_1", more="", method=_ANSWER), tmp_path)
