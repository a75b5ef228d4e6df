"""Modules that are found by a name: whether a module that a fix adds may be meant, by where the name is from."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.effects.effect_kinds import EffectKind
from qprep.analysis.values.abstract_values import ClassRef
from tests.analysis.effects.small_projects import table_of

NET = ClassRef("model", "Net")
ADD = "qprep.runtime_modules.EltwiseAdd"
CHANGE = """\
def change(net, name):
    found = {lookup}
    found.forward = print
    setattr(found, name, print)


net = Net()
{calls}
"""
LOOKUPS = {
    "getattr": "getattr(net, name)",
    "default": "getattr(net, name, None)",
    "submodule": "net.get_submodule(name)",
}
GIVEN = {
    "written": 'change(net, "act")',
    "of-a-list": 'for name in ["act", "drop"]:\n    change(net, name)',
    "from-outside": "import sys\n\nchange(net, sys.argv[1])",
    "of-parameters": 'for key, _ in net.named_parameters():\n    change(net, key.rpartition(".")[0])',
    "of-states": "for key in sorted(net.state_dict()):\n    change(net, key.split('.')[0])",
    "of-a-class": "for name, m in net.named_modules():\n    if isinstance(m, nn.Dropout):\n        change(net, name)",
    "below-a-class": (
        "for name, m in net.named_modules():\n    if isinstance(m, nn.Dropout):\n        change(net, f'{name}.inner')"
    ),
    "of-a-class-in-a-list": (
        "wanted = [key for key, m in net.named_modules() if isinstance(m, nn.Dropout)]\n"
        "for name in wanted:\n    change(net, name)"
    ),
}
LISTED = {
    "of-modules": "for name, _ in net.named_modules():\n    change(net, name)",
    "of-children": "for name in dict(net.named_children()):\n    change(net, name)",
    "of-attributes": "for name in dir(net):\n    change(net, name)",
    "of-any-class": (
        "for name, m in net.named_modules():\n    if isinstance(m, nn.Module):\n        change(net, name)"
    ),
    "not-of-a-class": "for name, m in net.named_modules():\n    if type(m) != nn.Conv2d:\n        change(net, name)",
    "of-another-variable": (
        "for name, m in net.named_modules():\n    for other in net.modules():\n"
        "        if isinstance(other, nn.Dropout):\n            change(net, name)"
    ),
    "a-text": "for name, m in net.named_modules():\n    if isinstance(name, str):\n        change(net, name)",
    "by-a-package": "from elsewhere import names_in\n\nfor name in names_in(net):\n    change(net, name)",
    "both": 'change(net, "act")\nfor name, _ in net.named_modules():\n    change(net, name)',
}


def _code(lookup: str, calls: str) -> str:
    return CHANGE.format(lookup=lookup, calls=calls)


@pytest.mark.parametrize("calls", GIVEN.values(), ids=GIVEN.keys())
@pytest.mark.parametrize("lookup", LOOKUPS.values(), ids=LOOKUPS.keys())
def test_a_given_name_finds_no_new_child(lookup: str, calls: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, _code(lookup, calls))
    assert not list(table.children.on_child((NET,), ADD))
    assert list(table.on_held((NET,), "act", ("torch.nn.ReLU",)))  # the one that there is may be meant


@pytest.mark.parametrize("calls", LISTED.values(), ids=LISTED.keys())
@pytest.mark.parametrize("lookup", LOOKUPS.values(), ids=LOOKUPS.keys())
def test_a_listed_name_may_find_a_new_child(lookup: str, calls: str, tmp_path: Path) -> None:
    assert list(table_of(tmp_path, _code(lookup, calls)).children.on_child((NET,), ADD))


WITHOUT = {
    "extended": "tied = getattr(m, 'tied', None) or {}\nfound.extend([f'{k}' for k in tied.keys()])",
    "at-once": "found.extend(getattr(m, 'tied', ()))",
    "added": "tied = getattr(m, 'tied', [])\nfound += [k for k in tied]",
    "one-by-one": "for k in getattr(m, 'tied', {}).values():\n    found.append(k)",
    "one-by-one-of-a-variable": "tied = getattr(m, 'tied', set())\nfor k in tied:\n    found.append(k)",
}
WITH = {
    "another-default": "found.extend(getattr(m, 'tied', [1]))",
    "of-every-module": "found.extend(getattr(m, '_modules', {}))",
    "and-more": "for k in getattr(m, 'tied', {}):\n    pass\nfound.append(1)",
    "in-front": "found.extend([1 for _ in (1,) for k in getattr(m, 'tied', ())])",
    "bound-behind": "found.extend(tied)\ntied = getattr(m, 'tied', ())",
    "bound-twice": "tied = getattr(m, 'tied', ())\ntied = (1,)\nfound.extend(tied)",
}


def _loop(body: str) -> str:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return f"def walk(net, found, tied=()):\n    for m in net.modules():\n{lines}\n\nwalk(Net(), [])\n"


@pytest.mark.parametrize("body", WITHOUT.values(), ids=WITHOUT.keys())
def test_what_an_attribute_holds_is_nothing_where_it_is_missing(body: str, tmp_path: Path) -> None:
    assert not list(table_of(tmp_path, _loop(body).replace(", tied=()", "")).children.on_child((NET,), ADD))


@pytest.mark.parametrize("body", WITH.values(), ids=WITH.keys())
def test_anything_else_counts_modules(body: str, tmp_path: Path) -> None:
    assert list(table_of(tmp_path, _loop(body)).children.on_child((NET,), ADD))


VISITED = {
    "unknown-keyword": ("net.apply(partial(net.visit, value=True))", False),
    "known-keyword": ("net.apply(partial(net.visit, flag=True))", True),
    "no-keyword": ("net.apply(net.visit)", True),
}


@pytest.mark.parametrize(("call", "is_met"), VISITED.values(), ids=VISITED.keys())
def test_a_function_is_applied_with_keywords_that_it_takes(call: str, is_met: bool, tmp_path: Path) -> None:
    code = "class Sub(Net):\n    def visit(self, module, flag=False):\n        self.seen = module\n\n\nnet = Sub()\n"
    found = table_of(tmp_path, f"{code}{call}\n").children.on_child((NET, ClassRef("model", "Sub")), ADD)
    assert any(effect.kind is EffectKind.OBSERVE for effect in found) is is_met


FOR_ALL = {
    "tested": ("if isinstance(module, nn.Linear):\n        print(module.weight)", False),
    "not-tested": ("print(module.weight)", True),
}


@pytest.mark.parametrize(("body", "is_met"), FOR_ALL.values(), ids=FOR_ALL.keys())
def test_a_method_of_all_modules_knows_what_it_tests(body: str, is_met: bool, tmp_path: Path) -> None:
    code = f'def show(module):\n    {body}\n\n\nsetattr(nn.Module, "show", show)\n'
    found = table_of(tmp_path, code).children.on_child((NET,), ADD)
    assert any(effect.kind is EffectKind.READ for effect in found) is is_met
