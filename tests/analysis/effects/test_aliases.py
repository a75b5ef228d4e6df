"""A part of a model is reached, and changed, by whatever way code takes to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.values.abstract_values import ClassRef
from tests.analysis.effects.aliases import ALIASES
from tests.analysis.effects.change_spellings import ON_ACT, ON_DROP
from tests.analysis.effects.small_projects import table_of
from tests.analysis.effects.visits import VISITS

NET = ClassRef("model", "Net")
HEAD = """\
import collections
import contextlib
import copy
import dataclasses
import enum
import functools
import itertools
import operator
import pickle
import random
import threading
import types
import typing
import weakref

RF = nn.ReLU.forward


def H(*given):
    print(given)


"""


def _code(body: str, before: str = "") -> str:
    lines = "".join(f"    {line}\n" for line in ("r = []", *body.splitlines()))
    return f"{HEAD}{before}\ndef use(m):\n{lines}\n\nuse(Net())\n"


@pytest.mark.parametrize(("before", "body"), ALIASES.values(), ids=ALIASES.keys())
def test_a_hook_is_seen_through_every_alias(before: str, body: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, _code(body, before))
    assert list(table.on_held((NET,), "act", ("torch.nn.ReLU",)))


@pytest.mark.parametrize("body", ON_ACT.values(), ids=ON_ACT.keys())
def test_a_change_is_seen_in_every_spelling(body: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, _code(body))
    assert [
        *table.on_held((NET,), "act", ("torch.nn.ReLU",)),
        *table.on_class((NET,), ()),
        *table.patched(("ReLU", "relu")),
    ]


@pytest.mark.parametrize("body", ON_DROP.values(), ids=ON_DROP.keys())
def test_a_change_of_mode_or_probability_is_seen_in_every_spelling(body: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, _code(body))
    assert list(table.on_held((NET,), "drop", ("torch.nn.Dropout",))) or list(table.patched(("Dropout",)))


@pytest.mark.parametrize(("before", "body"), VISITS.values(), ids=VISITS.keys())
def test_what_a_visit_leaves_behind_is_seen(before: str, body: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, _code(body, before))
    assert list(table.children.on_child((NET,), "torch.nn.ReLU"))


# Visits that leave nothing behind where a further module has no weights and is no Linear.
QUIET = {
    "variables-of-a-round": "for q in m.modules():\n    k = type(q)\n    n = k.__name__",
    "carried-in-a-round": "for q in m.modules():\n    k = 1\n    k = k + 1\n    k += 1",
    "tested": "n = 0\nfor q in m.modules():\n    if isinstance(q, nn.Linear):\n        n = n + 1\nr.append(n)",
    "its-parameters": "n = 0\nfor q in m.modules():\n    for p in q.parameters():\n        n = n + 1\nr.append(n)",
    "call": "def go(q):\n    if isinstance(q, nn.Linear):\n        r.append(q)\nfor q in m.modules():\n    go(q)",
    "applied-and-tested": "def go(q):\n    if isinstance(q, nn.Linear):\n        r.append(q)\nm.apply(go)",
    "no-effect": "def go(q):\n    k = 1\n    k += 1\n    return k\nfor q in m.modules():\n    go(q)",
    "new-objects": "for q in m.modules():\n    k = []\n    k.sort()\n    d = {}\n    d[1] = 2",
    "new-default": 'for q in m.modules():\n    getattr(q, "log", []).append(1)\n    getattr(q, "name", None)',
    "sorted": 'for q in sorted(m.modules(), key=lambda q: getattr(q, "rank", 0)): q.eval()',
    "metaclass": "class Kind(type): pass\nclass K(metaclass=Kind): pass\nfor q in m.modules(): K()",
    "counter-read": "c = collections.Counter()\nfor q in m.modules(): c.get(type(q))",
    "the-same-name-later": "for q in m.children():\n    k = 1\nfor q in m.children():\n    k = 2",
}


@pytest.mark.parametrize("body", QUIET.values(), ids=QUIET.keys())
def test_a_visit_that_leaves_nothing_behind_meets_no_new_child(body: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, _code(body))
    assert not list(table.children.on_child((NET,), "torch.nn.ReLU"))
