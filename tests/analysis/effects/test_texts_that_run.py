"""Results of `eval`: the objects that the text can name."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.effects.effect_kinds import EffectKind
from tests.analysis.effects.small_projects import names_of, probed, table_of, targets

USE = "from words import read\n\nprobe(read('words.txt'))\nread(Net())\n"
WORDS = """\
import os


class Words:
    def __init__(self, first):
        self.first = first


def read(path):
    with open(path) as file:
        BODY
"""
OF_NOTHING = {
    "line": "return [eval(line) for line in file]",
    "loop": "found = []\n        for line in file:\n            found.append(eval(line))\n        return found",
    "kept": "word = eval(file.read())\n        return word.encode()",
    "tables": "return eval(file.read(), {}, {})",
    "builtins": "return eval(file.read(), {'__builtins__': {}})",
}
OF_MODULES = {
    "import": ("import os", "from torch import nn"),
    "star": ("import os", "from torch.nn import *"),
    "own file": ("import os", "import model"),
    "argument": ("eval(file.read())", "eval(file.read(), {'net': path})"),
    "keyword": ("eval(file.read())", "eval(file.read(), locals={'net': path})"),
    "variable": ("import os", "from model import Net\n\nnet = Net()"),
    "function": ("import os", "from model import make\n\n\ndef build():\n    return make()"),
}


@pytest.mark.parametrize("body", OF_NOTHING.values(), ids=OF_NOTHING.keys())
def test_a_text_of_a_file_without_modules_names_none(body: str, tmp_path: Path) -> None:
    words = WORDS.replace("BODY", body)
    code = USE.replace("\nread(Net())", "\nNet()")
    names = names_of(probed(table_of(tmp_path, code, {"words.py": words})))
    assert names.isdisjoint(("Net", "Anything")), names


@pytest.mark.parametrize(("old", "new"), OF_MODULES.values(), ids=OF_MODULES.keys())
def test_a_text_that_can_name_modules_may_be_one(old: str, new: str, tmp_path: Path) -> None:
    words = WORDS.replace("BODY", "return eval(file.read())")
    assert old in words
    code = f"def make():\n    return Net()\n\n\n{USE}"
    names = names_of(probed(table_of(tmp_path, code, {"words.py": words.replace(old, new)})))
    assert not names.isdisjoint(("Net", "Anything")), names


BEFORE_THE_MODEL = {
    "plain": "TEXT\nnet = Net()\n",
    "branch": "if width:\n    TEXT\nnet = Net()\nbest = net\n",
    "names": "names = [k for k, v in globals().items() if isinstance(v, int)]\nTEXT\nnet = Net()\n",
    "keys": "names = [k for k in sorted(globals())]\nnames += [k for k in vars().keys()]\nTEXT\nnet = Net()\n",
    "same name": "names = [k for k in globals()]\nTEXT\nnet = Net()\nfor k in [net]:\n    k.eval()\n",
    "text": "TEXT\nnet = torch.load(width)\nnet['net'] = Net()\nnet = Net()\n",
    "function": "def main():\n    TEXT\n    net = Net()\n    return net\nmain()\n",
}
BESIDE_THE_MODEL = {
    "behind": "net = Net()\nTEXT\n",
    "loop": "for step in range(2):\n    TEXT\n    net = Net()\n",
    "while": "while width:\n    TEXT\n    net = Net()\n",
    "list": "parts = [Net()]\nTEXT\n",
    "global": "def make():\n    global net\n    net = Net()\nmake()\nTEXT\n",
    "later call": "def run():\n    TEXT\nnet = Net()\nrun()\n",
    "parameter": "def run(net):\n    TEXT\nrun(Net())\n",
    "star": "first, *rest = 'ab'\nrest.append(Net())\nTEXT\n",
    "values": "held = [v for k, v in globals().items()]\nTEXT\nnet = Net()\n",
}
TEXTS = ("exec(open('settings.py').read())", "exec(text, globals())", "exec(text, globals(), locals())")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("code", BEFORE_THE_MODEL.values(), ids=BEFORE_THE_MODEL.keys())
def test_a_text_that_runs_before_a_model_is_made_changes_none(code: str, text: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, "width = 'out'\ntext = 'x'\n" + code.replace("TEXT", text))
    assert targets(table, EffectKind.SET) == set()


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("code", BESIDE_THE_MODEL.values(), ids=BESIDE_THE_MODEL.keys())
def test_a_text_that_may_see_a_model_may_change_it(code: str, text: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, "width = 'out'\ntext = 'x'\n" + code.replace("TEXT", text))
    assert {name for name in targets(table, EffectKind.SET) if "Net" in name}


INSIDE = {
    "list": ("[probe(k) for k in [Net()]]", {"Net"}),
    "filter": ("[1 for k in [Net()] if probe(k)]", {"Net"}),
    "second": ("[1 for i in [nn.ReLU()] for k in [probe(i)]]", {"ReLU"}),
    "inner": ("[[probe(k) for k in [Net()]] for k in [nn.ReLU()]]", {"Net"}),
    "source": ("[[1 for k in [probe(k)]] for k in [nn.ReLU()]]", {"ReLU"}),
    "dictionary": ("{1: probe(k) for k in [Net()]}", {"Net"}),
    "walrus": ("[probe(k := Net()) for i in [1]]", {"Net"}),
}


@pytest.mark.parametrize(("code", "expected"), INSIDE.values(), ids=INSIDE.keys())
def test_the_variable_of_a_comprehension_has_its_items_alone(code: str, expected: set[str], tmp_path: Path) -> None:
    table = table_of(tmp_path, f"{code}\nfor k in [nn.Linear(2, 2)]:\n    k.eval()\n")
    assert {name for name in names_of(probed(table)) if not name.startswith("below")} == expected
