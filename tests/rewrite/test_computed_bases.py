"""Classes that a function makes with a base that it is given: what their methods do to the base's modules is seen."""

from __future__ import annotations

import pytest

from tests.rewrite.added_module import NET, is_fixed

HEAD = f"from torch import nn\n\n\n{NET}\n\n"
CODE = {
    "factory": "def make(base):\n    class Own(base):\n        {own}    return Own\n\n\nmake(Net)().look()",
    "factory-in-a-variable": "def make(base):\n    class Own(base):\n        {own}    return Own\n\n\n"
    "Made = make(Net)\nMade().look()",
    "decorator": "def make(base):\n    class Own(base):\n        {own}    return Own\n\n\n"
    "@make\nclass Sub(Net):\n    pass\n\n\nSub().look()",
    "constructor": "def make(base):\n    class Own(base):\n"
    "        def __init__(self):\n            super().__init__()\n"
    "            self.kind = 1\n\n        {own}    return Own\n\n\nmake(Net)().look()",
    "mixin": "class Mixin:\n    {plain}"
    "def make(base):\n    class Own(Mixin, base):\n        pass\n\n    return Own\n\n\n"
    "make(Net)().look()",
    "outside": "def make(base):\n    class Own(base):\n        pass\n\n    return Own\n\n\n"
    "def look(net):\n    {outside}\n\n\nlook(make(Net)())",
}


def _is_fixed(code: str, look: str) -> bool:
    own = f"def look(self):\n            {look}\n\n"
    plain = f"def look(self):\n        {look}\n\n\n"
    text = code.format(own=own, plain=plain, outside=look.replace("self", "net"))
    return is_fixed(HEAD + text + "\n")


@pytest.mark.parametrize("code", CODE.values(), ids=CODE.keys())
def test_a_method_that_gives_each_module_a_hook_forbids_the_fix(code: str) -> None:
    assert not _is_fixed(code, "[part.register_forward_hook(print) for part in self.modules()]")


@pytest.mark.parametrize("code", CODE.values(), ids=CODE.keys())
def test_a_method_that_reads_a_layer_leaves_the_fix_safe(code: str) -> None:
    assert _is_fixed(code, "return self.fc.in_features")
