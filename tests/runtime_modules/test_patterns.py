"""The modules for einops's operations hand everything on to einops; with einops itself see `test_operations`."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from qprep import runtime_modules


@pytest.mark.parametrize("name", ["einsum", "reduce", "pack"])
def test_hands_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    einops = ModuleType("einops")
    setattr(einops, name, lambda *args, **kwargs: (name, args, kwargs))
    monkeypatch.setitem(sys.modules, "einops", einops)
    module = getattr(runtime_modules, f"Einops{name.capitalize()}")()
    given = {"einsum": (1, 2, "a, b -> a b"), "reduce": (1, "a -> ()", "sum"), "pack": ([1], "*")}[name]
    settings = {"a": 2} if name == "reduce" else {}
    assert module(*given, **settings) == (name, given, settings)
