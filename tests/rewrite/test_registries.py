"""Classes and functions that a decorator puts into a registry: models that come out of it are seen."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.rewrite.added_module import NET, is_fixed

SOURCE = """\
import functools
from torch import nn

{registry}


{decorator}
{net}

{after}


def use(net):
    return {use}


use({made})
"""


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry, the decorator that fills it, and how a model comes out of it."""

    text: str
    decorator: str
    made: str
    after: str = ""


_METHOD = (
    "    def register(self, item):\n        {}[item.__name__] = item\n        return item\n\n\nMODELS = Registry()"
)
_OWN_TABLE = "class Registry:\n    def __init__(self):\n        self.table = {}\n\n"
_FACTORY = (
    _OWN_TABLE + "    def register(self, name=None):\n        def keep(item):\n"
    "            self.table[name or item.__name__] = item\n            return item\n        return keep\n\n\n"
    "MODELS = Registry()"
)
REGISTRIES = {
    "function": Registry(
        "TABLE = {}\ndef keep(c):\n    TABLE[c.__name__] = c\n    return c", "@keep", 'TABLE["Net"]()'
    ),
    "lambda": Registry("TABLE = {}\nkeep = lambda c: TABLE.setdefault(c.__name__, c)", "@keep", 'TABLE["Net"]()'),
    "method": Registry(_OWN_TABLE + _METHOD.format("self.table"), "@MODELS.register", 'MODELS.table["Net"]()'),
    "method-of-a-dictionary": Registry(
        "class Registry(dict):\n" + _METHOD.format("self"), "@MODELS.register", 'MODELS["Net"]()'
    ),
    "method-that-makes-the-decorator": Registry(_FACTORY, '@MODELS.register("net")', 'MODELS.table["net"]()'),
    "class-method": Registry(
        "class Registry:\n    table = {}\n    @classmethod\n    def keep(cls, item):\n"
        "        cls.table[item.__name__] = item\n        return item",
        "@Registry.keep",
        'Registry.table["Net"]()',
    ),
    "object-that-is-called": Registry(
        _OWN_TABLE
        + "    def __call__(self, item):\n        self.table[item.__name__] = item\n        return item\n\n\n"
        "keep = Registry()",
        "@keep",
        'keep.table["Net"]()',
    ),
    "partial": Registry(
        "TABLE = {}\ndef keep(name, item):\n    TABLE[name] = item\n    return item",
        '@functools.partial(keep, "net")',
        'TABLE["net"]()',
    ),
    "optional-arguments": Registry(
        "TABLE = {}\ndef keep(item=None, *, name=None):\n    if item is None:\n"
        "        return functools.partial(keep, name=name)\n    TABLE[name] = item\n    return item",
        '@keep(name="net")',
        'TABLE["net"]()',
    ),
    "packed-arguments": Registry(
        "TABLE = {}\ndef keep(*items):\n    TABLE[items[0].__name__] = items[0]\n    return items[0]",
        "@keep",
        'TABLE["Net"]()',
    ),
    "object-of-a-class": Registry(
        "class Entry:\n    table = {}\n    def __init__(self, item):\n        self.item = item\n"
        "        Entry.table[item.__name__] = self\n    def make(self):\n        return self.item()",
        "@Entry",
        'Entry.table["Net"].make()',
    ),
    "second-of-two": Registry(
        "TABLE = {}\ndef keep(c):\n    TABLE[c.__name__] = c\n    return c\ndef mark(c):\n    c.kind = 1\n    return c",
        "@keep\n@mark",
        'TABLE["Net"]()',
    ),
    "function-by-a-method": Registry(
        _OWN_TABLE + _METHOD.format("self.table"),
        "",
        'MODELS.table["net"]()',
        "@MODELS.register\ndef net():\n    return Net()",
    ),
    "function-by-a-made-decorator": Registry(
        _FACTORY, "", 'MODELS.table["small"]()', '@MODELS.register("small")\ndef net():\n    return Net()'
    ),
    "function-by-a-class": Registry(
        "class Entry:\n    table = {}\n    def __init__(self, function):\n        self.function = function\n"
        "        Entry.table[function.__name__] = self\n    def __call__(self):\n        return self.function()",
        "",
        'Entry.table["net"]()',
        "@Entry\ndef net():\n    return Net()",
    ),
}


def _is_fixed(registry: Registry, use: str) -> bool:
    source = SOURCE.format(
        net=NET, registry=registry.text, decorator=registry.decorator, made=registry.made, after=registry.after, use=use
    )
    return is_fixed(source)


@pytest.mark.parametrize("registry", REGISTRIES.values(), ids=REGISTRIES.keys())
def test_a_model_of_a_registry_whose_modules_get_hooks_stays(registry: Registry) -> None:
    assert not _is_fixed(registry, "[m.register_forward_hook(print) for m in net.modules()]")


@pytest.mark.parametrize("registry", REGISTRIES.values(), ids=REGISTRIES.keys())
def test_a_model_of_a_registry_that_only_runs_is_fixed(registry: Registry) -> None:
    assert _is_fixed(registry, "net.fc")
