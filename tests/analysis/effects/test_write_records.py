"""Writes to objects of others, as a module summary records them."""

from __future__ import annotations

import ast
import json

import pytest

from qprep.analysis.effects.attribute_writes import external_writes
from qprep.analysis.effects.class_replacement import is_changed, is_replaced
from qprep.analysis.effects.write_records import (
    UNKNOWN_ATTRIBUTE,
    ClassPattern,
    ExternalWrite,
    Receiver,
    SelectedBy,
    attribute_write,
    value_mutation,
    variable_write,
)
from qprep.analysis.symbols.symbol_table import build_index

HEAD = "import torch.nn as nn\nimport tools\nfrom pkg import Block, Mlp\n"


def writes(code: str) -> frozenset[ExternalWrite]:
    return frozenset(external_writes(build_index("net", "", False, ast.parse(HEAD + code))))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("def f(net):\n    net.act = 1", attribute_write("act"), id="attribute"),
        pytest.param("def f(net):\n    net.act.p = 1", value_mutation("act"), id="value"),
        pytest.param("tools.gate = print", variable_write("gate"), id="variable"),
        pytest.param("def f(net, name):\n    setattr(net, name, 1)", UNKNOWN_ATTRIBUTE, id="unknown-name"),
        pytest.param(
            "def f(net):\n    if isinstance(net, (Block, Mlp)):\n        net.act = 1",
            attribute_write("act", Receiver(classes=("pkg.Block", "pkg.Mlp"))),
            id="tested-class",
        ),
        pytest.param(
            "def f(net: Block):\n    net.act = 1",
            attribute_write("act", Receiver(classes=("pkg.Block",))),
            id="annotation",
        ),
        pytest.param(
            "class Net(nn.Module):\n    def f(self):\n        self.head.act = 1",
            attribute_write("act", Receiver(slot=("net", "Net", "head"))),
            id="slot",
        ),
        pytest.param(
            "def f(net):\n    print(net.stem, len(net))\n    net.act = 1",
            attribute_write("act", Receiver(has=("__len__", "stem"))),
            id="read-before",
        ),
    ],
)
def test_write_is_recorded_with_its_receiver(code: str, expected: ExternalWrite) -> None:
    assert expected in writes(code)


def test_write_to_self_is_not_recorded() -> None:
    assert writes("class Net(nn.Module):\n    def f(self):\n        self.act = 1") == frozenset()


@pytest.mark.parametrize(
    ("test", "selected", "others"),
    [
        ("isinstance(m, nn.ReLU)", "ReLU", "ReLU6"),
        ("type(m).__name__.startswith('Drop')", "Dropout", "ReLU"),
        ("type(m) is nn.ReLU", "ReLU", "Dropout"),
    ],
)
def test_selected_classes(test: str, selected: str, others: str) -> None:
    changed = writes(f"def f(net):\n    for m in net.modules():\n        if {test}:\n            m.p = 1")
    replaced = writes(
        f"def f(net):\n    for name, m in net.named_children():\n        if {test}:\n            setattr(net, name, 1)"
    )
    assert is_changed(changed, selected)
    assert not is_changed(changed, others)
    assert not is_replaced(changed, selected)
    assert is_replaced(replaced, selected)
    assert not is_replaced(replaced, others)


@pytest.mark.parametrize(
    ("pattern", "may_be_any"),
    [
        (ClassPattern("ReLU"), False),
        (ClassPattern("relu", SelectedBy.PREFIX), True),
        (ClassPattern("", SelectedBy.UNKNOWN), True),
        (ClassPattern("fuse", SelectedBy.ATTRIBUTE), False),
    ],
)
def test_pattern_that_may_select_any_class(pattern: ClassPattern, may_be_any: bool) -> None:
    assert pattern.may_be_any is may_be_any


def test_records_survive_json() -> None:
    code = "def f(net: Block, name):\n    net.act = 1\n    net.act.p = 1\n    setattr(net, name, 1)\n    tools.gate = 1"
    found = sorted(writes(code))
    assert [ExternalWrite.of_record(record) for record in json.loads(json.dumps(found))] == found


@pytest.mark.parametrize("record", [["attribute", "act"], ["other", "act", [[], [], []], "name"], 1])
def test_other_data_is_refused(record: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        ExternalWrite.of_record(record)  # type: ignore[arg-type]
