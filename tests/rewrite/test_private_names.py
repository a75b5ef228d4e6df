"""Private attributes: two classes have different ones of one spelling, and other code may write them in full."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from qprep.analysis.symbols.private_names import with_private_names, without_class
from tests.rewrite.cases import module
from tests.rewrite.running import fix_unharmed

_MODEL = """
class {base}(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.__act = nn.ReLU()

    def forward(self, x):
        return self.__act(self.__act(self.fc(x)) - 0.1)


class Net({base}):
    def __init__(self):
        super().__init__()
        {line}


def example():
    net = Net()
    {outside}
    return net, (torch.randn(2, 4),)
"""
# what the subclass does, and code outside; True if the fix must be applied
PROGRAMS = {
    "full-name-in-a-subclass": ("Base", "self._Base__act = nn.Tanh()", "", False),
    "full-name-by-setattr": ("Base", 'setattr(self, "_Base__act", nn.Tanh())', "", False),
    "full-name-outside": ("Base", "pass", "net._Base__act = nn.Tanh()", False),
    "full-name-of-a-class-with-underscores": ("__Base", "pass", "net._Base__act = nn.Tanh()", False),
    "hook-outside": ("Base", "pass", "net._Base__act.register_forward_hook(lambda m, i, o: o * 2)", False),
    "own-one-in-a-subclass": ("Base", "self.__act = nn.Tanh()", "", True),
    "same-spelling-outside": ("Base", "pass", 'setattr(net, "__act", nn.Tanh())', True),
    "nothing": ("Base", "pass", "", True),
}


@pytest.mark.parametrize(("base", "line", "outside", "is_fixed"), PROGRAMS.values(), ids=PROGRAMS.keys())
def test_private_attributes_are_found_under_their_full_names(
    base: str, line: str, outside: str, is_fixed: bool, tmp_path: Path
) -> None:
    result = fix_unharmed(module(_MODEL.format(base=base, line=line, outside=outside or "pass")), tmp_path)
    assert not is_fixed or "QP201" in {finding.code for finding in result.fixed}


def test_parsed_files_have_the_names_that_python_uses() -> None:
    source = """
import torch as __t
class _A:
    __c = __t
    def __m(self, __p, *, __k=0):
        global __g
        from x import __y
        def inner(): return self.__dict__, __p, __k, __g, f(__named=1)
        class __B:
            def f(self): return self.__z
        match __p:
            case [__one, *__more] if self.__m: pass
"""
    expected = """
import torch as __t
class _A:
    _A__c = _A__t
    def _A__m(self, _A__p, *, _A__k=0):
        global _A__g
        from x import __y as _A__y
        def inner(): return self.__dict__, _A__p, _A__k, _A__g, f(__named=1)
        class _A__B:
            def f(self): return self._B__z
        match _A__p:
            case [_A__one, *_A__more] if self._A__m: pass
"""
    assert ast.unparse(with_private_names(ast.parse(source), source)) == ast.unparse(ast.parse(expected))


def test_new_attributes_are_named_without_the_class() -> None:
    assert [without_class(name) for name in ("_Net__act", "act", "_act", "__act", "_Net__act_1")] == [
        "act", "act", "_act", "__act", "act_1"
    ]  # fmt: skip
