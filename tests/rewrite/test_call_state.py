"""Blocks that keep something from one call to the next, or ask which instance they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.cases import module
from tests.rewrite.running import fix_unharmed

_MODEL = """
SEEN = []
CACHE = {{}}


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.state = None
        {made}

    def forward(self, x):
        {code}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()

    def forward(self, x):
        for _ in range(2):
            x = self.block(self.block(x) * 2)
        return x


def example():
    return Net(), (torch.randn(2, 4),)
"""
_BLOCKS = {
    "detached": (
        "y = x if self.state is None else x + self.state\n        self.state = y.detach() * 0.5\n        return y"
    ),
    "annotated": (
        "y = x if self.state is None else x + self.state\n        self.state: torch.Tensor = y\n        return y * 2"
    ),
    "by text": 'y = x + getattr(self, "memory", 0)\n        setattr(self, "memory", y)\n        return y',
    "own method": 'y = x + getattr(self, "memory", 0)\n        self.__setattr__("memory", y)\n        return y',
    "two targets": "y = x if self.state is None else x + self.state\n        z = self.state = y * 2\n        return z",
    "tuple": "y = x if self.state is None else x + self.state\n        y, self.state = y * 2, y\n        return y",
    "list": "SEEN.append(self) if self not in SEEN else None\n        return x + len(SEEN)",
    "table": "CACHE.setdefault(self, len(CACHE))\n        return x * 2 + CACHE[self]",
    "identity": "CACHE.setdefault(id(self), len(CACHE))\n        return x * 2 + CACHE[id(self)]",
}
_MADE = {"operation": "pass", "layer": "self.fc = nn.Linear(4, 4)", "tensor": "self.state = torch.zeros(1)"}


@pytest.mark.parametrize("code", _BLOCKS.values(), ids=_BLOCKS.keys())
@pytest.mark.parametrize("made", _MADE.values(), ids=_MADE.keys())
def test_what_a_call_leaves_is_there_in_the_next(code: str, made: str, tmp_path: Path) -> None:
    if "fc" in made:
        code = code.replace("return ", "return self.fc(x) + ")
    fix_unharmed(module(_MODEL.format(code=code, made=made)), tmp_path)


_SHARED = {
    "buffer": ('self.register_buffer("count", torch.zeros(()))', "self.count = self.count + 1"),
    "buffer in place": ('self.register_buffer("count", torch.zeros(()))', "self.count += 1"),
    "by keyword": ('self.register_buffer(name="count", tensor=torch.zeros(()))', "self.count += 1"),
}


@pytest.mark.parametrize(("made", "code"), _SHARED.values(), ids=_SHARED.keys())
def test_both_instances_have_one_buffer(made: str, code: str, tmp_path: Path) -> None:
    code += "\n        return torch.tanh(x) * self.count"
    fix_unharmed(module(_MODEL.format(code=code, made=made)), tmp_path)
    assert "another(self.block)" in (tmp_path / "after" / "model.py").read_text(encoding="utf-8")
