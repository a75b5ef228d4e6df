"""Values that hold no module, beside code of the same kind that does hold one."""

from __future__ import annotations

from pathlib import Path

import pytest

from qprep.analysis.values.abstract_values import ClassRef
from tests.analysis.effects.small_projects import names_of, probed, table_of

BASE = """\
import copy
import enum
import inspect
import itertools
from functools import wraps


class Base(nn.Module):
    def __init__(self, name=None, value=None):
        super().__init__()
        self.label = name
        self.value = value


class Holder(Base):
    def __init__(self, first, second):
        super().__init__(name="{} and {}".format(first, second))
        self.parts = nn.ModuleList([first, second])


"""

GIVEN = """\
class Named(nn.Module):
    def __init__(self, name=DEFAULT):
        super().__init__()
        STORE


first = Named()
second = Named(Net())


def look(each: Named):
    probe(each.name)


look(second)
"""


@pytest.mark.parametrize("default", ["''", "0", "1.5", "None", "False", "()"])
@pytest.mark.parametrize(
    "store",
    ["self.name = name", "self.name: object = name", "self.name, self.more = name, name", "self.name = name or 1"],
)
def test_a_default_does_not_say_what_other_callers_give(default: str, store: str, tmp_path: Path) -> None:
    code = GIVEN.replace("DEFAULT", default).replace("STORE", store)
    assert "Net" in names_of(probed(table_of(tmp_path, BASE + code)))


@pytest.mark.parametrize("call", ["Named(held)", "Named(name=table['net'])", "functools.partial(Named, Net())()"])
def test_an_argument_may_be_named_or_bound(call: str, tmp_path: Path) -> None:
    code = GIVEN.replace("DEFAULT", "False").replace("STORE", "self.name = name").replace("Named(Net())", call)
    head = "import functools\n\nheld = Net()\ntable = {'net': held}\n\n\n"
    assert "Net" in names_of(probed(table_of(tmp_path, BASE + head + code)))


@pytest.mark.parametrize(("argument", "is_kept"), [("2", False), ("Net()", True)])
def test_a_class_that_is_bound_to_arguments_is_none_of_them(argument: str, is_kept: bool, tmp_path: Path) -> None:
    code = GIVEN.replace("DEFAULT", "False").replace("STORE", "self.name = name")
    code = code.replace("Named(Net())", f"functools.partial(Named, {argument})()")
    table = table_of(tmp_path, BASE + "import functools\n\n\n" + code)
    assert table.points_to.may_keep(ClassRef("model", "Named"), "name") is is_kept


# By name: code that gives `probe` no module, the change of it that does, and the module.
PAIRS = {
    "super": (
        "Holder(Net(), nn.Tanh())\nclass More(Base):\n    def look(self): probe(self.value)\n",
        ("super().__init__(name=", "super().__init__(value=first, name="),
        "Net",
    ),
    "own constructor": (
        (
            "class Two(Base):\n    def __init__(self, left): super().__init__()\n"
            "class Look(Base):\n    def look(self): probe(self.label)\nTwo(Net())\n"
        ),
        ("    def __init__(self, left): super().__init__()\n", "    pass\n"),
        "Net",
    ),
    "text": (
        'def show(name): probe(name)\nshow("{} of {}".format("layer", Net()))\n',
        ('"{} of {}".format("layer", Net())', "Net()"),
        "Net",
    ),
    "wrapped method": (
        (
            "def logged(method):\n    @wraps(method)\n    def run(self, *args):\n        return method(self, *args)\n"
            "    return run\n"
            "class Look(Net):\n    @logged\n    def look(self, name): probe(name)\nLook().look('a')\n"
        ),
        ("method(self, *args)", "method(self, self)"),
        "Look",
    ),
    "class given to a question": (
        (
            "class Look(Net):\n    def __init__(self, flag=False):\n        super().__init__()\n        probe(flag)\n"
            "inspect.getsource(Look)\n"
        ),
        ("inspect.getsource(Look)", "Look(Net())"),
        "Net",
    ),
    "number": (
        "def pad(size):\n    if isinstance(size, (int, float)):\n        probe(size)\npad(1)\npad(Net())\n",
        ("(int, float)", "nn.Module"),
        "Net",
    ),
    "list that is tested": (
        "def pad(size):\n    if isinstance(size, (int, str)):\n        probe(size)\npad([Net()])\n",
        ("(int, str)", "(int, list)"),
        "Net",
    ),
    "number of an unread class": (
        (
            "from other import Body\nclass Deep(Body):\n    def __init__(self): self.own = Net()\n"
            "def pad(size):\n    if isinstance(size, (int, float)):\n        probe(size)\npad(1)\npad(Deep())\n"
        ),
        ("(int, float)", "Body"),
        "Deep",
    ),
    "member": (
        "class Mode(enum.Enum):\n    ONE = 1\nMode(Net())\nprobe(Mode.ONE)\n",
        ("enum.Enum", "tuple"),
        "Net",
    ),
    "attribute of another class": (
        (
            "class A(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.parts = []\n"
            "    def fill(self): self.parts.append(Net())\n"
            "class B(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.parts = []\n"
            "    def look(self): probe(self.parts)\nA().fill()\n"
        ),
        ("class B(nn.Module)", "class B(A)"),
        "Net",
    ),
    "module without items": (
        "def look(m):\n    for part in m:\n        probe(part)\nlook(Net())\n",
        ("look(Net())", "look(nn.Sequential(Net()))"),
        "below Net",
    ),
    "products": (
        "def make(n): return Net()\nfor one, two in itertools.product([make], [1]):\n    probe(two)\n",
        ("itertools.product([make], [1])", "itertools.starmap(make, [1])"),
        "Net",
    ),
    "missing attribute": (
        "def look(m):\n    probe(m.partition('/'))\nlook(Net())\n",
        ("partition('/')", "eval()"),
        "Net",
    ),
}


@pytest.mark.parametrize(("code", "change", "module"), PAIRS.values(), ids=PAIRS.keys())
def test_no_module_goes_there(code: str, change: tuple[str, str], module: str, tmp_path: Path) -> None:
    whole = BASE + code
    assert whole.count(change[0]) >= 1
    for text, is_there in ((whole, False), (whole.replace(*change), True)):
        folder = tmp_path / str(is_there)
        folder.mkdir()
        assert (module in names_of(probed(table_of(folder, text)))) is is_there, text


AROUND = {
    "data parallel": "s = nn.DataParallel(Net())\nprobe(s.module)\n",
    "compiled": "s = torch.compile(Net())\nprobe(s._orig_mod)\n",
    "engine": "import engine\ns = engine.initialize(Net())\nprobe(s.module)\n",
    "parts": "import engine\nfor part in engine.split(Net()):\n    probe(part)\n",
    "memo": "import copy\nmemo = {}\nn = Net()\ncopy.deepcopy(n, memo)\nprobe(memo[id(n.act)])\n",
}


@pytest.mark.parametrize("code", AROUND.values(), ids=AROUND.keys())
def test_what_other_code_makes_of_a_module_may_hold_it(code: str, tmp_path: Path) -> None:
    found = names_of(probed(table_of(tmp_path, code)))
    assert found & {"Net", "below Net"}


@pytest.mark.parametrize("layers", ["nn.ModuleList([Net()]).children()", "held.parts", "nn.Sequential(Net())"])
@pytest.mark.parametrize(("holder", "is_reached"), [("argparse.ArgumentParser", False), ("other.Parser", True)])
def test_a_layer_is_no_object_of_a_class_of_python(layers: str, holder: str, is_reached: bool, tmp_path: Path) -> None:
    code = f"held = Holder(Net(), nn.Tanh())\nfor layer in {layers}:\n    layer.last = Net()\nprobe(layer)\n"
    table = table_of(tmp_path, BASE + code)
    assert ("Net" in names_of(table.points_to.set_from_outside(holder))) is is_reached
