"""Attributes that code gives modules beside their classes: which tests for them a module may pass that a fix adds."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.effects.effect_kinds import EffectKind
from qprep.analysis.values.abstract_values import ClassRef
from tests.analysis.effects.small_projects import table_of

_COUNT = "def count(net):\n    return [m for m in net.modules() if hasattr(m, 'flag')]\n\ncount(Net())\n"
_ADDED = "qprep.runtime_modules.EltwiseAdd"

# Code that gives each module of a net the flag.
ALL = {
    "each": "for m in net.modules():\n    m.flag = 1",
    "children": "for m in net.children():\n    m.flag = 1",
    "set-by-name": "for m in net.modules():\n    setattr(m, 'flag', 1)",
    "where-it-is-missing": "for m in net.modules():\n    if not hasattr(m, 'flag'):\n        m.flag = 1",
    "applied": "net.apply(lambda m: setattr(m, 'flag', 1))",
    "by-a-function": "def tag(m):\n    m.flag = 1\nfor m in net.modules():\n    tag(m)",
    "where-another-is": "for m in net.modules():\n    m.other = 1\nfor m in net.modules():\n"
    "    if hasattr(m, 'other'):\n        m.flag = 1",
    "in-a-circle": "for m in net.modules():\n    if hasattr(m, 'flag'):\n        m.other = 1\n"
    "    if hasattr(m, 'other'):\n        m.flag = 1\n"
    "    if hasattr(m, 'third'):\n        m.other = 1\n    m.third = 1",
    "every-class": "nn.Module.flag = 1",
    "their-class": "for m in net.modules():\n    type(m).flag = 1",
    "their-class-by-name": "for m in net.modules():\n    setattr(m.__class__, 'flag', 1)",
    "their-class-in-a-variable": "for m in net.children():\n    kind = type(m)\n    kind.flag = 1",
    "their-base": "for m in net.children():\n    for kind in type(m).__mro__[:-1]:\n        kind.flag = 1",
}
# Code that gives the flag to other objects alone.
OTHERS = {
    "where-it-is": "for m in net.modules():\n    if hasattr(m, 'flag'):\n        m.flag = 2",
    "another-class": "for m in net.modules():\n    if isinstance(m, nn.Linear):\n        m.flag = 1",
    "where-an-unset-one-is": "for m in net.modules():\n    if hasattr(m, 'other'):\n        m.flag = 1",
    "in-a-circle": "for m in net.modules():\n    if hasattr(m, 'flag'):\n        m.other = 1\n"
    "    if hasattr(m, 'other'):\n        m.flag = 1",
    "the-net": "net.flag = 1",
    "no-module": "class Table:\n    pass\ntable = Table()\ntable.flag = 1",
    "a-module-of-python": "torch.backends.flag = 1",
    "the-class-of-a-layer": "for m in net.modules():\n    if isinstance(m, nn.Linear):\n        type(m).flag = 1",
}


def _is_counted(folder: Path, code: str) -> bool:
    body = "".join(f"    {line}\n" for line in code.splitlines())
    table = table_of(folder, f"def tag_all(net):\n{body}\n\ntag_all(Net())\n\n\n{_COUNT}")
    effects = table.children.on_child([ClassRef("model", "Net")], _ADDED)
    counts = [effect.text for effect in effects if effect.kind is EffectKind.OBSERVE]
    return any("net.modules()" in text for text in counts)


@pytest.mark.parametrize("code", ALL.values(), ids=ALL.keys())
def test_a_new_module_may_get_it(code: str, tmp_path: Path) -> None:
    assert _is_counted(tmp_path, code)


@pytest.mark.parametrize("code", OTHERS.values(), ids=OTHERS.keys())
def test_a_new_module_never_gets_it(code: str, tmp_path: Path) -> None:
    assert not _is_counted(tmp_path, code)


@pytest.mark.parametrize("method", ["__init__", "__setattr__"])
def test_a_method_of_an_unknown_class_may_be_that_of_the_net(method: str, tmp_path: Path) -> None:
    code = f"def change(kind):\n    kind.{method} = None\n\nfor m in Net().modules():\n    change(type(m))\n"
    assert list(table_of(tmp_path, code).on_class([ClassRef("model", "Net")], ()))
