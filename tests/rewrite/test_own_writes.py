"""Attributes that a class gives another value under a name that its code computes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rewrite.cases import module
from tests.rewrite.running import fix, fix_unharmed, write

_MODEL = """
NAMES = ["act"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = {first}
        {code}

    def forward(self, x):
        return {use}


def example():
    return Net(), (torch.randn(2, 4),)
"""
_CODES = {
    "loop": 'for name in ("act", "other"):\n            setattr(self, name, {new})',
    "list of the file": "for name in NAMES:\n            setattr(self, name, {new})",
    "variable": 'name = "act"\n        setattr(self, name, {new})',
    "joined": 'setattr(self, "a" + "ct", {new})',
    "formatted": 'end = "ct"\n        setattr(self, f"a{{end}}", {new})',
    "comprehension": '[setattr(self, name, {new}) for name in ("act",)]',
    "zip": 'for name, value in zip(("act",), ({new},)):\n            setattr(self, name, value)',
    "enumerate": 'for i, name in enumerate(("act", "b")):\n            setattr(self, name, {new})',
    "own method": 'self.__setattr__("act", {new})',
    "method of the base": 'nn.Module.__setattr__(self, "act", {new})',
    "method of super": 'super().__setattr__("act", {new})',
    "starred": "self.act, *_ = [{new}, 1]",
    "loop target": "for self.act in [{new}]:\n            pass",
    "with": "with contextlib.nullcontext({new}) as self.act:\n            pass",
}
_ADDING = {
    "add_module": 'for name in ("act",):\n            self.add_module(name, {new})',
    "register_module": 'for name in ("act", "b"):\n            self.register_module(name, {new})',
}
_REUSED = {"first": "nn.ReLU()", "use": "self.act(self.act(x) - 0.5)", "new": "nn.Tanh()"}
_HELD = {"first": "torch.relu", "use": "self.act(x)", "new": "torch.tanh"}
_CASES = [
    *(pytest.param(code, _REUSED, id=f"{name}, reused") for name, code in (_CODES | _ADDING).items()),
    *(pytest.param(code, _HELD, id=f"{name}, held") for name, code in _CODES.items()),
]


@pytest.mark.parametrize(("code", "texts"), _CASES)
def test_the_last_value_counts(code: str, texts: dict[str, str], tmp_path: Path) -> None:
    source = _MODEL.format(code=code.format(**texts), **texts)
    fix_unharmed("import contextlib\n" + module(source), tmp_path)


_OTHER_NAMES = {
    "loop": 'for name in ("one", "two"):\n            setattr(self, name, nn.Linear(4, 4))',
    "add_module": 'for i in range(2):\n            self.add_module(f"fc{i}", nn.Linear(4, 4))',
    "own method": 'self.__setattr__("one", 3)',
}


@pytest.mark.parametrize("code", _OTHER_NAMES.values(), ids=_OTHER_NAMES.keys())
def test_other_names_do_not_count(code: str, tmp_path: Path) -> None:
    files = {"model.py": module(_MODEL.format(code=code, **_REUSED))}
    fix(write(tmp_path, files), write=True)
    assert "self.act_1 = nn.ReLU()" in (tmp_path / "model.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("base", ["nn.Sequential", "nn.ModuleList"])
def test_a_container_gets_no_module_for_a_function(base: str, tmp_path: Path) -> None:
    source = f"""
class Net({base}):
    def __init__(self):
        super().__init__()
        self.append(nn.Linear(4, 4))
        self.act = F.gelu

    def forward(self, x):
        for layer in self:
            x = layer(x)
        return self.act(x) * len(self)


def example():
    return Net(), (torch.randn(2, 4),)
"""
    result = fix_unharmed(module(source), tmp_path)
    assert [finding.code for finding in result.remaining] == ["QP303"]


_CHANGED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.LeakyReLU()
        {made}

    def change(self):
        {later}
        return self

    def forward(self, x):
        return self.act(self.fc(self.act(x - 1)) - 0.5)


def example():
    return Net().change(), (torch.randn(2, 4),)
"""
_CHANGES = {
    "getattr": 'getattr(self, "act").negative_slope = 0.9',
    "getattr in a loop": 'for name in ("act", "fc"):\n            getattr(self, name).forward = torch.tanh',
    "hook in a loop": (
        'for name in ("act",):\n            m = getattr(self, name)\n'
        "            m.register_forward_hook(lambda m, a, o: o * 2)"
    ),
    "setattr": 'for name in ("act",):\n            setattr(getattr(self, name), "forward", torch.tanh)',
    "class": 'for name in ("act",):\n            getattr(self, name).__class__ = nn.Tanh',
    "dictionary": 'vars(getattr(self, "act")).update(negative_slope=0.9)',
    "own __getattr__": 'self.__getattr__("act").negative_slope = 0.9',
    "inherited __getattr__": 'super().__getattr__("act").negative_slope = 0.9',
    "get_submodule": 'self.get_submodule("act").negative_slope = 0.9',
    "table": 'getattr(self, "_modules")["act"] = nn.Tanh()',
    "table in a variable": (
        'm = getattr(self, "_modules")\n        for name in ("act",):\n            m[name] = nn.Tanh()'
    ),
    "table of object": 'object.__getattribute__(self, "_modules")["act"] = nn.Tanh()',
}


@pytest.mark.parametrize("place", ["made", "later"])
@pytest.mark.parametrize("code", _CHANGES.values(), ids=_CHANGES.keys())
def test_a_change_by_name_reaches_every_call(code: str, place: str, tmp_path: Path) -> None:
    source = _CHANGED.format(**{"made": "pass", "later": "pass", place: code})
    fix_unharmed(module(source), tmp_path)
