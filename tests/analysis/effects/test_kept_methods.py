"""Methods, getters and setters that code keeps and calls elsewhere, and methods that base classes of packages call."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.values.abstract_values import ClassRef
from tests.analysis.effects.small_projects import table_of

NET = ClassRef("model", "Net")
HEAD = """\
import builtins
import cmd
import collections
import functools
import json
import logging
import operator
import threading
import types

ITEMS = []


def H(*given):
    print(given)


"""
TAP = "ITEMS[0].register_forward_hook(H)"

# name → what stands before, and the body of `use(m)`
SEEN = {
    "append-in-a-namespace": ("log = types.SimpleNamespace(info=ITEMS.append)\n", f"log.info(m.act); {TAP}"),
    "append-in-an-attribute": (
        "class Log:\n    def __init__(self):\n        self.items = []\n        self.note = self.items.append\n",
        "log = Log(); log.note(m.act); log.items[0].register_forward_hook(H)",
    ),
    "append-in-a-dictionary": ('TABLE = {"add": ITEMS.append}\n', f'TABLE["add"](m.act); {TAP}'),
    "append-as-an-argument": (
        "def collect(m, sink):\n    for each in m.children():\n        sink(each)\n",
        f"collect(m, ITEMS.append); {TAP}",
    ),
    "append-as-a-default": ("def note(each, sink=ITEMS.append):\n    sink(each)\n", f"note(m.act); {TAP}"),
    "append-that-is-returned": ("def sink():\n    return ITEMS.append\n", f"sink()(m.act); {TAP}"),
    "append-given-to-apply": ("", f"m.apply(ITEMS.append); {TAP}"),
    "item-setter-in-a-partial": (
        'TABLE = {}\nput = functools.partial(TABLE.__setitem__, "a")\n',
        'put(m.act); TABLE["a"].register_forward_hook(H)',
    ),
    "getter": ('get = operator.attrgetter("act")\n', "get(m).register_forward_hook(H)"),
    "getter-of-a-hook": ("", 'get = operator.attrgetter("act.register_forward_hook"); get(m)(H)'),
    "getter-of-two": (
        'both = operator.attrgetter("fc", "act")\n',
        "for each in both(m):\n    each.register_forward_hook(H)",
    ),
    "getter-in-a-list": (
        "def each(m, getters):\n    for get in getters:\n        get(m).register_forward_hook(H)\n",
        'each(m, [operator.attrgetter("fc"), operator.attrgetter("act")])',
    ),
    "getter-given-to-map": ("", 'for each in map(operator.attrgetter("act"), [m]):\n    each.register_forward_hook(H)'),
    "kept-getter-given-to-map": (
        'get = operator.attrgetter("fc", "act")\n',
        "for pair in map(get, [m]):\n    pair[1].register_forward_hook(H)",
    ),
    "getter-of-a-computed-path": (
        "def fetch(path):\n    return operator.attrgetter(path)\n",
        'fetch("act")(m).register_forward_hook(H)',
    ),
    "getter-of-a-method": (
        (
            "class Tool:\n    def put(self, each):\n        each.register_forward_hook(H)\n\n\n"
            'get = operator.attrgetter("put")\n'
        ),
        "get(Tool())(m.act)",
    ),
    "getters-of-a-map": (
        "",
        'for get in map(operator.attrgetter, ("fc", "act")):\n    get(m).register_forward_hook(H)',
    ),
    "getattr-by-another-name": ("fetch = getattr\n", 'fetch(m, "act").register_forward_hook(H)'),
    "getattr-imported": ("from builtins import getattr as fetch\n", 'fetch(m, "act").register_forward_hook(H)'),
    "getattr-of-builtins": ("", 'builtins.getattr(m, "act").register_forward_hook(H)'),
    "getattr-in-a-dictionary": ('TABLE = {"get": getattr}\n', 'TABLE["get"](m, "act").register_forward_hook(H)'),
    "getattr-as-an-argument": (
        "def run(fetch, m):\n    return fetch(m, 'act')\n",
        "run(getattr, m).register_forward_hook(H)",
    ),
    "method-by-the-class-of-an-object": (
        (
            "class Visitor:\n    @functools.singledispatchmethod\n    def visit(self, each):\n        pass\n\n"
            "    @visit.register\n    def _(self, each: nn.ReLU):\n        each.register_forward_hook(H)\n"
        ),
        "Visitor().visit(m.act)",
    ),
    "encoder-of-json": (
        "class Encoder(json.JSONEncoder):\n    def default(self, o):\n        o.act.register_forward_hook(H)\n",
        "json.dumps(m, cls=Encoder)",
    ),
    "encoder-of-json-by-its-method": (
        (
            "class Encoder(json.JSONEncoder):\n    def default(self, o):\n"
            "        for each in o.children():\n            each.register_forward_hook(H)\n"
        ),
        "Encoder().encode(m)",
    ),
    "handler-of-a-log": (
        (
            "class Handler(logging.Handler):\n    def emit(self, record):\n"
            "        for each in record.args.children():\n            each.register_forward_hook(H)\n"
        ),
        'log = logging.getLogger("a"); log.addHandler(Handler()); log.warning("%s", m)',
    ),
    "dictionary-that-sets-items": (
        (
            "class Table(collections.UserDict):\n    def __setitem__(self, key, value):\n"
            "        value.register_forward_hook(H)\n"
        ),
        'Table().update({"a": m.act})',
    ),
    "dictionary-by-its-constructor": (
        (
            "class Table(collections.UserDict):\n    def __setitem__(self, key, value):\n"
            "        value.register_forward_hook(H)\n"
        ),
        'Table({"a": m.act})',
    ),
}

NOT_REACHED = {
    "append-of-numbers": ("log = types.SimpleNamespace(info=ITEMS.append)\n", f"log.info(m.act(m.fc(1))); {TAP}"),
    "append-of-another-module": ("log = types.SimpleNamespace(info=ITEMS.append)\n", f"log.info(m.fc); {TAP}"),
    "getter-of-a-sort-key": ("", 'sorted(ITEMS, key=operator.attrgetter("k")); m.fc.register_forward_hook(H)'),
    "getter-of-another-module": ('get = operator.attrgetter("fc")\n', "get(m).register_forward_hook(H)"),
    "reduce-by-getattr": ("", 'functools.reduce(getattr, ["a", "b"], ITEMS); m(1)'),
    "encoder-of-numbers": (
        "class Encoder(json.JSONEncoder):\n    def default(self, o):\n        o.tap.register_forward_hook(H)\n",
        'json.dumps({"a": 1}, cls=Encoder); m(1)',
    ),
    "thread-without-a-model": (
        (
            "class Worker(threading.Thread):\n    def run(self):\n        pass\n\n"
            "    def note(self, each):\n        each.register_forward_hook(H)\n"
        ),
        "Worker().start(); m(1)",
    ),
}


def _code(before: str, body: str) -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{HEAD}{before}\n\ndef use(m):\n{lines}\n\nuse(Net())\n"


@pytest.mark.parametrize(("before", "body"), SEEN.values(), ids=SEEN.keys())
def test_a_change_by_what_is_kept_is_seen(before: str, body: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, _code(before, body))
    assert list(table.on_held((NET,), "act", ("torch.nn.ReLU",)))


@pytest.mark.parametrize(("before", "body"), NOT_REACHED.values(), ids=NOT_REACHED.keys())
def test_a_part_that_nothing_reaches_is_not_changed(before: str, body: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, _code(before, body))
    assert not list(table.on_held((NET,), "act", ("torch.nn.ReLU",)))
