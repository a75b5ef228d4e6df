"""Callbacks that code finds by a computed name, in a table or by their class: what they do to a model is seen."""

from __future__ import annotations

import pytest

from tests.rewrite.added_module import NET, is_fixed

HEAD = f"import collections\nimport typing\nfrom torch import nn\n\n\n{NET}\n\n"
CALLBACK = """\
class Callback:
    def on_start(self, model):
        {look}

    def on_end(self, model):
        pass


"""
RUNNER = "class Runner:\n    def __init__(self, *callbacks):\n        self.callbacks = callbacks\n\n"
BUS = "class Bus:\n    def __init__(self):\n        self.table = {table}\n\n"
CODE = {
    "text": 'event = "start"\ngetattr(Callback(), "on_" + event)(Net())',
    "formatted": RUNNER + "    def call(self, event, model):\n        for each in self.callbacks:\n"
    '            getattr(each, f"on_{event}")(model)\n\n\nRunner(Callback()).call("start", Net())',
    "parameter": RUNNER + "    def call(self, name, *given):\n        for each in self.callbacks:\n"
    '            getattr(each, name)(*given)\n\n\nRunner(Callback()).call("on_start", Net())',
    "keywords": RUNNER + "    def call(self, name, **given):\n        for each in self.callbacks:\n"
    '            getattr(each, name)(**given)\n\n\nRunner(Callback()).call("on_start", model=Net())',
    "with-a-default": RUNNER + "    def call(self, name, model):\n        for each in self.callbacks:\n"
    "            method = getattr(each, name, None)\n            if callable(method):\n"
    '                method(model)\n\n\nRunner(Callback()).call("on_start", Net())',
    "loop-over-names": 'for event in ("start", "end"):\n    getattr(Callback(), "on_" + event)(Net())',
    "method-of-a-subclass": "class Base:\n    def fire(self, event, model):\n"
    '        return getattr(self, f"on_{event}")(model)\n\n\nclass Own(Base, Callback):\n    pass\n\n\n'
    'Own().fire("start", Net())',
    "list-in-a-dictionary": BUS.format(table="collections.defaultdict(list)")
    + "    def on(self, event, run):\n        self.table[event].append(run)\n\n"
    "    def fire(self, event, model):\n        for run in self.table[event]:\n            run(model)\n\n\n"
    'bus = Bus()\nbus.on("start", Callback().on_start)\nbus.fire("start", Net())',
    "default-in-a-dictionary": BUS.format(table="{}")
    + "    def on(self, event, run):\n        self.table.setdefault(event, []).append(run)\n\n"
    "    def fire(self, event, model):\n        for run in self.table[event]:\n            run(model)\n\n\n"
    'bus = Bus()\nbus.on("start", Callback().on_start)\nbus.fire("start", Net())',
    "dictionary-in-a-dictionary": "TABLE = collections.defaultdict(dict)\n"
    'TABLE["a"]["b"] = Callback().on_start\nTABLE["a"]["b"](Net())',
    "attribute-by-a-keyword": "import types\n\ntable = types.SimpleNamespace(run=lambda m: Callback().on_start(m))\n"
    "table.run(Net())",
    "class-that-lists-its-subclasses": "class Listed:\n    every = []\n\n"
    "    def __init_subclass__(cls, **given):\n"
    "        super().__init_subclass__(**given)\n        Listed.every.append(cls)\n\n\n"
    "class Own(Net, Listed):\n    pass\n\n\nfor kind in Listed.every:\n    Callback().on_start(kind())",
    "copy-of-a-tuple": "class State(typing.NamedTuple):\n    model: nn.Module\n    step: int = 0\n\n\n"
    "Callback().on_start(State(Net())._replace(step=1).model)",
}


def _is_fixed(code: str, look: str) -> bool:
    return is_fixed(HEAD + CALLBACK.format(look=look) + code + "\n")


@pytest.mark.parametrize("code", CODE.values(), ids=CODE.keys())
def test_a_callback_that_gives_each_module_a_hook_forbids_the_fix(code: str) -> None:
    assert not _is_fixed(code, "[part.register_forward_hook(print) for part in model.modules()]")


@pytest.mark.parametrize("code", CODE.values(), ids=CODE.keys())
def test_a_callback_that_only_reads_a_layer_leaves_the_fix_safe(code: str) -> None:
    assert _is_fixed(code, "return model.fc.in_features")


def test_a_method_of_another_name_is_not_the_callback() -> None:
    code = 'event = "end"\ngetattr(Callback(), "on_end" + "")(Net())'
    assert _is_fixed(code, "[part.register_forward_hook(print) for part in model.modules()]")


APPLIED = {
    "partial": "model.apply(functools.partial(keep, model))",
    "partial-in-a-variable": "run = functools.partial(keep, model)\n    model.apply(run)",
    "partial-of-a-partial": "model.apply(functools.partial(functools.partial(keep), model))",
}


def _is_applied(use: str, keep: str) -> bool:
    code = f"import functools\n\n\ndef keep(model, part):\n    {keep}\n\n\ndef use(model):\n    {use}\n\n\nuse(Net())\n"
    return is_fixed(HEAD + code)


@pytest.mark.parametrize("use", APPLIED.values(), ids=APPLIED.keys())
def test_what_a_partial_gives_in_front_is_not_the_module_that_a_function_is_applied_to(use: str) -> None:
    assert not _is_applied(use, "model.parts = getattr(model, 'parts', 0) + 1")
    assert _is_applied(use, "part.seen = True")
