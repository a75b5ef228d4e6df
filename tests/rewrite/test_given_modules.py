"""Modules that a call of a module gives to its `forward`, which lists, hooks or changes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.cases import module
from tests.rewrite.running import fix, write

_MODEL = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.LeakyReLU(0.1)

    def forward(self, x):
        return self.act(self.fc(self.act(x)))


class Step(nn.Module):
    def forward(self, {parameters}):
        {body}


net = Net()
x = torch.ones(1, 4)
{call}
"""
CHANGED = {
    "hook": ("m, x", "m.register_forward_hook(print)\n        return m(x)", "Step()(net.act, x)"),
    "hook-below": ("m, x", "m.act.register_forward_hook(print)\n        return m(x)", "Step()(net, x)"),
    "set": ("m, x", "m.act.negative_slope = 0.9\n        return m(x)", "Step()(net, x)"),
    "keyword": ("x, *, m", "m.act.negative_slope = 0.9\n        return m(x)", "Step()(x, m=net)"),
    "count": ("m, x", "return len(list(m.modules()))", "print(Step()(net, x))"),
    "item": ("ms, x", "for m in ms:\n            m.act.negative_slope = 0.9\n        return x", "Step()([net], x)"),
    "variable": ("m, x", "m.act.negative_slope = 0.9\n        return m(x)", "step = Step()\nstep(net, x)"),
}
UNCHANGED = {
    "call": ("m, x", "return m(x)", "Step()(net, x)"),
    "parameters": ("m, x", "return sum(p.sum() for p in m.parameters())", "Step()(net, x)"),
    "tensor": ("m, x", "return m + x", "Step()(x, x)"),
    "other": ("m, x", "m.register_forward_hook(print)\n        return m(x)", "Step()(nn.Linear(4, 4), x)"),
}


def _fixed(tmp_path: Path, parts: tuple[str, str, str]) -> bool:
    parameters, body, call = parts
    text = module(_MODEL.format(parameters=parameters, body=body, call=call))
    result = fix(write(tmp_path, {"model.py": text}), write=False)
    return not any(finding.code == "QP201" for finding in result.remaining)


@pytest.mark.parametrize("parts", CHANGED.values(), ids=CHANGED.keys())
def test_a_forward_that_changes_what_it_is_given_makes_the_fix_unsafe(
    parts: tuple[str, str, str], tmp_path: Path
) -> None:
    assert not _fixed(tmp_path, parts)


@pytest.mark.parametrize("parts", UNCHANGED.values(), ids=UNCHANGED.keys())
def test_a_forward_that_only_runs_what_it_is_given_leaves_the_fix_safe(
    parts: tuple[str, str, str], tmp_path: Path
) -> None:
    assert _fixed(tmp_path, parts)
