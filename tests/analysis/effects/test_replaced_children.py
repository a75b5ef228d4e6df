"""Code that replaces the children of a class: a second instance of a layer without weights gets what the first gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.values.abstract_values import ClassRef
from tests.analysis.effects.small_projects import table_of

NET = ClassRef("model", "Net")
MODEL = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.act(self.fc(x)) - 1)


"""


def _collected(new: str, then: str = "m._modules[key] = value", end: str = "") -> str:
    return (
        f"{MODEL}def replace(m):\n    found = {{}}\n"
        f"    for name, child in m.named_children():\n        replace(child)\n"
        f"        if type(child) is nn.ReLU or type(child) is nn.ReLU6:\n            found[name] = {new}\n"
        f"    for key, value in found.items():\n        {then}\n{end}\n\nreplace(Net())\n"
    )


EQUAL = {
    "table": _collected("nn.ReLU(inplace=False)"),
    "setattr": _collected("nn.Hardtanh(0.0, 6.0)", "setattr(m, key, value)"),
    "add-module": _collected("nn.Tanh()", "m.add_module(key, value)"),
}
OTHER = {
    "with-weights": _collected("nn.PReLU()"),
    "of-the-round": _collected("nn.LeakyReLU(0.1 * len(found))"),
    "by-a-condition": _collected("nn.ReLU() if found else nn.Tanh()"),
    "made-elsewhere": _collected("make()") + "\n\ndef make():\n    return nn.Tanh()\n",
    "counted": _collected("nn.ReLU()", end="    return len(found)\n"),
    "listed": _collected("nn.ReLU()", "m._modules[key] = value\n        print(key, file=LOG)"),
}


@pytest.mark.parametrize("code", EQUAL.values(), ids=EQUAL.keys())
def test_a_second_instance_gets_what_the_first_one_gets(code: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, code)
    assert not list(table.children.on_child((NET,), "torch.nn.ReLU", is_second=True))
    assert list(table.children.on_child((NET,), "torch.nn.ReLU"))  # a new layer is replaced, too
    assert not list(table.children.on_child((NET,), "qprep.runtime_modules.EltwiseAdd"))


@pytest.mark.parametrize("code", OTHER.values(), ids=OTHER.keys())
def test_a_second_instance_may_get_something_else(code: str, tmp_path: Path) -> None:
    assert list(table_of(tmp_path, code).children.on_child((NET,), "torch.nn.ReLU", is_second=True))


@pytest.mark.parametrize("listing", ["net.children()", "original_children(net)", "original_named_children(net)"])
def test_children_are_followed_in_a_listing_that_a_fix_has_rewritten(listing: str, tmp_path: Path) -> None:
    code = (
        f"from qprep.runtime_modules import original_children, original_named_children\n{MODEL}net = Net()\n"
        f'list(map(lambda child: setattr(child, "inplace", True), {listing}))\n'
    )
    assert list(table_of(tmp_path, code).on_held((NET,), "act", ("torch.nn.ReLU",)))
