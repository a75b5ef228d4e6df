"""A second instance of a container of torch.nn has items of its own: what happens to those of the first counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.cases import module
from tests.rewrite.running import fix, write

_MODEL = """
from collections import OrderedDict
import itertools
import operator


class Blocks(nn.Sequential):
    pass


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = 0.1

    def set(self, slope):
        self.slope = slope

    def forward(self, x):
        return x * self.slope


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.seq = nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(0.1))

    def forward(self, x):
        return self.seq(x)


class Net(nn.Module):
    def __init__(self, act=None):
        super().__init__()
        self.blocks = {blocks}

    def forward(self, x):
        return {forward}


act = nn.LeakyReLU(0.1)
net = Net({given})
{code}
"""
_TWICE = "self.blocks(self.blocks(x))"
_PLAIN = "nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(0.1))"
_NAMED = "nn.Sequential(OrderedDict(fc=nn.Linear(4, 4), act=nn.LeakyReLU(0.1)))"
_OWN = "Blocks(nn.Linear(4, 4), nn.LeakyReLU(0.1))"
_TABLE = 'nn.ModuleDict({"fc": nn.Linear(4, 4), "act": nn.LeakyReLU(0.1)})'
_LIST = "nn.ModuleList([nn.Linear(4, 4), nn.LeakyReLU(0.1)])"
_BY_KEY = 'self.blocks["act"](self.blocks["fc"](self.blocks["act"](x)))'
_BY_PLACE = "self.blocks[1](self.blocks[0](self.blocks[1](x)))"
ITEMS = {
    "item": "net.blocks[1]",
    "method": "net.blocks.__getitem__(1)",
    "method-of-class": "nn.Sequential.__getitem__(net.blocks, 1)",
    "attribute": 'getattr(net.blocks, "1")',
    "operator": "operator.getitem(net.blocks, 1)",
    "getter": "operator.itemgetter(1)(net.blocks)",
    "path": 'net.get_submodule("blocks.1")',
    "path-of-attributes": 'operator.attrgetter("blocks.1")(net)',
    "table": 'net.blocks._modules.get("1")',
    "iteration": "next(itertools.islice(net.blocks, 1, None))",
    "reversed": "next(reversed(net.blocks))",
    "selected": "max(net.blocks, key=lambda m: isinstance(m, nn.LeakyReLU))",
}
CHANGES = {
    "set": "net.blocks[1].negative_slope = 0.9",
    "setattr": 'setattr(net.blocks[1], "negative_slope", 0.9)',
    "hook": "net.blocks[1].register_forward_hook(print)",
    "hook-by-zip": "for name, m in zip(('fc', 'act'), net.blocks):\n    m.register_forward_hook(print)",
    "replaced": "net.blocks[1] = nn.ReLU()",
    "unpacked": "fc, item = net.blocks\nitem.negative_slope = 0.9",
    "count-of-a-class": "number = sum(isinstance(m, nn.LeakyReLU) for m in net.modules())\nassert number == 1",
}


def _fixed(tmp_path: Path, code: str, blocks: str = _PLAIN, forward: str = _TWICE, given: str = "") -> bool:
    text = module(_MODEL.format(blocks=blocks, forward=forward, given=given, code=code))
    return bool(fix(write(tmp_path, {"model.py": text}), write=False).fixed)


@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS.keys())
def test_an_item_that_is_changed_keeps_the_container_one(item: str, tmp_path: Path) -> None:
    assert not _fixed(tmp_path, f"{item}.negative_slope = 0.9")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_of_an_item_keeps_the_container_one(change: str, tmp_path: Path) -> None:
    assert not _fixed(tmp_path, change)


@pytest.mark.parametrize(
    ("blocks", "forward", "item"),
    [
        (_NAMED, _TWICE, "net.blocks.act"),
        (_NAMED, _TWICE, 'net.blocks.__getattr__("act")'),
        (_OWN, _TWICE, "net.blocks.__getitem__(1)"),
        (_OWN, _TWICE, 'getattr(net.blocks, "1")'),
        (_TABLE, _BY_KEY, "net.blocks.act"),
        (_TABLE, _BY_KEY, 'net.blocks.__getitem__("act")'),
        (_LIST, _BY_PLACE, 'getattr(net.blocks, "1")'),
        (_LIST, _BY_PLACE, "net.blocks.__getitem__(1)"),
    ],
)
def test_an_item_is_found_in_each_container(blocks: str, forward: str, item: str, tmp_path: Path) -> None:
    assert not _fixed(tmp_path, f"{item}.negative_slope = 0.9", blocks, forward)


def test_an_item_that_the_constructor_is_given_is_changed(tmp_path: Path) -> None:
    assert not _fixed(tmp_path, "act.negative_slope = 0.9", "nn.Sequential(nn.Linear(4, 4), act)", given="act")


@pytest.mark.parametrize("item", ["net.blocks.seq[1]", 'net.get_submodule("blocks.seq.1")', "list(net.blocks.seq)[-1]"])
def test_an_item_of_a_container_in_a_block_is_changed(item: str, tmp_path: Path) -> None:
    assert not _fixed(tmp_path, f"{item}.negative_slope = 0.9", "Inner()")


def test_an_item_with_a_method_that_changes_it(tmp_path: Path) -> None:
    assert not _fixed(tmp_path, "net.blocks[1].set(0.9)", "nn.Sequential(nn.Linear(4, 4), Scale())")


@pytest.mark.parametrize(
    "code",
    [
        "",
        "net.blocks[0].weight.data.zero_()",
        "net.blocks[1].extra = 3",
        "other = nn.LeakyReLU()\nother.negative_slope = 0.9",
    ],
)
def test_code_that_changes_no_result_of_an_item_leaves_the_fix_safe(code: str, tmp_path: Path) -> None:
    assert _fixed(tmp_path, code)
