"""Functions under decorators of the project that run them in other code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.equivalence import differences, observe
from tests.rewrite.cases import module
from tests.rewrite.running import fix, write

_MODEL = """
from functools import wraps

CALLS = []

{decorator}


{use}
def shift(x, by, scale=2):
    x = x * scale
    return x + by


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        y = shift(self.fc(x), x, scale=3)
        return shift(y, by=x).to(torch.float64)


def example():
    return Net(), (torch.randn(2, 4),)
"""
_AUTOCAST = """\
def exact(fn):
    @wraps(fn)
    def inner(*args, **kwargs):
        {before}
        with torch.autocast("cpu", enabled=False):
            return fn(*args, **kwargs)

    return inner"""
_FACTORY = """\
def exact(enabled):
    'A decorator.'

    def decorator(fn):
        def inner(*args, **kwargs):
            if not enabled:
                return fn(*args, **kwargs)
            with torch.no_grad():
                return fn(*args, **kwargs)

        return inner

    return decorator"""
_KEPT = {
    "plain": (_AUTOCAST.format(before=""), "@exact"),
    "filter": (
        _AUTOCAST.format(before="t = next(a for a in (*args, *kwargs.values()) if torch.is_tensor(a)); t.device"),
        "@exact",
    ),
    "isinstance": (
        _AUTOCAST.format(before="n = len([a for a in args if isinstance(a, torch.Tensor)]); assert n"),
        "@exact",
    ),
    "factory": (_FACTORY, "@exact(enabled=True)"),
    "two": (_AUTOCAST.format(before=""), "@exact\n@torch.no_grad()"),
}
_DECLINED = {
    "first argument": _AUTOCAST.format(before="assert args[0].ndim == 2"),
    "number": _AUTOCAST.format(before="CALLS.append(len(args))"),
    "all arguments": _AUTOCAST.format(before="CALLS.append([type(a).__name__ for a in args])"),
    "name": _AUTOCAST.format(before="CALLS.append(fn.__name__)"),
    "count": _AUTOCAST.format(before="inner.calls = getattr(inner, 'calls', 0) + 1"),
    "own parameter": _AUTOCAST.format(before="").replace("(*args", "(first, *args").replace("fn(*", "fn(first, *", 1),
    "memory": (
        "def exact(fn):\n    last = [0]\n\n    @wraps(fn)\n    def inner(*args, **kwargs):\n"
        "        last[0] += 1\n        return fn(*args, **kwargs) * last[0]\n\n    return inner"
    ),
}


def _run(decorator: str, use: str, folder: Path) -> tuple[str, list[str]]:
    files = {"model.py": module(_MODEL.format(decorator=decorator, use=use))}
    write(folder / "before", files)
    fix(write(folder / "after", files), write=True)
    before, after = observe(folder / "before"), observe(folder / "after")
    assert before.runs["eval"].tensors, before.runs["eval"].error
    return (folder / "after" / "model.py").read_text(encoding="utf-8"), differences(before, after)


@pytest.mark.parametrize(("decorator", "use"), _KEPT.values(), ids=_KEPT.keys())
def test_forward_carries_a_decorator_that_passes_everything_on(decorator: str, use: str, tmp_path: Path) -> None:
    text, changed = _run(decorator, use, tmp_path)
    assert changed == []
    assert text.count(use.splitlines()[0]) == 2, text
    assert "self.shift = Shift()" in text
    assert "self.shift_1 = Shift()" in text


@pytest.mark.parametrize("decorator", _DECLINED.values(), ids=_DECLINED.keys())
def test_a_decorator_that_sees_self_or_keeps_something_stays(decorator: str, tmp_path: Path) -> None:
    text, changed = _run(decorator, "@exact", tmp_path)
    assert changed == []
    assert text.count("@exact") == 1, text
