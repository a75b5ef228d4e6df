"""Functions and classes in dictionaries and tuples: what takes one item out does not get another one."""

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

# By name: code that does not call `use` with a module, and the change of it that does.
PAIRS = {
    "keyword of a dictionary": (
        "table = dict(use=use, other=other)\ntable['other'](Net())\n",
        ("table['other']", "table['use']"),
    ),
    "key of a display": (
        "table = {'use': use, 'other': other}\ntable.get('other')(Net())\n",
        ("get('other')", "get('use')"),
    ),
    "key that is computed": (
        "table = {'use': use, 'other': other}\ntable['other'](Net())\n",
        ("['other']", "['us' + 'e']"),
    ),
    "key that is set": (
        "table = {}\ntable['use'] = use\ntable['other'] = other\ntable.pop('other')(Net())\n",
        ("table['use'] = use", "table['other'] = use"),
    ),
    "moved to another key": (
        "table = {'use': use}\nmore = {'other': other}\nmore['other'](Net())\n",
        ("more['other'](", "more['other'] = table['use']\nmore['other']("),
    ),
    "spread": (
        "def run(use=None, other=None): other(Net())\ntable = dict(use=use, other=other)\nrun(**table)\n",
        ("other(Net())", "use(Net())"),
    ),
    "spread into the rest": (
        "def run(**rest): rest['other'](Net())\nrun(use=use, other=other)\n",
        ("rest['other']", "rest['use']"),
    ),
    "spread twice": (
        "def run(**rest): go(**rest)\ndef go(other, use): other(Net())\nrun(**{'use': use, **dict(other=other)})\n",
        ("other(Net())", "use(Net())"),
    ),
    "inside another": (
        "table = {'first': {'use': use}, 'second': {'use': other}}\ntable['second']['use'](Net())\n",
        ("table['second']", "table['first']"),
    ),
    "copied": (
        "table = dict(dict(use=use, other=other).copy(), third=other)\ntable['third'](Net())\n",
        ("table['third']", "table['use']"),
    ),
    "made of pairs": (
        "table = dict((('other', other), ('third', use)))\nprint(table)\n",
        ("print(table)", "table['third'](Net())"),
    ),
    "tuple": (
        "first, second = use, (other, use)\nsecond[0](Net())\n",
        ("second[0]", "second[-1]"),
    ),
    "results": (
        "def both(): return use, other\nfirst, second = both()\nsecond(Net())\n",
        ("second(Net())", "first(Net())"),
    ),
    "results with the rest": (
        "def both(): return other, use\nfirst, second = both()\nfirst(Net())\n",
        ("first, second = both()\nfirst(Net())", "first, *second = both()\nsecond[0](Net())"),
    ),
    "part of a tuple": (
        "both = (other, use)\nboth[0](Net())\n",
        ("both[0]", "both[1:][0]"),
    ),
    "default of another parameter": (
        "def run(first, one=use, two=other): two(first)\nrun(Net())\n",
        ("two(first)", "one(first)"),
    ),
    "default of a keyword": (
        "def run(first, *, one=use, two=other): two(first)\nrun(Net())\n",
        ("two(first)", "one(first)"),
    ),
    "items of a function": (
        (
            "def use_of(found): return found.again[0]\nclass A:\n"
            "    def again(self, layer): use(layer)\nuse_of(A())(Net())\n"
        ),
        ("def again(self, layer): use(layer)", "again = [use]"),
    ),
    "decorated": (
        "import wrap\ndef make(f): return f\n@wrap.table\ndef more(layer): use(layer)\nmake(more)(1)\nprint(Net())\n",
        ("print(Net())", "make(more)[0](Net())"),
    ),
    "loop over what a generator gives": (
        "def gen():\n    yield use\nfor each in gen():\n    print(Net())\n",
        ("print(Net())", "each(Net())"),
    ),
    "values": (
        "table = {'use': use, 'other': other}\nfor key in table.keys():\n    print(key, Net())\n",
        ("for key in table.keys():\n    print(key, Net())", "for each in table.values():\n    each(Net())"),
    ),
}


@pytest.mark.parametrize(("code", "change"), PAIRS.values(), ids=PAIRS.keys())
def test_another_item_is_not_called(code: str, change: tuple[str, str], tmp_path: Path) -> None:
    assert code.count(change[0]) >= 1
    for text, is_called in ((code, False), (code.replace(*change), True)):
        folder = tmp_path / str(is_called)
        folder.mkdir()
        assert ("Net" in names_of(probed(table_of(folder, HEAD + text)))) is is_called, text
