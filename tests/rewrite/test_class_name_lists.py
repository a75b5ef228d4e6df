"""Code that works on the modules whose class names stand in a list: new modules count where it may name their class."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.cases import module
from tests.rewrite.running import fix, write

_MODEL = """
{top}

class Net(nn.Module):
    {kinds}

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        {given}

    def forward(self, x):
        return {operation}

    def watch(self, hook, names):
        {held}
        for m in self.modules():
            if {test}:
                m.register_forward_hook(hook)


def run(net, hook):
    net.watch(hook, {passed})
"""
_GELU = "F.gelu(self.fc(x))"
_ADD = "self.fc(x) + x"


def _model(test: str, operation: str = _GELU, **parts: str) -> str:
    texts = {"top": "", "kinds": "pass", "given": "pass", "held": "pass", "passed": "()", **parts}
    return module(_MODEL.format(test=test, operation=operation, **texts))


OTHER = {
    "tuple": _model('type(m).__name__ in ("Linear", "Conv2d")'),
    "list": _model('m.__class__.__name__ in ["Linear"]'),
    "set": _model('m._get_name() in {"Linear", "Conv2d"}'),
    "skipped": _model('not (type(m).__name__ not in ("Linear",))'),
    "of-the-file": _model("type(m).__name__ in WATCHED", top='WATCHED = ["Linear"]'),
    "of-the-class": _model("type(m).__name__ in self.kinds", kinds='kinds = ["Linear"]'),
    "of-the-object": _model("type(m).__name__ in self.kinds", given='self.kinds = ("Linear", "Conv2d")'),
    "fetched": _model(
        "m.__class__.__name__ in kinds", kinds='kinds = ["Linear"]', held='kinds = getattr(self, "kinds", None)'
    ),
    "with-default": _model(
        "m.__class__.__name__ in kinds", kinds='kinds = ["Linear"]', held='kinds = getattr(self, "kinds", []) or []'
    ),
    "joined": _model(
        "type(m).__name__ in kinds",
        kinds='kinds = ["Linear"]',
        held='kinds = set(self.kinds + ["Conv2d"])',
    ),
    "by-name": _model("type(m).__name__ in kinds", held='kinds = ["Linear"]'),
    "empty": _model("type(m).__name__ in self.kinds", kinds="kinds = []"),
    "asked-first": _model(
        "m.__class__.__name__ in kinds",
        kinds='kinds = ["Linear"]',
        held='kinds = self.kinds\n        if not kinds:\n            raise ValueError(f"{kinds} is empty")',
    ),
    "class-that-a-fix-adds": _model("type(m).__name__ in names", operation=_ADD),
}
OWN = {
    "tuple": _model('type(m).__name__ in ("Linear", "EltwiseAdd")', operation=_ADD),
    "negative": _model('type(m).__name__ not in ("Linear", "Conv2d")'),
    "of-the-file": _model("type(m).__name__ in WATCHED", top='WATCHED = ["GELU"]'),
    "of-the-class": _model("type(m).__name__ in self.kinds", kinds='kinds = ["Linear", "GELU"]'),
    "of-the-object": _model("type(m).__name__ in self.kinds", kinds="kinds = []", given='self.kinds = ("GELU",)'),
    "fetched": _model(
        "m.__class__.__name__ in kinds", kinds='kinds = ["GELU"]', held='kinds = getattr(self, "kinds", None)'
    ),
    "default": _model(
        "m.__class__.__name__ in kinds",
        kinds='kinds = ["Linear"]',
        held='kinds = getattr(self, "kinds", ["GELU"])',
    ),
    "parameter": _model("type(m).__name__ in names"),
    "appended": _model("type(m).__name__ in self.kinds", kinds='kinds = ["Linear"]', held="self.kinds.extend(names)"),
    "appended-by-another-name": _model(
        "type(m).__name__ in self.kinds", kinds='kinds = ["Linear"]', held="kinds = self.kinds\n        kinds += names"
    ),
    "appended-when-fetched": _model(
        "type(m).__name__ in self.kinds", kinds='kinds = ["Linear"]', held='getattr(self, "kinds").extend(names)'
    ),
    "given-to-a-call": _model(
        "type(m).__name__ in WATCHED", top='WATCHED = ["Linear"]', held="list.extend(WATCHED, names)"
    ),
    "set-outside": _model("type(m).__name__ in self.kinds", kinds='kinds = ["Linear"]', held="Net.kinds = names"),
    "set-by-name": _model(
        "type(m).__name__ in self.kinds", kinds='kinds = ["Linear"]', held='setattr(self, "kinds", names)'
    ),
    "set-by-a-computed-name": _model(
        "type(m).__name__ in self.kinds",
        kinds='kinds = ["Linear"]',
        given='for key, value in {"ki" + "nds": "Linear GELU".split()}.items():\n            setattr(self, key, value)',
    ),
    "class-of-the-same-name": _model(
        "type(m).__name__ in names", operation=_ADD, top="class EltwiseAdd(nn.Module):\n    pass"
    ),
    "own-class-of-the-same-name": _model(
        'type(m).__name__ == "EltwiseAdd"', operation=_ADD, top="class EltwiseAdd(nn.Module):\n    pass"
    ),
    "written-elsewhere": _model("type(m).__name__ in names", operation=_ADD, passed='["EltwiseAdd"]'),
}


@pytest.mark.parametrize("text", OTHER.values(), ids=OTHER.keys())
def test_a_list_of_other_classes_keeps_no_operation(text: str, tmp_path: Path) -> None:
    assert fix(write(tmp_path, {"model.py": text}), write=False).fixed


@pytest.mark.parametrize("text", OWN.values(), ids=OWN.keys())
def test_a_list_that_may_name_the_new_class_keeps_the_operation(text: str, tmp_path: Path) -> None:
    assert not fix(write(tmp_path, {"model.py": text}), write=False).fixed
