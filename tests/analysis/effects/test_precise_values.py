"""Values that take only one of several ways that look alike: fields, numbers of items, functions that nobody calls."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from qprep.analysis.effects.python_classes import holds_no_items, may_keep
from qprep.analysis.values.abstract_values import ClassRef
from tests.analysis.effects.small_projects import names_of, probed, table_of

CONF = """\
from dataclasses import dataclass
from typing import NamedTuple

import attrs

{head}
    name: object = None
    layer: object = None
{rest}

conf = {call}
probe(conf.{field})
"""
DATACLASS = "@dataclass\nclass Conf:"
BY_KEYWORD = "Conf(name='a', layer=Net().act)"


def _field(path: Path, field: str, call: str, *, head: str = DATACLASS, rest: str = "") -> set[str]:
    return names_of(probed(table_of(path, CONF.format(head=head, rest=rest, call=call, field=field))))


@pytest.mark.parametrize("head", [DATACLASS, "@dataclass(frozen=True)\nclass Conf:"], ids=["plain", "frozen"])
def test_a_field_of_a_dataclass_is_the_argument_of_its_name(head: str, tmp_path: Path) -> None:
    assert "ReLU" not in _field(tmp_path, "name", BY_KEYWORD, head=head)
    assert "ReLU" in _field(tmp_path, "layer", BY_KEYWORD, head=head)


@pytest.mark.parametrize("call", ["Conf(Net().act)", "Conf(*[Net().act])", "Conf(**{'name': Net().act})"])
def test_a_field_of_a_dataclass_may_be_an_argument_without_a_name(call: str, tmp_path: Path) -> None:
    assert "ReLU" in _field(tmp_path, "name", call)


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        (DATACLASS, "    def __post_init__(self):\n        self.__dict__.update(name=self.layer)\n"),
        ("@attrs.define\nclass Conf:", ""),
        ("@dataclass\n@attrs.define\nclass Conf:", ""),
        ("class Conf(NamedTuple):", ""),
        ("class Base(attrs.Base):\n    pass\n\n\n@dataclass\nclass Conf(Base):", ""),
    ],
    ids=["post-init", "attrs", "two", "tuple", "base"],
)
def test_a_field_of_another_class_may_be_any_argument(head: str, rest: str, tmp_path: Path) -> None:
    assert "ReLU" in _field(tmp_path, "name", BY_KEYWORD, head=head, rest=rest)


KEPT = "layers = [nn.Dropout()]\nother = {}(layers)\nother.append(Net().act)\nprobe(layers[0])\n"


@pytest.mark.parametrize(("function", "is_alias"), [("len", False), ("str", False), ("list", True), ("fetch", True)])
def test_a_number_of_items_is_no_other_name_for_them(function: str, is_alias: bool, tmp_path: Path) -> None:
    code = f"from elsewhere import fetch\n\n{KEPT.format(function)}"
    assert ("ReLU" in names_of(probed(table_of(tmp_path, code)))) is is_alias


def test_a_function_of_the_project_with_a_name_of_pythons_own_is_another(tmp_path: Path) -> None:
    code = f"def len(items):\n    return items\n\n\n{KEPT.format('len')}"
    assert "ReLU" in names_of(probed(table_of(tmp_path, code)))


USE = "def use(layer):\n    probe(layer)\n\n\n"
CALLED = {
    "map": "list(map(use, [Net().act]))",
    "copy": "tuple([use])[0](Net().act)",
    "enumerated": "for i, f in enumerate([use]):\n    f(Net().act)",
    "sentinel": "for each in iter(partial(use, Net().act), None):\n    print(each)",
    "sorted": "sorted([Net().act], key=use)",
    "own-name": "def isinstance(act, function):\n    function(act)\n\nisinstance(Net().act, use)",
}
NOT_CALLED = {
    "isinstance": "isinstance(Net().act, use)",
    "print": "print(use, Net().act)",
    "copy": "tuple([use, Net().act])",
    "keys": "table = {'use': use, 'act': Net().act}\nprint(tuple(table.keys()))",
}


@pytest.mark.parametrize("code", CALLED.values(), ids=CALLED.keys())
def test_a_function_that_is_given_on_may_be_called(code: str, tmp_path: Path) -> None:
    assert "ReLU" in names_of(probed(table_of(tmp_path, f"{USE}{code}\n")))


@pytest.mark.parametrize("code", NOT_CALLED.values(), ids=NOT_CALLED.keys())
def test_functions_of_python_that_call_nothing(code: str, tmp_path: Path) -> None:
    assert "ReLU" not in names_of(probed(table_of(tmp_path, f"{USE}{code}\n")))


@pytest.mark.parametrize(
    ("name", "is_none"),
    [
        ("types.ModuleType", True),
        ("builtins.dict", False),
        ("collections.deque", False),
        ("builtins.BaseException", True),
        ("elsewhere.Thing", False),
        ("types.NoSuchClass", False),
    ],
)
def test_which_classes_of_python_hold_items(name: str, is_none: bool) -> None:
    assert holds_no_items(name) is is_none


@pytest.mark.parametrize(
    ("name", "attribute", "is_kept"),
    [
        ("pathlib.Path", "last", False),
        ("pathlib.Path", "_drv" if sys.version_info < (3, 12) else "_raw_paths", True),
        ("builtins.dict", "act", False),
        ("builtins.object", "act", True),
        ("builtins.BaseException", "act", True),
        ("types.SimpleNamespace", "act", True),
        ("elsewhere.Thing", "act", True),
        ("types.NoSuchClass", "act", True),
    ],
)
def test_which_classes_of_python_take_attributes(name: str, attribute: str, is_kept: bool) -> None:
    assert may_keep(name, attribute) is is_kept


def test_a_path_holds_nothing_that_code_sets_on_layers(tmp_path: Path) -> None:
    code = "class Last(nn.Module):\n    pass\n\n\nfor layer in nn.ModuleList([Net()]):\n    layer.last = Last()\n"
    table = table_of(tmp_path, code + "import argparse, pathlib\n")
    assert not table.points_to.set_from_outside("pathlib.Path")
    assert not table.points_to.set_from_outside("argparse.Namespace")


def test_a_namespace_holds_what_code_sets_on_it(tmp_path: Path) -> None:
    code = "import argparse\n\n\nclass Last(nn.Module):\n    pass\n\n\nargparse.Namespace().last = Last()\n"
    table = table_of(tmp_path, code + "import pathlib\n")
    assert not table.points_to.set_from_outside("pathlib.Path")
    assert table.points_to.set_from_outside("argparse.Namespace")


OUTER = """\
class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()


for LOOP:
    each.register_forward_hook(print)
"""


@pytest.mark.parametrize(
    ("loop", "reaches"),
    [
        ("each in Outer().children()", False),
        ("name, each in Outer().named_children()", False),
        ("each in Outer().modules()", True),
        ("each in [m for child in Outer().children() for m in child.children()]", True),
    ],
)
def test_a_loop_over_children_reaches_no_module_further_down(loop: str, reaches: bool, tmp_path: Path) -> None:
    table = table_of(tmp_path, OUTER.replace("LOOP", loop))
    assert any(table.children.on_child({ClassRef("model", "Net")}, "torch.nn.ReLU")) is reaches


LAZY = """\
import types

import elsewhere


def put(box, layer):
    box.append(layer)


class Box({}):
    def load(self, layer):
        put(self, layer)
        probe(self)


Box().load(nn.Dropout())
"""


@pytest.mark.parametrize(("base", "is_kept"), [("types.ModuleType", False), ("dict", True), ("elsewhere.Base", True)])
def test_an_instance_of_a_class_of_python_may_be_a_container(base: str, is_kept: bool, tmp_path: Path) -> None:
    assert ("Dropout" in names_of(probed(table_of(tmp_path, LAZY.format(base))))) is is_kept
