"""Results of `eval`: the objects that the text can name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.effects.small_projects import names_of, probed, table_of

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
