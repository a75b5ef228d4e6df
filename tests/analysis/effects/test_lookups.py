"""Modules that are looked up by name, listings that are arguments, and attributes read behind their assignment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from qprep.analysis.effects.effect_kinds import EffectKind
from qprep.analysis.values.abstract_values import ClassRef
from tests.analysis.effects.small_projects import found, names_of, probed, table_of

NET = ClassRef("model", "Net")
HOOKS = """\
class Hooks:
    def __init__(self, names, modules):
        table = {key: module for key, module in modules}
        for name in names:
            table[name].register_forward_hook(print)


net = Net()
table = dict(net.named_modules())
"""

TIE = """\
def tie(net, path):
    if "." in path:
        parent = net.get_submodule(path.rpartition(".")[0])
    else:
        parent = net
    setattr(parent, path.rpartition(".")[2], 1)


"""

BY_NAME = {
    "written": 'table["act"].register_forward_hook(print)',
    "submodule": 'net.get_submodule("act").register_forward_hook(print)',
    "argument": 'Hooks(["act"], net.named_modules())',
    "set": f'{TIE}tie(net, "act.inplace")',
    "set-of-tensors": f"{TIE}tie(net, 'act.inplace')\nfor name, _ in net.named_parameters():\n    tie(net, name)",
    "one-of-those-given": (
        'for name in list(table):\n    if name in ["act"]:\n        Hooks([name], net.named_modules())'
    ),
    "listing-of-another": (
        "class Other(nn.Module):\n    pass\n\nother = Other()\n"
        'Hooks([name for name, _ in other.named_modules()], other.named_modules())\nHooks(["act"], net.named_modules())'
    ),
}
BY_LISTING = {
    "set": f"{TIE}for name, _ in net.named_modules():\n    tie(net, f'{{name}}.flag')",
    "pairs": "for name, _ in net.named_modules():\n    table[name].register_forward_hook(print)",
    "keys": "for name in table:\n    table[name].register_forward_hook(print)",
    "formatted": 'for name, _ in net.named_children():\n    table[f"{name}"].register_forward_hook(print)',
    "state": 'for key in net.state_dict():\n    table[key.rpartition(".")[0]].register_forward_hook(print)',
    "tables": "for key in net._modules:\n    table[key].register_forward_hook(print)",
    "argument": "Hooks([name for name, _ in net.named_modules()], net.named_modules())",
    "not-one-of-those-given": (
        'for name in list(table):\n    if name not in ["act"]:\n        Hooks([name], net.named_modules())'
    ),
    "made-by-a-package": "from elsewhere import names_in\n\nHooks(names_in(net), net.named_modules())",
    "numbers": (
        "numbered = {i: m for i, m in enumerate(net.modules())}\n"
        "for i in numbered:\n    numbered[i].register_forward_hook(print)"
    ),
    "identities": (
        "known = {id(m): m for m in net.modules()}\nfor key in known:\n    known.get(key).register_forward_hook(print)"
    ),
    "counted": (
        "def tune(net, i):\n    numbered = dict(enumerate(net.modules()))\n"
        "    numbered[i].register_forward_hook(print)\n\ntune(net, 1)"
    ),
    "either": (
        "for i, (name, _) in enumerate(net.named_modules()):\n"
        "    part = table[name] if i else None\n    part = part or table['act']\n"
        "    part.register_forward_hook(print)"
    ),
}


@pytest.mark.parametrize("code", BY_NAME.values(), ids=BY_NAME.keys())
def test_a_lookup_by_a_given_name_does_not_meet_a_new_child(code: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, f"{HOOKS}{code}\n")
    assert not list(table.children.on_child((NET,), "torch.nn.ReLU"))
    assert list(table.on_held((NET,), "act", ("torch.nn.ReLU",)))  # the one that there is may be meant


@pytest.mark.parametrize("code", BY_LISTING.values(), ids=BY_LISTING.keys())
def test_a_lookup_by_listed_names_meets_a_new_child(code: str, tmp_path: Path) -> None:
    assert list(table_of(tmp_path, f"{HOOKS}{code}\n").children.on_child((NET,), "torch.nn.ReLU"))


GIVEN = {
    "counted": "def use(modules):\n    print(len(list(modules)))",
    "indexed": "def use(modules):\n    return list(modules)[1]",
    "run": "def use(modules):\n    x = 1\n    for module in modules:\n        x = module(x)",
    "given-on": "def use(modules):\n    count(modules)\n\ndef count(modules):\n    print(len(list(modules)))",
    "package": "from elsewhere import use",
    "packed": "def use(*modules):\n    pass",
}
GIVEN_TO_LOOKUP = {
    "table": "def use(modules):\n    table = {i: m for i, m in enumerate(modules)}\n    return table['act']",
    "tensors": "def use(modules):\n    return [p for m in modules for p in m.parameters()]",
    "recursive": "def use(modules):\n    use(modules)",
}


@pytest.mark.parametrize("code", GIVEN.values(), ids=GIVEN.keys())
def test_a_listing_is_followed_into_a_function_that_depends_on_it(code: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, f"{code}\n\nuse(Net().children())\n")
    assert [e.place.module for e in table.children.on_child((NET,), "torch.nn.ReLU") if e.kind is EffectKind.OBSERVE]


@pytest.mark.parametrize("code", GIVEN_TO_LOOKUP.values(), ids=GIVEN_TO_LOOKUP.keys())
def test_a_listing_is_followed_into_a_function_that_does_not_depend_on_it(code: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, f"{code}\n\nuse(Net().children())\n")
    assert not list(table.children.on_child((NET,), "torch.nn.ReLU"))


BOX = "class Box(nn.Module):\n    def __init__(self, layer):\n        super().__init__()\n{body}\n\nBox(Net().act)\n"


@pytest.mark.parametrize(
    "body",
    ["self.layer = nn.Dropout()\nprobe(self.layer)", "self.layer = nn.Dropout()\nif layer:\n    probe(self.layer)"],
    ids=["next", "inside"],
)
def test_an_attribute_holds_what_it_was_given_last(body: str, tmp_path: Path) -> None:
    text = "        self.layer = layer\n" + "".join(f"        {line}\n" for line in body.splitlines())
    assert names_of(probed(table_of(tmp_path, BOX.format(body=text)))) == {"Dropout", "Box.layer"}


@pytest.mark.parametrize(
    "between",
    ["if layer:\n    self.layer = layer", "self.reset(layer)", "print(self)", "for i in layer:\n    self.layer = i"],
    ids=["branch", "method", "given", "loop"],
)
def test_an_attribute_may_hold_more_where_something_may_set_it_between(between: str, tmp_path: Path) -> None:
    lines = ["self.layer = nn.Dropout()", *between.splitlines(), "probe(self.layer)", "self.layer = layer"]
    text = "".join(f"        {line}\n" for line in lines)
    assert "ReLU" in names_of(probed(table_of(tmp_path, BOX.format(body=text))))


@pytest.mark.parametrize(("mode", "is_change"), [("self.training", False), ("False", True), ("other.training", True)])
def test_a_part_that_gets_the_mode_of_the_whole_is_not_changed(mode: str, is_change: bool, tmp_path: Path) -> None:
    code = "class Box(Net):\n    def reset(self, other):\n        self.drop = nn.Dropout()\n"
    table = table_of(tmp_path, f"{code}        self.drop.train({mode})\n")
    assert bool(found(table, EffectKind.MODE)) is is_change


def test_a_variable_of_two_loops_is_narrowed_in_each(tmp_path: Path) -> None:
    code = "net = Net()\nkept = []\nfor m in net.modules():\n    if isinstance(m, nn.Conv2d):\n        kept.append(m)\n"
    table = table_of(tmp_path, f"{code}for m in net.modules():\n    pass\n")
    hooked = "for m in net.modules():\n    if isinstance(m, nn.Conv2d):\n        m.register_forward_hook(print)\n"
    other = "for m in net.modules():\n    pass\n"
    assert not list(table.children.on_child((NET,), "torch.nn.ReLU"))
    table = table_of(tmp_path, f"net = Net()\n{hooked}{other}")
    assert list(table.children.on_child((NET,), "torch.nn.Conv2d"))
    assert not list(table.children.on_child((NET,), "torch.nn.ReLU"))


def test_a_variable_that_a_loop_binds_again_is_not_narrowed(tmp_path: Path) -> None:
    loop = "for m in net.modules():\n    if isinstance(m, nn.Conv2d):\n        m = net.act\n"
    loop += "        m.register_forward_hook(print)\n"
    assert list(table_of(tmp_path, f"net = Net()\n{loop}").on_held((NET,), "act", ("torch.nn.ReLU",)))


def test_a_setting_of_an_object_is_no_patch_of_a_class(tmp_path: Path) -> None:
    table = table_of(tmp_path, "for layer in [nn.ReLU, Net()]:\n    layer.note = 1\n")
    assert not list(table.patched(["ReLU"]))


@pytest.mark.parametrize("code", ["nn.ReLU.forward = print", "nn.ReLU = nn.Tanh", 'setattr(nn.ReLU, "forward", print)'])
def test_a_patched_class_of_torch_is_found(code: str, tmp_path: Path) -> None:
    assert list(table_of(tmp_path, f"{code}\n").patched(["ReLU"]))


def test_an_item_of_a_tensor_is_no_part_of_a_container(tmp_path: Path) -> None:
    code = "class Scale(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    code += (
        "        self.weight = nn.Parameter(torch.ones(1))\n\n\ndef scale(m):\n    m.weight[0] += 1\n\nscale(Scale())\n"
    )
    assert not found(table_of(tmp_path, code), EffectKind.STRUCTURE)


def test_hashes_are_the_same_in_every_process() -> None:
    code = (
        "from qprep.analysis.effects.abstract_objects import *\n"
        "from qprep.analysis.effects.object_tests import AnyOf, ClassTest, NameTest\n"
        "from qprep.analysis.places import Place\n"
        "from qprep.analysis.values.abstract_values import ClassRef\n"
        "net = Instance(ClassRef('m', 'Net'), Place('m', 1, 2, 3, 4))\n"
        "test = ClassTest(frozenset(('a', 'b', ClassRef('m', 'C'))))\n"
        "print(hash(Reference(net, frozenset((test, NameTest('in', 'x'), AnyOf(frozenset((test,))))))))\n"
        "print([hash(each) for each in (Below(net), Made('a.B', None), Held('a.B', 'c'), Named('d'), Anything())])\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
