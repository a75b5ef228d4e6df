"""Lists of children in any spelling: a fix that they would notice is not safe, and others stay safe."""

from __future__ import annotations

import pytest

from qprep.engine.api import fix_source
from qprep.engine.config.settings_file import Options
from tests.rewrite.used_models import used

NET = """\
import copy
import inspect
import io
import itertools
import operator
import pickle
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        {line}

    def forward(self, x):
        return self.fc(x) + x

    {method}


def use(net):
    {body}


use(Net())
"""
LISTED = {
    "getattr": "return len(getattr(net, '_modules'))",
    "getattr-of-a-method": "return len(list(getattr(net, 'children')()))",
    "getattr-in-a-loop": "return [len(list(getattr(net, name)())) for name in ('children', 'modules')]",
    "attrgetter": "return len(operator.attrgetter('_modules')(net))",
    "attrgetter-kept": "get = operator.attrgetter('_modules')\n    return len(get(net))",
    "methodcaller": "return len(list(operator.methodcaller('named_children')(net)))",
    "by-its-class": "return len(list(nn.Module.children(net)))",
    "getattribute": "return len(object.__getattribute__(net, '_modules'))",
    "item-of-the-state": "return len(net.__dict__['_modules'])",
    "item-of-vars": "return len(vars(net)['_modules'])",
    "get": "return len(net.__dict__.get('_modules'))",
    "variable": "state = vars(net)\n    return len(state['_modules'])",
    "copy-of-the-state": "state = dict(net.__dict__)\n    return len(state['_modules'])",
    "name-in-a-variable": "name = '_modules'\n    return len(vars(net)[name])",
    "items": "return [len(v) for k, v in net.__dict__.items() if k == '_modules']",
    "values": "return sum(len(v) for v in vars(net).values() if isinstance(v, dict))",
    "loop-over-items": "n = 0\n    for k, v in vars(net).items():\n        if isinstance(v, dict):\n"
    "            n += len(v)\n    return n",
    "getstate": "return len(net.__getstate__()['_modules'])",
    "reduce": "return len(net.__reduce_ex__(2)[2]['_modules'])",
    "pattern": "match net:\n        case nn.Module(_modules=table):\n            return len(table)",
    "memo": "seen = set()\n    for _ in net.named_modules(memo=seen):\n        pass\n    return len(seen)",
    "memo-by-place": "seen = set()\n    list(net.named_modules(seen))\n    return len(seen)",
    "memo-of-a-copy": "memo = {}\n    copy.deepcopy(net, memo)\n"
    "    return sum(isinstance(v, nn.Module) for v in memo.values())",
    "popped": "return type(list(net.children()).pop()).__name__",
    "last-of-all": "q = list(net.modules()).pop()\n    return type(q).__name__",
    "names-compared": "return {'fc'} == net._modules.keys()",
    "names-include": "return {'fc'} >= net._modules.keys()",
    "names-differ": "return {'', 'fc'} != dict(net.named_modules()).keys()",
    "lists-compared": "return [net.fc] == list(net.children())",
    "chained": "return 'fc' in net._modules.keys() == {'fc'}",
    "method-called-by-its-slot": "return len(list(net.children.__call__()))",
    "bound-by-hand": "return len(list(nn.Module.children.__get__(net)()))",
    "keyword-for-self": "return len(list(nn.Module.children(self=net)))",
    "getattr-of-the-class": "return len(list(getattr(nn.Module, 'children')(net)))",
    "item-of-the-class": "return len(list(vars(nn.Module)['children'](net)))",
    "static": "return len(inspect.getattr_static(net, '_modules'))",
    "name-in-parts": "part = 'modules'\n    return len(getattr(net, f'_{part}'))",
    "key-in-parts": "part = '_mod'\n    return len(vars(net)[part + 'ules'])",
    "each-key": "return [len(vars(net)[k]) for k in vars(net) if k.endswith('modules')]",
    "each-attribute": "return [len(getattr(net, k)) for k in sorted(vars(net)) if k.endswith('modules')]",
    "pickled": "Seen.n = 0\n    Seen(io.BytesIO()).dump(net)\n    return Seen.n\n\n\nclass Seen(pickle.Pickler):\n"
    "    def persistent_id(self, each):\n        Seen.n += isinstance(each, nn.Module)",
    "hooked": "seen = []\n    for q in getattr(net, 'children')():\n        q.register_forward_hook("
    "lambda *_: seen.append(1))\n"
    "    net(torch.ones(1, 4))\n    return len(seen)",
    "names": "return [n for n in net.__dir__() if isinstance(getattr(net, n, None), nn.Module)]",
    "names-by-its-class": "return len([n for n in object.__dir__(net) if 'd' in n])",
    "names-by-getattr": "return len([n for n in getattr(net, '__dir__')() if n.startswith('a')])",
    "applied": "seen = []\n    getattr(net, 'apply')(seen.append)\n    return len(seen)",
    "applied-by-its-class": "seen = []\n    nn.Module.apply(net, seen.append)\n    return len(seen)",
}
DISPATCHED = {
    "item": "TABLE = {nn.Linear: id}\n    for q in net.children():\n        TABLE[type(q)](q)",
    "item-by-name": "TABLE = {'Linear': id}\n    for q in net.children():\n        TABLE[type(q).__name__](q)",
    "popped": "TABLE = {nn.Linear: 1}\n    for q in net.children():\n        TABLE.pop(type(q))",
    "place": "KINDS = [nn.Linear]\n    for q in net.children():\n        KINDS.index(type(q))",
    "next": "KINDS = [nn.Linear]\n    for q in net.children():\n        next(k for k in KINDS if isinstance(q, k))",
    "visitor": "Visitor().visit(net)",
    "visitor-without-default": "for q in net.children():\n        getattr(Strict(), 'visit_' + type(q).__name__)(q)",
    "visitor-in-parts": "visitor = Visitor()\n    visit = getattr(visitor, f'visit_{type(net).__name__}', None)\n"
    "    (visit or visitor.generic)(net)",
}
VISITOR = """


class Visitor:
    def visit(self, q):
        getattr(self, "visit_" + type(q).__name__, self.generic)(q)

    def generic(self, q):
        SEEN.append(type(q).__name__)
        for child in q.children():
            self.visit(child)


class Strict:
    def visit_Linear(self, q):
        pass


SEEN = []


def outcome(net):
    SEEN.clear()
    try:
        run(net)
    except (AttributeError, LookupError, StopIteration, ValueError) as error:
        return type(error).__name__
    return SEEN
"""
OWN = {
    "super": ("return len(list(super().children()))", "return net.parts()"),
    "super-named": ("return [n for n, _ in super().named_children()]", "return net.parts()"),
    "super-of-a-class": ("return len(list(super(Net, self).children()))", "return net.parts()"),
    "by-its-class": ("return len(list(nn.Module.children(self)))", "return net.parts()"),
    "getattr": ("return len(getattr(self, '_modules'))", "return net.parts()"),
    "vars": ("return len(vars(self).get('_modules'))", "return net.parts()"),
    "run": ("return sum(q.in_features for q in getattr(self, '_modules').values())", "return net.parts()"),
    "alias": ("me = self\n        return len(me.__dict__['_modules'])", "return net.parts()"),
}
HARMLESS = {
    "a-name": "return 'fc' in net._modules.keys()",
    "a-module": "return net.fc in list(net.children())",
    "by-a-name": "return net._modules.get('fc') is net.fc",
    "by-a-name-of-a-dict": "return dict(net.named_modules())['fc'].in_features",
    "another-key": "return vars(net)['training']",
    "a-key": "return 'training' in net.__dict__",
    "keys": "return sorted(vars(net))",
    "each-other-key": "return [vars(net)[k] for k in vars(net) if not k.startswith('_')]",
    "tensors": "return [v for v in vars(net).values() if isinstance(v, torch.Tensor)]",
    "numbers": "return {k: v for k, v in vars(net).items() if isinstance(v, (int, str))}",
    "not-private": "return {k: v for k, v in vars(net).items() if not k.startswith('_')}",
    "state-given-to-another": "other = Net()\n    other.__dict__.update(net.__dict__)\n    return other.training",
    "new-memo": "return copy.deepcopy(net, {}).training",
    "state-of-another-object": "return len(vars(types_of(net)))\n\n\ndef types_of(net):\n    return Plain()\n\n\n"
    "class Plain:\n    pass",
}
STORED = {
    "keys": "self.order = self._modules.keys()",
    "table": "self.order = self._modules",
    "items": "self.order = vars(self)['_modules'].items()",
    "generator": "self.order = (n for n in self._modules)",
    "mapped": "self.order = map(str, self._modules)",
    "set": "setattr(self, 'order', self._modules.keys())",
    "annotated": "self.order: dict = self._modules",
    "either": "self.order = self._modules or {}",
    "in-a-pair": "self.order, self.other = self._modules.keys(), 1",
    "chained": "self.order = itertools.chain(self._modules)",
    "variable": "order = self._modules; self.order = order",
}
GONE_THROUGH = [
    "len(vars(self)['_modules'])",
    "list(getattr(self, '_modules'))",
    "','.join(self._modules)",
    "self._modules.copy().keys()",
    "[n for n in self._modules]",
    "sum(1 for _ in self.children())",
    "{**self._modules}.keys()",
]


def _source(body: str, *, line: str = "pass", method: str = "") -> str:
    return NET.format(line=line, method=method, body=body)


@pytest.mark.parametrize("body", LISTED.values(), ids=LISTED.keys())
def test_a_list_of_children_shows_the_same(body: str) -> None:
    source = _source(body)
    assert used(fix_source(source)[0]) == used(source)


@pytest.mark.parametrize("body", DISPATCHED.values(), ids=DISPATCHED.keys())
def test_a_table_of_classes_raises_for_the_same(body: str) -> None:
    source = _source(f"return outcome(net)\n\n\ndef run(net):\n    {body}{VISITOR}")
    assert used(fix_source(source)[0]) == used(source)


@pytest.mark.parametrize(("method", "body"), OWN.values(), ids=OWN.keys())
def test_a_method_lists_the_same_children_of_its_own_object(method: str, body: str) -> None:
    source = _source(body, method=f"def parts(self):\n        {method}")
    assert used(fix_source(source)[0]) == used(source)


@pytest.mark.parametrize("body", HARMLESS.values(), ids=HARMLESS.keys())
def test_code_that_sees_no_new_child_leaves_the_fix_safe(body: str) -> None:
    source = _source(body)
    fixed, _ = fix_source(source)
    assert "EltwiseAdd()" in fixed
    assert str(used(fixed)) == str(used(source))


@pytest.mark.parametrize("line", STORED.values(), ids=STORED.keys())
def test_a_list_that_a_constructor_keeps_shows_later_children(line: str) -> None:
    source = _source("return len(list(net.order))", line=line)
    assert used(fix_source(source)[0]) == used(source)


@pytest.mark.parametrize("line", GONE_THROUGH)
def test_a_list_that_a_constructor_goes_through_shows_none(line: str) -> None:
    source = _source("return net.n", line=f"self.n = {line}")
    fixed, _ = fix_source(source)
    assert "self.add = EltwiseAdd()" in fixed
    assert used(fixed) == used(source)


def test_an_object_may_define_how_it_is_copied() -> None:
    method = "def __getstate__(self):\n        state = self.__dict__.copy()\n        return state"
    fixed, _ = fix_source(_source("return copy.deepcopy(net).training", method=method))
    assert "self.add = EltwiseAdd()" in fixed


def test_a_method_by_super_leaves_new_children_out() -> None:
    source = _source("return net.parts()", method="def parts(self):\n        return len(list(super().children()))")
    fixed, _ = fix_source(source)
    assert "original_children(super())" in fixed
    assert 'mark_added(self, "add")' in fixed


@pytest.mark.parametrize("name", ["children", "named_children", "modules", "named_modules"])
def test_a_class_that_lists_its_modules_in_its_own_way_gets_none(name: str) -> None:
    source = _source("return net.training", method=f"def {name}(self, *args, **kwargs):\n        yield from ()")
    fixed, result = fix_source(source)
    assert fixed == source
    assert any(f"defines {name}" in str(finding.fix) for finding in result.remaining)


def test_a_list_is_rewritten_with_the_class_whatever_rules_are_selected() -> None:
    source = _source("return len(list(net.children()))")
    fixed, _ = fix_source(source, options=Options(select=("QP101",)))
    assert "self.add = EltwiseAdd()" in fixed
    assert used(fixed) == used(source)


def test_a_wrapper_that_passes_on_attributes_lists_the_same() -> None:
    source = _source(
        "return len(list(Wrapper(net).children()))\n\n\nclass Wrapper:\n    def __init__(self, net):\n"
        "        self.net = net\n\n    def __getattr__(self, name):\n        return getattr(self.net, name)"
    )
    fixed, _ = fix_source(source)
    assert "self.add = EltwiseAdd()" in fixed
    assert used(fixed) == used(source)


def test_an_object_of_another_class_lists_what_it_likes() -> None:
    source = _source(
        "return [len(list(each.children())) for each in (net, Tree())]\n\n\nclass Tree:\n"
        "    def children(self):\n        return [1, 2, 3]"
    )
    fixed, _ = fix_source(source)
    assert "self.add = EltwiseAdd()" in fixed
    assert used(fixed) == used(source)
