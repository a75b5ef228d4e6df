"""Attributes and methods that code takes for granted in the modules that it goes through."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.effects.effect_kinds import EffectKind
from qprep.analysis.values.abstract_values import ClassRef
from tests.analysis.effects.small_projects import table_of

BOX = """\
class Part(nn.Module):
    width = 4

    def reset(self):
        pass


class Box(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Part()


class Holder(nn.Module):
    def __init__(self):
        super().__init__()
        self.box = Box()

    def tune(self):
        for m in self.box.children():
            {inside}


box = Box()
{code}
Holder().tune()
"""
NEEDED = {
    "method": "for m in box.children():\n    m.reset()",
    "value": "for m in box.children():\n    print(m.width)",
    "named": "for name, m in box.named_children():\n    m.reset()",
    "all": "for m in list(box.modules()):\n    m.reset()",
    "table": "for m in box._modules.values():\n    m.reset()",
    "comprehension": "print([m.width for m in box.children()])",
    "not-of-a-class": "for m in box.modules():\n    if not isinstance(m, nn.Linear):\n        m.reset()",
}
NOT_NEEDED = {
    "of-every-module": "for m in box.children():\n    m.requires_grad_(False)",
    "asked-for": 'for m in box.children():\n    if hasattr(m, "reset"):\n        m.reset()',
    "of-a-class": "for m in box.modules():\n    if isinstance(m, Part):\n        m.reset()",
    "with-a-default": 'for m in box.children():\n    getattr(m, "reset", None)',
    "of-its-own-list": "for m in [Part(), Part()]:\n    m.reset()",
}


def _reads(code: str, path: Path, inside: str = "pass") -> list[str]:
    table = table_of(path, BOX.format(code=code, inside=inside))
    found = table.children.on_child((ClassRef("model", "Box"),), "qprep.runtime_modules.EltwiseAdd")
    return [effect.text for effect in found if effect.kind is EffectKind.READ]


@pytest.mark.parametrize("code", NEEDED.values(), ids=NEEDED.keys())
def test_a_new_child_lacks_what_a_loop_needs_of_each(code: str, tmp_path: Path) -> None:
    assert _reads(code, tmp_path)


@pytest.mark.parametrize("code", NOT_NEEDED.values(), ids=NOT_NEEDED.keys())
def test_a_new_child_lacks_nothing_that_a_loop_needs(code: str, tmp_path: Path) -> None:
    assert not _reads(code, tmp_path)


def test_a_class_may_go_through_the_children_of_a_part(tmp_path: Path) -> None:
    assert _reads("", tmp_path, "m.reset()") == ["reads `m.reset`"]


USE = "def use(x):\n    return x.{}\n\n\nfor m in box.children():\n    use(m)\n"


@pytest.mark.parametrize(
    ("code", "is_read"),
    [
        (USE.format("stride"), True),
        (USE.format("stride(0)"), False),  # of a tensor: the stride of a layer is no function
        (f"class Other(nn.Module):\n    def stride(self, i):\n        pass\n\n\n{USE.format('stride(0)')}", True),
        (f"Part.stride = print\n{USE.format('stride(0)')}", True),
        (f'setattr(box, "stride", print)\n{USE.format("stride(0)")}', True),
    ],
    ids=["read", "called", "own-method", "given", "given-by-name"],
)
def test_what_is_called_is_no_attribute_of_a_layer(code: str, is_read: bool, tmp_path: Path) -> None:
    assert bool(_reads(code, tmp_path)) is is_read
