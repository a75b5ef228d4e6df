"""The names that a computed name may be."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from qprep.analysis.effects.attribute_names import ANY_NAME, patterns_of
from tests.analysis.effects.small_projects import table_of

# Code with `probe(…)`, names that the expression may be, and names that it may not be.
NAMES = {
    "constant": ('probe("act")', ["act"], ["act_1", "a"]),
    "variable": ('name = "act"\nprobe(name)', ["act"], ["drop"]),
    "conditional": ('probe("act" if input() else "drop")', ["act", "drop"], ["conv"]),
    "two-bindings": ('name = "act"\nif input():\n    name = "drop"\nprobe(name)', ["act", "drop"], ["conv"]),
    "list": ('for name in ["act", "drop"]:\n    probe(name)', ["act", "drop"], ["conv"]),
    "list-in-variable": ('names = ["act"]\nfor name in names:\n    probe(name)', ["act"], ["conv"]),
    "set-in-variable": ('names = {"act", "drop"}\nfor name in names:\n    probe(name)', ["act", "drop"], ["conv"]),
    "formatted": ('probe(f"act_{input()}")', ["act_", "act_1"], ["act", "drop"]),
    "percent": ('probe("act_%d" % 1)', ["act_1"], ["act", "drop_1"]),
    "format-method": ('probe("act_{}".format(1))', ["act_1"], ["act", "drop_1"]),
    "sum": ('probe("act_" + input())', ["act_1"], ["drop"]),
    "zip": ('for n, name in zip([1], ["act"]):\n    probe(name)', ["act"], ["drop"]),
    "enumerate": ('for n, name in enumerate(["act"]):\n    probe(name)', ["act"], ["drop"]),
    "dot-is-no-wildcard": ('probe("a.t")', ["a.t"], ["act"]),
}
ANY = {
    "call": "probe(input())",
    "parameter": "def put(name):\n    probe(name)",
    "one-of-two-unknown": 'name = "act"\nname = input()\nprobe(name)',
    "parameter-with-another-value": "def put(name):\n    if input():\n        name = 'act'\n    probe(name)",
    "imported-and-bound": "from os import name\nif input():\n    name = 'act'\nprobe(name)",
    "keys": "for name in vars(Net()):\n    probe(name)",
}


def _patterns(folder: Path, code: str) -> frozenset[str]:
    table = table_of(folder, f"{code}\n")
    file = table.points_to.file("model")
    assert file is not None
    (call,) = [c for c in file.index.of(ast.Call) if isinstance(c.func, ast.Name) and c.func.id == "probe"]
    return patterns_of(call.args[0], file.scope_of(call))


def _matches(patterns: frozenset[str], name: str) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in patterns)


@pytest.mark.parametrize(("code", "possible", "impossible"), NAMES.values(), ids=NAMES.keys())
def test_a_computed_name(code: str, possible: list[str], impossible: list[str], tmp_path: Path) -> None:
    patterns = _patterns(tmp_path, code)
    assert [name for name in possible if not _matches(patterns, name)] == []
    assert [name for name in impossible if _matches(patterns, name)] == []


@pytest.mark.parametrize("code", ANY.values(), ids=ANY.keys())
def test_a_name_that_is_not_known_may_be_any(code: str, tmp_path: Path) -> None:
    assert ANY_NAME in _patterns(tmp_path, code)
