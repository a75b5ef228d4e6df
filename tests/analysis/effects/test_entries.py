"""Functions that return what they are given: each call gets its own argument back, where nothing else keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.effects.small_projects import names_of, probed, table_of

HEAD = """\
def use(layer):
    probe(layer)


def other(layer):
    return layer


"""
SAME = "def same(x): return x\n"
MARK = "def mark(name):\n    def inner(item): return item\n    return inner\n"
PICK = "def pick(x, default):\n    y = x or default\n    return y\n"

# By name: code that does not call `use` with a module, and the change of it that does.
PAIRS = {
    "one function": (
        SAME + "same(use)(1)\nsame(other)(Net())\n",
        ("same(other)", "same(use)"),
    ),
    "through a variable": (
        PICK + "pick(None, use)(1)\npick(other, None)(Net())\n",
        ("pick(other, None)", "pick(other, use)"),
    ),
    "two deep": (
        SAME + "def outer(x): return same(x)\nouter(use)(1)\nsame(other)(Net())\n",
        ("same(other)", "outer(use)"),
    ),
    "kept in a variable of the file": (
        "kept = None\ndef same(x):\n    return x\nsame(use)(1)\nsame(other)(Net())\n",
        ("    return x\n", "    global kept\n    kept = kept or x\n    return kept\n"),
    ),
    "kept in an attribute": (
        "class Box: pass\nbox = Box()\ndef same(x):\n    return x\nsame(use)(1)\nsame(other)(Net())\n",
        ("    return x\n", "    box.item = x\n    return box.item\n"),
    ),
    "kept by an inner function": (
        "def same(x):\n    def inner(): return x\n    return inner\nsame(use)()(1)\nsame(other)\n",
        ("same(other)", "same(other)()(Net())"),
    ),
    "by a decorator of two functions": (
        SAME + "@same\ndef first(layer): use(layer)\n@same\ndef second(layer): return layer\nfirst(1)\nsecond(Net())\n",
        ("second(Net())", "first(Net())"),
    ),
    "by a decorator of a class and a function": (
        MARK + '@mark("a")\nclass First:\n    def __init__(self, layer): use(layer)\n'
        '@mark("b")\ndef second(layer): return layer\nFirst(1)\nsecond(Net())\n',
        ("second(Net())", "First(Net())"),
    ),
    "kept by a decorator": (
        (
            "kept = []\ndef same(f):\n    kept.append(f)\n    return f\n"
            "@same\ndef first(layer): use(layer)\n@same\ndef second(layer): return layer\nfirst(1)\nsecond(Net())\n"
        ),
        ("first(1)", "kept[0](Net())"),
    ),
    "bound by a decorator": (
        (
            "def bound(f): return partial(f)\n@bound\ndef first(layer): use(layer)\n"
            "@bound\ndef second(layer): return layer\nfirst(1)\nsecond(Net())\n"
        ),
        ("second(Net())", "first(Net())"),
    ),
    "called by name as well": (
        SAME + "@same\ndef first(layer): use(layer)\nmade = same(other)\nmade(Net())\n",
        ("same(other)", "same(first)"),
    ),
    "given to itself": (
        "def same(x, n=2):\n    if n: return same(x, n - 1)\n    return x\nsame(use)(1)\nprint(Net())\n",
        ("print(Net())", "same(use)(Net())"),
    ),
}


@pytest.mark.parametrize(("code", "change"), PAIRS.values(), ids=PAIRS.keys())
def test_another_call_does_not_get_it(code: str, change: tuple[str, str], tmp_path: Path) -> None:
    assert code.count(change[0]) >= 1
    for text, is_called in ((code, False), (code.replace(*change), True)):
        folder = tmp_path / str(is_called)
        folder.mkdir()
        assert ("Net" in names_of(probed(table_of(folder, HEAD + text)))) is is_called, text


def test_of_many_calls_the_last_ones_are_not_distinguished(tmp_path: Path) -> None:
    calls = "".join(f"same(use)({number})\n" for number in range(40))
    code = HEAD + SAME + calls + "same(use)(Net())\n"
    assert "Net" in names_of(probed(table_of(tmp_path, code)))
