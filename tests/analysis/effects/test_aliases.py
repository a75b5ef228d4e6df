"""A part of a model is reached, and changed, by whatever way code takes to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.values.abstract_values import ClassRef
from tests.analysis.effects.aliases import ALIASES
from tests.analysis.effects.change_spellings import ON_ACT, ON_DROP
from tests.analysis.effects.small_projects import table_of

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
