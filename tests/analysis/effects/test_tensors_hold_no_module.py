"""Tensors and numbers are no modules, and hold none; beside each case, code of the same kind that gives a module."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from qprep.foundation.catalogue.module_attributes import VALUES_OF_TENSORS
from tests.analysis.effects.small_projects import names_of, probed, table_of

PICK = """\
import wrap


class Pick(nn.Module):
    def forward(self, x, y=None):
        {body}


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.pick = Pick()

    def forward(self, x):
        probe(self.pick(x))
        return self


Both().forward(Net())
"""

# By name: code that gives `probe` no module, and the change of it that does.
PAIRS = {
    "runtime module": (
        "from qprep.runtime_modules import EltwiseAdd\nadd = EltwiseAdd()\nprobe(add(Net(), 1))\n",
        ("add = EltwiseAdd()", "from elsewhere import add"),
    ),
    "runtime module of a class": (
        (
            "from qprep import runtime_modules\n"
            "class Sum(nn.Module):\n"
            "    def __init__(self, other):\n"
            "        super().__init__()\n"
            "        self.add = runtime_modules.EltwiseAdd()\n"
            "    def forward(self, x):\n"
            "        probe(self.add(x, 1))\n"
            "Sum(lambda left, right: left).forward(Net())\n"
        ),
        ("runtime_modules.EltwiseAdd()", "other"),
    ),
    "second instance": (
        "from qprep.runtime_modules import EltwiseAdd, another\nprobe(EltwiseAdd()(another(Net())))\n",
        ("EltwiseAdd()(another(Net()))", "another(Net())"),
    ),
    "dispatch": (
        "from qprep.runtime_modules import Dispatch, EltwiseAdd\nmade = EltwiseAdd()\nprobe(made(max, Net()))\n",
        ("made = EltwiseAdd()", "made = Dispatch()"),
    ),
    "operation of torch": (
        "shape = [1]\nout = torch.zeros(*shape)\nout[0] += Net()\nprobe(shape)\n",
        ("torch.zeros(*shape)", "list(shape)"),
    ),
    "operation by its own name": (
        "from torch import zeros\nshape = [1]\nout = zeros(shape)\nout[0] = Net()\nprobe(shape)\n",
        ("from torch import zeros", "from elsewhere import zeros"),
    ),
    "operation under another name": (
        "import torch as t\nshape = [1]\nout = t.ones(shape)\nout.fill(Net())\nprobe(shape)\n",
        ("import torch as t", "import elsewhere as t"),
    ),
    "name bound again": (
        "shape = [1]\nout = torch.zeros(shape)\nout[0] = Net()\nprobe(out)\n",
        ("out = torch.zeros(shape)", "out = torch.zeros(shape)\nout = shape"),
    ),
    "list of numbers": (
        "out = torch.zeros(2).clone()\nout[0] = Net()\nprobe(out)\n",
        (".clone()", ".tolist()"),
    ),
    "method of tensors": (
        "import wrap\nx = wrap.wrap(Net())\nprobe(x.mean(dim=1, keepdim=True))\n",
        ("x.mean(", "x.fetch("),
    ),
    "method of tensors that is given a module": (
        "import wrap\nx = wrap.wrap([1])\nprobe(x.select(0, 1))\n",
        ("x.select(0, 1)", "x.select(0, Net())"),
    ),
    "method that the project sets": (
        "import wrap\nx = wrap.wrap(Net())\nprobe(x.select(0))\n",
        ("probe(", "wrap.first.select = len\nprobe("),
    ),
    "method of a class": (
        "class Table:\n    def take(self, i): return Net()\nx = Table()\nprobe(x.mean(0))\n",
        ("x.mean(0)", "x.take(0)"),
    ),
    "computed attribute": (
        "class Table:\n    def other(self, name): return Net().act\nx = Table()\nprobe(x.mean(0))\n",
        ("def other(self, name): return Net().act", "def __getattr__(self, name): return lambda i: Net()"),
    ),
    "value of a tensor": (
        "import wrap\nx = wrap.wrap(Net())\nprobe(x.shape)\n",
        ("x.shape", "x.inner"),
    ),
    "value that the project sets": (
        "import wrap\nx = wrap.wrap(Net())\nprobe(x.device)\n",
        ("probe(", "x.device = x.inner\nprobe("),
    ),
    "partial": (
        "def make(n): return Net()\np = partial(make, 1)\nprobe(p)\n",
        ("probe(p)", "probe(p())"),
    ),
    "argument of a partial": (
        "def make(n): return 1\np = partial(make, 1)\nprobe(p.args)\n",
        ("partial(make, 1)", "partial(make, Net())"),
    ),
    "computes with its parameter": (
        PICK.format(body="return x if self.training else x / 2"),
        ("else x / 2", "else y"),
    ),
    "gives a result": (
        PICK.format(body="x = wrap.run(x)\n        return x"),
        ("x = wrap.run(x)\n", "wrap.run(x)\n"),
    ),
    "gives its parameter in another mode": (
        PICK.format(body="x = wrap.run(x)\n        return x"),
        ("x = wrap.run(x)", "x = x.train().requires_grad_(False)"),
    ),
    "gives its parameter in a mode by a condition": (
        PICK.format(body="x = wrap.run(x)\n        return x"),
        ("x = wrap.run(x)", "x = x.eval() if y is None else wrap.run(x)"),
    ),
    "gives its parameter in a list": (
        PICK.format(body="return [x.shape]"),
        ("[x.shape]", "tuple([x])"),
    ),
    "gives a part of its parameter": (
        PICK.format(body="return self.training"),
        ("return self.training", "return self.training or x.act"),
    ),
}


@pytest.mark.parametrize(("code", "change"), PAIRS.values(), ids=PAIRS.keys())
def test_no_module_goes_there(code: str, change: tuple[str, str], tmp_path: Path) -> None:
    assert code.count(change[0]) >= 1
    for text, is_there in ((code, False), (code.replace(*change), True)):
        folder = tmp_path / str(is_there)
        folder.mkdir()
        assert ("Net" in names_of(probed(table_of(folder, text)))) is is_there, text


CALLED_BY_CLASS = """\
class Maker(nn.Module):
    def __init__(self, first):
        super().__init__()
        probe(first)

    @{decorator}
    def make({parameters}):
        return {result}


maker = Maker.make(1)
maker(Net())
"""


@pytest.mark.parametrize(
    ("decorator", "parameters", "result", "is_there"),
    [
        ("staticmethod", "size", "Maker(size)", False),
        ("staticmethod", "size", "Maker", True),
        ("classmethod", "cls, size", "cls(size)", False),
        ("classmethod", "cls, size", "cls", True),
    ],
)
def test_what_a_method_of_a_class_returns_is_not_that_class(
    decorator: str, parameters: str, result: str, is_there: bool, tmp_path: Path
) -> None:
    code = CALLED_BY_CLASS.format(decorator=decorator, parameters=parameters, result=result)
    assert ("Net" in names_of(probed(table_of(tmp_path, code)))) is is_there


def test_the_values_of_tensors_are_those_of_torch() -> None:
    tensor = torch.zeros(2, 2)
    values = (bool, int, torch.device, torch.dtype, torch.layout, torch.Size)
    own = {name for name in dir(tensor) if not name.startswith("_") and not hasattr(torch.nn.Module, name)}
    known = {name for name in own - {"imag"} if isinstance(getattr(tensor, name), values)}
    assert known >= VALUES_OF_TENSORS
