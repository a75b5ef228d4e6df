"""Texts that name the modules of a model: code that uses one sees new modules, and what people read does not count."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.effects.effect_kinds import EffectKind
from qprep.analysis.values.abstract_values import ClassRef
from tests.analysis.effects.small_projects import table_of

_IMPORTS = """\
import builtins
import dataclasses
import functools
import io
import json
import logging
import operator
import pprint
import reprlib
import string
import sys
import types
import typing
import warnings

LINES = []
logger = logging.getLogger(__name__)


"""
_PLAIN = "class Holder:\n    def __init__(self, model):\n        self.model = model\n\n\n"
_DATA = "@dataclasses.dataclass\nclass Holder:\n    model: nn.Module\n    rate: float = 0.1\n\n\n"
_KEYED = (
    "@dataclasses.dataclass\nclass Base:\n    def key(self):\n        return hash(repr(self))\n\n\n"
    "@dataclasses.dataclass\nclass Holder(Base):\n    model: nn.Module\n\n\n"
)
_TUPLE = "class Holder(typing.NamedTuple):\n    model: nn.Module\n\n\n"
_TEXT = "class Holder:\n    def __init__(self, model):\n        self.model = model\n\n"
_LOG = "def log(text):\n    LINES.append(text)\n\n\n"
_LOGGER = "class Log:\n    def info(self, text):\n        LINES.append(text)\n\n\n"
_CALLABLE = "class Warn:\n    def __call__(self, text):\n        LINES.append(text)\n\n\n"
_OWN = "class Own(Net):\n    def __repr__(self):\n"
_SAY = "def say(text, end='.'):\n    message = text + end\n    print(message)\n\n\n"
_DEEP = "def show(text):\n    say(f'{text}', end='')\n\n\n"
_PARSER = "import argparse\nimport other\n\nparser = argparse.ArgumentParser('a')\n"
_DESCRIBE = "def describe(model):\n    return f'a model: {model}'\n\n\n"
_REPR = "def show(model):\n    parts = []\n    for name in ('act', 'drop'):\n"
_REPR += "        parts.append(f'{name}={getattr(model, name)}')\n    return ', '.join(parts)\n\n\n"
_SHOWING = _REPR + "class Shown(Net):\n    def __repr__(self):\n        return show(self)\n\n\n"
_INNER = "class Inner:\n    def __init__(self, part):\n        self.part = part\n\n"
_INNER += "    def __str__(self):\n        return f'of {self.part}'\n\n\n"
_OUTER = "class Outer:\n    def __init__(self, inner):\n        self.inner = inner\n\n"
_OUTER += "    def __repr__(self):\n        return f'in {self.inner}'\n\n\nouter = Outer(Inner(net))\n"

USED = {
    "list-of-texts": "texts = []\ntexts.append(f'{net}')\nlen(texts[0])",
    "list-of-texts-of-a-function": "def f(x):\n    texts = []\n    texts.append(str(x))\n    return len(texts[0])\n\n"
    "f(net)",
    "list-of-texts-of-a-caller": "def f(x, texts):\n    texts.append(str(x))\n\nmine = []\nf(net, mine)\nlen(mine[0])",
    "list-of-texts-given-away": "def f(x):\n    texts = []\n    texts.append(str(x))\n    LINES.extend(texts)\n\n"
    "f(net)",
    "list-of-texts-that-is-another": "def f(x):\n    texts = LINES\n    texts.append(str(x))\n\nf(net)",
    "list-of-texts-of-two-names": "def f(x):\n    one = two = []\n    one.append(str(x))\n    return len(two[0])\n\n"
    "f(net)",
    "list-of-texts-of-an-expression": "def f(x):\n    LINES.append(texts := [])\n    texts.append(str(x))\n\nf(net)",
    "own-text-by-a-function": _SHOWING + "len(repr(Shown()))",
    "own-text-by-a-function-of-a-subclass": _SHOWING + "class Last(Shown):\n    pass\n\nlen(f'{Last()}')",
    "own-text-by-a-function-below-another": _SHOWING + "len(str(nn.Sequential(Shown(), net)))",
    "own-text-of-an-inner-object": _INNER + _OUTER + "len(repr(outer))",
    "own-text-of-an-inner-object-alone": _INNER + _OUTER + "len(str(outer.inner))",
    "template-in-a-variable": 'form = "model: {}"\nlen(form.format(net))',
    "template-in-a-variable-by-key": 'form = "{m}"\nlen(form.format_map({"m": net}))',
    "percent-in-a-variable": 'form = "%s"\nlen(form % net)',
    "percent-of-a-tuple-in-a-variable": 'form = "%d %s"\nlen(form % (1, net))',
    "percent-of-a-table": 'forms = {"a": "%s"}\nlen(forms["a"] % net)',
    "percent-of-an-attribute": "class Form:\n    text = '%s'\nlen(Form.text % net)",
    "percent-of-a-parameter": "def f(form, x):\n    return len(form % x)\nf('%s', net)",
    "percent-of-a-sum": "head = 'a '\nlen((head + '%s') % net)",
    "percent-of-a-result": "def form():\n    return '%s'\nlen(form() % net)",
    "template-object": 'len(string.Template("$m").substitute(m=net))',
    "qualified": "len(builtins.repr(net))",
    "imported-as": "from builtins import repr as to_text\nlen(to_text(net))",
    "in-a-variable": "to_text = repr\nlen(to_text(net))",
    "in-a-parameter": "def f(x, to_text=str):\n    return len(to_text(x))\nf(net)",
    "given-to-a-function": "def f(x, to_text):\n    return len(to_text(x))\nf(net, ascii)",
    "in-an-attribute": "class Form: pass\nform = Form()\nform.show = repr\nlen(form.show(net))",
    "reprlib": "len(reprlib.Repr().repr(net))",
    "in-a-namespace": "form = types.SimpleNamespace(show=repr)\nlen(form.show(net))",
    "in-a-table": 'forms = {"r": repr}\nlen(forms["r"](net))',
    "in-a-list": "value = net\nfor f in [str, len]:\n    value = f(value)\nprint(value)",
    "partial-repr": "to_text = functools.partial(repr)\nlen(to_text(net))",
    "partial-print": "say = functools.partial(print, file=io.StringIO())\nsay(net)",
    "mapped-method": 'len(next(map(operator.methodcaller("__str__"), [net])))',
    "item-of-a-table": 'nets = {"a": net}\nlen(repr(nets.get("a")))',
    "values-of-a-table": 'len(str({"a": net}.values()))',
    "of-the-class": "len(nn.Module.__repr__(net))",
    "of-its-class": "len(type(net).__repr__(net))",
    "methodcaller": 'len(operator.methodcaller("__repr__")(net))',
    "getattr": 'len(getattr(net, "__str__")())',
    "converter": 'len(json.dumps({"m": net}, default=str))',
    "converter-of-a-class": 'len(json.dumps({"m": net}, default=nn.Module.__repr__))',
    "sort-key": "best = max([net, nn.Linear(4, 4)], key=repr)\nbest.eval()",
    "method-with-a-key": "nets = [net, nn.Tanh()]\nnets.sort(key=repr)",
    "dataclass": _DATA + "len(repr(Holder(net)))",
    "dataclass-inside-another": _DATA + "hash(str(Holder(Holder(net))))",
    "dataclass-of-a-subclass": _KEYED + "Holder(net).key()",
    "as-a-dictionary": _DATA + "len(str(dataclasses.asdict(Holder(net))))",
    "its-variables": _PLAIN + "len(str(vars(Holder(net))))",
    "its-table": _PLAIN + "len(f'{Holder(net).__dict__}')",
    "its-items": _PLAIN + "for k, v in vars(Holder(net)).items():\n    hash(f'{k}={v}')",
    "copy": "import copy\nlen(repr(copy.deepcopy(net)))",
    "pickle": "import pickle\nlen(repr(pickle.loads(pickle.dumps(net))))",
    "submodule": 'len(repr(nn.Sequential(net).get_submodule("0")))',
    "named-tuple": _TUPLE + "len(f'{Holder(net)}')",
    "text-of-a-holder": _TEXT + "    def __repr__(self):\n        return f'of {self.model}'\n\nlen(str(Holder(net)))",
    "text-of-a-holder-in-another": _TEXT
    + "    def __repr__(self):\n        return f'of {self.model}'\n\n"
    + "@dataclasses.dataclass\nclass Run:\n    of: Holder\n\nlen(repr(Run(Holder(net))))",
    "namespace": "len(repr(types.SimpleNamespace(model=net)))",
    "namespace-set-later": "space = types.SimpleNamespace()\nspace.model = net\nlen(repr(space))",
    "partial-function": "len(repr(functools.partial(print, net)))",
    "bound-method": "len(repr(net.forward))",
    "bound-method-in-a-key": "LINES.append(f'{net.forward}')",
    "base-text": _OWN + "        return str(len(super().__repr__()))\n\nhash(repr(Own()))",
    "base-text-by-its-class": _OWN + "        return str(len(Net.__repr__(self)))\n\nhash(repr(Own()))",
    "own-log": _LOG + "log(f'{net}')",
    "own-logger": _LOGGER + "Log().info(f'{net}')",
    "own-callable": _CALLABLE + "warn = Warn()\nwarn(str(net))",
    "own-log-in-a-variable": "log = LINES.append\nlog(f'{net}')",
    "own-log-of-a-log": _LOG + "def show(text):\n    log(text)\n\nshow(f'{net}')",
    "own-log-in-a-namespace": "log = types.SimpleNamespace(info=LINES.append)\nlog.info(str(net))",
    "own-log-set-on-a-namespace": "log = types.SimpleNamespace()\nlog.info = LINES.append\nlog.info(str(net))",
    "own-log-set-on-an-object": "class Log:\n    def __init__(self, sink):\n        self.warning = sink\n\n\n"
    "Log(LINES.append).warning(f'{net}')",
    "own-log-of-a-class-body": "class Log:\n    info = LINES.append\n\n\nLog.info(str(net))",
    "own-log-set-on-a-logger": "class Log(logging.Logger):\n    pass\n\n\nlog = Log('a')\nlog.info = LINES.append\n"
    "log.info(str(net))",
    "own-log-set-on-an-object-of-a-package": "log = logging.Logger('a')\nlog.info = LINES.append\nlog.info(str(net))",
    "own-log-set-in-a-constructor": "class Log(logging.Logger):\n    def __init__(self, sink):\n"
    "        super().__init__('a')\n        self.info = sink\n\n\nLog(LINES.append).info(str(net))",
    "own-log-set-by-name": "setattr(logger, 'info', LINES.append)\nlogger.info(str(net))",
    "own-log-set-on-a-result-of-a-package": "logger.info = LINES.append\nlogger.info(str(net))",
    "own-log-set-on-a-parser": _PARSER + "parser.info = LINES.append\nparser.info(str(net))",
    "own-log-set-on-a-parser-by-name": _PARSER + "setattr(parser, 'info', LINES.append)\nparser.info(str(net))",
    "own-log-in-the-settings": _PARSER + "log = argparse.Namespace(info=LINES.append)\nlog.info(str(net))",
    "own-log-of-a-parser-of-a-package": _PARSER
    + "parser.info = LINES.append\nlog = other.make_log(parser)\nlog.info(str(net))",
    "returned": _DESCRIBE + "len(describe(net))",
    "returned-in-one-place": _DESCRIBE + "print(describe(net))\nlen(describe(net))",
    "to-a-file": "print(net, file=open('net.txt', 'w'))",
    "written-to-a-stream": "io.StringIO().write(f'{net}')",
    "to-a-stream": "pprint.pprint(net, stream=io.StringIO())",
    "names": "sorted(net.__dir__())",
    "names-by-the-class": "sorted(object.__dir__(net))",
}
SHOWN = {
    "by-a-logger-that-a-package-makes-of-a-parser": _PARSER + "log = other.make_log(parser)\nlog.info(str(net))",
    "by-a-logger-of-settings": _PARSER
    + "log = other.make_log(other.settings(parser, 'a'), rank=0)\nlog.info(str(net))",
    "list-of-texts-printed": "def f(x):\n    texts = []\n    texts.append(str(x))\n    print(', '.join(texts))\n\n"
    "f(net)",
    "own-text-by-a-function-printed": _SHOWING + "print(Shown())",
    "own-text-by-a-function-that-nobody-describes": _SHOWING + "Shown().act",
    "own-text-of-an-inner-object-printed": _INNER + _OUTER + "print(outer)",
    "own-text-of-an-inner-object-that-nobody-describes": _INNER + _OUTER + "outer.inner",
    "printed": "print(f'{net}')",
    "printed-by-a-variable": "say = print\nsay(f'{net}')",
    "printed-on-the-console": "print(repr(net), file=sys.stderr)",
    "written-to-the-console": "sys.stdout.write(f'{net}')",
    "printed-as-a-parameter": "def f(x, say=print):\n    say(f'{x}')\nf(net)",
    "printed-by-a-partial": "say = functools.partial(print, end='')\nsay(f'{net}')",
    "logged": "logger.info(f'{net}')\nlogger.warning('%s' % net)",
    "logged-by-a-variable": "warn = logger.warning\nwarn(f'{net}')",
    "warned": "warnings.warn(str(net))",
    "by-an-own-function": _SAY + "say(f'{net}')",
    "by-own-functions": _SAY + _DEEP + "show(repr(net))",
    "by-an-own-method": "class Log:\n    def info(self, text):\n        print(text)\n\nLog().info(f'{net}')",
    "by-a-logger-of-a-package": "logging.Logger('a').info(f'{net}')",
    "beside-an-attribute-of-this-name": "class Row:\n    def __init__(self):\n        self.info = 1\n\n\n"
    "logger.info(f'{net}')",
    "by-a-method-of-a-base": "class Log(logging.Logger):\n    pass\n\n\nLog('a').info(f'{net}')",
    "returned-and-printed": _DESCRIBE + "print(describe(net))\nlogger.info(describe(net))",
    "returned-to-nobody": _DESCRIBE + "describe(net)",
    "raised": "if not net.training:\n    raise ValueError(f'wrong: {net}')",
    "asserted": "assert net.training, f'wrong: {net}'",
    "dataclass-printed": _DATA + "print(Holder(net))",
    "holder-without-a-text": _PLAIN + "len(repr(Holder(net)))",
    "holder-that-nobody-describes": _TEXT
    + "    def __repr__(self):\n        return f'of {self.model}'\n\nlen(Holder(net).model._get_name())",
    "field-of-a-dataclass": _DATA + "len(repr(Holder(model=net).rate))",
    "number": "len(f'{net.training}')",
    "class": "len(type(net).__name__)",
    "function-of-a-class": "len(f'{Net.forward}')",
    "test-of-a-class": "isinstance(net, str)",
    "own-method-of-a-template": "class Form:\n    def format(self, x):\n        return x\n\nForm().format(net).eval()",
    "remainder": "steps = 3\nsteps % 2",
    "remainder-of-a-tensor": "places = torch.arange(3)[0]\nsize = net\nplaces % size",
}


def _reaches_new_children(folder: Path, code: str) -> bool:
    table = table_of(folder, _IMPORTS + "net = Net()\n" + code + "\n")
    found = table.children.on_child({ClassRef("model", "Net")}, "qprep.runtime_modules.EltwiseAdd")
    return any(effect.kind is EffectKind.EXPOSE for effect in found)


@pytest.mark.parametrize("code", USED.values(), ids=USED.keys())
def test_code_that_uses_a_text_of_a_model_sees_its_new_modules(code: str, tmp_path: Path) -> None:
    assert _reaches_new_children(tmp_path, code)


@pytest.mark.parametrize("code", SHOWN.values(), ids=SHOWN.keys())
def test_a_text_that_people_read_or_that_names_no_module_is_no_use(code: str, tmp_path: Path) -> None:
    assert not _reaches_new_children(tmp_path, code)
