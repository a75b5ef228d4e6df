"""Names through which a module keeps what it is given, and through which it gives it out."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.symbols.module_summary import ModuleSummary, read_summary

REGISTRIES = {
    "dictionary": (
        "found = {}\ndef add(cls):\n    found[cls.__name__] = cls\n    return cls\n"
        "def take(n):\n    return found[n]()\n"
    ),
    "list": "found = []\ndef add(cls):\n    found.append(cls)\ndef take(n):\n    return found[n]()\n",
    "decorator with a name": (
        "found = dict()\ndef add(name):\n    def inner(cls):\n        found[name] = cls\n        return cls\n"
        "    return inner\ndef take(n):\n    return found.get(n)()\n"
    ),
    "object": (
        "class Table:\n    def __init__(self):\n        self.all = {}\n"
        "    def add(self, cls):\n        self.all[0] = cls\n"
        "found = Table()\ndef add(cls):\n    found.add(cls)\ndef take(n):\n    return found.all[n]()\n"
    ),
    "global": "found = None\ndef add(cls):\n    global found\n    found = cls\ndef take(n):\n    return found()\n",
    "helper": (
        "found = {}\ndef store(key, value):\n    found[key] = value\ndef add(cls):\n    store('a', cls)\n"
        "def look(n):\n    return found[n]\ndef take(n):\n    return look(n)()\n"
    ),
    "local": (
        "found = {}\ndef add(cls):\n    entry = (cls, 1)\n    found.update(a=entry)\n"
        "def take(n):\n    return found[n][0]()\n"
    ),
}
NOTHING_KEPT = {
    "log": "import logging\nlog = logging.getLogger('a')\ndef add(cls):\n    log.info(cls)\n    return cls\n",
    "name of it": "found = {}\ndef add(cls):\n    found[cls.__name__] = cls.__module__\n    return cls\n",
    "constant": "SIZE = 4\ndef add(cls):\n    return cls(SIZE)\n",
    "made function": "def maker(n):\n    def f(x):\n        return (x,) * n\n    return f\nadd = maker(2)\n",
    "reads alone": "TABLE = {'a': 1}\ndef add(cls):\n    return TABLE.get(cls)\n",
}


def summary(text: str) -> ModuleSummary:
    return read_summary("registry", Path("registry.py"), text)


@pytest.mark.parametrize("text", REGISTRIES.values(), ids=REGISTRIES.keys())
def test_a_registry_is_written_to_and_read(text: str) -> None:
    kept = [each for each in summary(text).kept if "add" in each.writers and not each.target]
    assert any("take" in each.givers for each in kept)
    assert not any("take" in each.writers for each in kept)


@pytest.mark.parametrize("text", NOTHING_KEPT.values(), ids=NOTHING_KEPT.keys())
def test_a_function_that_keeps_nothing_is_no_writer(text: str) -> None:
    assert not [each for each in summary(text).kept if "add" in each.writers]


@pytest.mark.parametrize(
    "text",
    [
        "class Base:\n    found = {}\n    def __init_subclass__(cls):\n        cls.found['a'] = cls\n",
        "class Base(metaclass=Keeper):\n    pass\n",
        "class Base:\n    found = []\n    @classmethod\n    def add(cls, other):\n        cls.found.append(other)\n",
    ],
)
def test_a_class_keeps_its_subclasses_or_what_it_is_given(text: str) -> None:
    assert any("Base" in each.writers and "Base" in each.givers for each in summary(text).kept)


def test_what_is_passed_on_is_named() -> None:
    found = summary("from base import REG\ndef add(cls):\n    REG.add(cls)\n    return cls\n").kept
    assert ("base.REG.add", ("add",)) in [(each.target, each.writers) for each in found]


@pytest.mark.parametrize(
    ("text", "is_taken"),
    [
        ("from reg import add\n@add\nclass Net: ...\n", False),
        ("from reg import add\n@add('a')\ndef net(): ...\n", False),
        ("from reg import add\nadd('a', 1)\n", False),
        ("import reg\n@reg.add\nclass Net: ...\n", False),
        ("from reg import add\nm = add('a')\n", True),
        ("from reg import add\ndef see(m): ...\nadd(see)\n", True),
        ("from reg import add\nadd(lambda m: m)\n", True),
        ("from reg import add\n@add\nclass Net: ...\nadd('a').x()\n", True),
    ],
)
def test_a_decorator_and_a_statement_take_nothing(text: str, is_taken: bool) -> None:
    assert ("reg.add" in summary(text).untaken) is not is_taken


@pytest.mark.parametrize(
    ("body", "meets"),
    [
        ("for a in m.modules():\n        a.register_forward_hook(print)", True),
        ("*_, a = m.children()", True),
        ("m.apply(print)", True),
        ("functools.reduce(getattr, ['a', 'b'], m).p = 1", True),
        ("getattr(m, name)(1)", True),
        ("exec('m.act.p = 1')", True),
        ("eval('m.act').p = 1", True),
        ("operator.attrgetter(name)(m)", True),
        ("m._modules.popitem()", True),
        ("getattr(m, 'act')", False),
        ("m.eval()", False),
        ("m.act(1)  # for all modules, children", False),
    ],
)
def test_code_that_may_meet_any_object(body: str, meets: bool) -> None:
    assert summary(f"import functools, operator\ndef f(m, name=''):\n    {body}\n").meets_any is meets


def test_a_hook_on_all_modules_meets_any_object() -> None:
    assert summary("from torch.nn.modules.module import register_module_forward_hook as hook\n").meets_any
