"""Points-to sets of expressions, by the path of the value."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qprep.analysis.effects import fixpoint, module_definitions
from qprep.analysis.effects.abstract_objects import (
    ANYTHING,
    MANY,
    MAX_CLASSES,
    MAX_OBJECTS,
    Anything,
    Base,
    Below,
    ChildName,
    Instance,
    Made,
    Many,
    Reference,
    References,
    widened,
)
from qprep.analysis.effects.object_tests import ClassTest
from qprep.analysis.places import Place
from qprep.analysis.values.abstract_values import ClassRef
from tests.analysis.effects.small_projects import names_of, probed, table_of

WAYS = {
    "attribute": "probe(Net().act)",
    "local": "net = Net()\nlayer = net.act\nprobe(layer)",
    "second-binding": "layer = None\nlayer = Net().act\nprobe(layer)",
    "positional-argument": "def use(a, b):\n    probe(b)\n\nuse(1, Net().act)",
    "keyword-argument": "def use(a, b=None):\n    probe(b)\n\nuse(1, b=Net().act)",
    "default": "NET = Net()\n\ndef use(layer=NET.act):\n    probe(layer)",
    "return": "def fetch(net):\n    return net.act\n\nprobe(fetch(Net()))",
    "list": "layers = [1, Net().act]\nprobe(layers[1])",
    "unpacked": "first, second = 1, Net().act\nprobe(second)",
    "dict": 'layers = {"a": Net().act}\nprobe(layers["a"])',
    "dict-values": 'layers = {"a": Net().act}\nfor layer in layers.values():\n    probe(layer)',
    "loop": "for layer in [Net().act]:\n    probe(layer)",
    "comprehension": "layers = [net.act for net in [Net()]]\nprobe(layers[0])",
    "closure": "def outer(layer):\n    def inner():\n        probe(layer)\n    return inner\n\nouter(Net().act)()",
    "getattr": 'probe(getattr(Net(), "act"))',
    "attrgetter": 'probe(attrgetter("act")(Net()))',
    "partial": "def use(layer):\n    probe(layer)\n\npartial(use, Net().act)()",
    "decorator": "def same(f):\n    return f\n\n@same\ndef fetch(net):\n    return net.act\n\nprobe(fetch(Net()))",
    "conditional": "probe(Net().act if torch.rand(1) > 0 else None)",
    "or": "probe(None or Net().act)",
    "walrus": "if (layer := Net().act):\n    probe(layer)",
    "lambda": "fetch = lambda net: net.act\nprobe(fetch(Net()))",
    "returned-by-train": "probe(Net().act.train())",
    "other-object": "class Box:\n    pass\n\nbox = Box()\nbox.layer = Net().act\nprobe(box.layer)",
    "method-of-a-mixin": "class Base(nn.Module):\n    def use(self):\n        probe(self.fetch())\n\n"
    "class Mixin:\n    def fetch(self):\n        return Net().act\n\nclass Sub(Base, Mixin):\n    pass",
    "variables-of-a-module": 'import sys\nimport model\nprobe(vars(model)["Net"]().act)',
    "table-of-a-module": 'import model\nprobe(model.__dict__["Net"]().act)',
    "items-of-a-module": "import model\nfor key, cls in vars(model).items():\n    probe(cls().act)",
    "property": "class Sub(Net):\n    @property\n    def own(self):\n        return self.act\n\nprobe(Sub().own)",
}


@pytest.mark.parametrize("code", WAYS.values(), ids=WAYS.keys())
def test_a_module_is_followed(code: str, tmp_path: Path) -> None:
    assert names_of(probed(table_of(tmp_path, code))) & {"ReLU", "Net.act", "Sub.act"}


@pytest.mark.parametrize("call", ["map(use, [net.act])", "net.act.apply(use)", "unknown(use, net.act)"])
def test_a_callback_gets_what_its_caller_is_given(call: str, tmp_path: Path) -> None:
    code = f"from elsewhere import unknown\n\ndef use(layer):\n    probe(layer)\n\nnet = Net()\n{call}\n"
    names = names_of(probed(table_of(tmp_path, code)))
    assert names & {"ReLU", "Net.act", "below ReLU", "below Net.act", "Anything", "Many"}


def test_apply_gives_a_callback_the_modules_below(tmp_path: Path) -> None:
    code = "def use(layer):\n    probe(layer)\n\nNet().apply(use)\n"
    assert {"Net", "below Net"} <= names_of(probed(table_of(tmp_path, code)))


def test_a_function_of_another_file_is_followed(tmp_path: Path) -> None:
    others = {"tools.py": "def fetch(net):\n    return net.act\n"}
    assert "ReLU" in names_of(probed(table_of(tmp_path, "from tools import fetch\nprobe(fetch(Net()))\n", others)))


def test_an_argument_that_another_file_gives_is_followed(tmp_path: Path) -> None:
    others = {"main.py": "from model import Net, use\nuse(Net().act)\n"}
    assert "ReLU" in names_of(probed(table_of(tmp_path, "def use(layer):\n    probe(layer)\n", others)))


def test_a_local_of_another_function_is_another_variable(tmp_path: Path) -> None:
    code = "def one():\n    layer = Net().act\n\ndef other():\n    layer = Net().drop\n    probe(layer)\n"
    assert names_of(probed(table_of(tmp_path, code))) == {"Dropout", "Net.drop"}


def test_a_parameter_called_self_outside_a_class_is_what_is_given(tmp_path: Path) -> None:
    code = "def use(self):\n    probe(self)\n\nuse(Net().act)\n"
    assert "ReLU" in names_of(probed(table_of(tmp_path, code)))


def test_a_class_method_of_a_mixin_makes_an_instance(tmp_path: Path) -> None:
    code = (
        "class Base(Net):\n    @classmethod\n    def load(cls):\n        probe(cls.build())\n\n"
        "class Mixin:\n    @classmethod\n    def build(cls):\n        return cls()\n\n"
        "class Sub(Base, Mixin):\n    pass\n"
    )
    (found,) = {each.base for each in probed(table_of(tmp_path, code))}
    assert isinstance(found, Instance)
    assert found.cls == ClassRef("model", "Mixin")


@pytest.mark.parametrize("more", ["", "for i in []:\n    pass\n"], ids=["once", "twice"])
def test_the_counter_of_a_loop_refers_to_nothing(more: str, tmp_path: Path) -> None:
    code = "for i, layer in enumerate([Net().act]):\n    probe({})\n"
    assert probed(table_of(tmp_path, code.format("i") + more)) == frozenset()
    assert "ReLU" in names_of(probed(table_of(tmp_path, code.format("layer") + more)))


def test_a_number_refers_to_nothing(tmp_path: Path) -> None:
    assert probed(table_of(tmp_path, "probe(1 + len([Net()]))\n")) == frozenset()


_numbers = st.integers(0, 12)
_places = st.none() | st.builds(lambda line: Place("m", line, 0, line, 1), _numbers)
_instances = st.builds(lambda n, place: Instance(ClassRef("m", f"C{n}"), place), _numbers, _places)
_made = st.builds(lambda n, place: Made(f"torch.nn.L{n}", place), _numbers, _places)
_names = st.builds(lambda is_of_tensors: ChildName(of_tensors=is_of_tensors), st.booleans())
_bases = _instances | _made | _names | st.builds(Below, _instances | _made, st.booleans())
_tests = st.frozensets(st.builds(lambda n: ClassTest(frozenset((f"torch.nn.L{n}",))), _numbers), max_size=2)
_references = st.frozensets(st.builds(Reference, _bases, _tests), max_size=12)


def _crowd(count: int) -> References:
    return frozenset(Reference(Instance(ClassRef("m", f"C{n}"), Place("m", n, 0, n, 1))) for n in range(count))


_sets = st.builds(
    lambda small, count, top: small | _crowd(count) | top,
    _references,
    st.sampled_from([0, MAX_OBJECTS - 1, MAX_OBJECTS + 1, MAX_CLASSES + 1]),
    st.sampled_from([frozenset(), frozenset((ANYTHING,)), frozenset((MANY,))]),
)


def _covers(more: Base, less: Base) -> bool:
    if isinstance(more, Anything) or more == less or (isinstance(more, Many) and not isinstance(less, ChildName)):
        return True
    match more, less:
        case ChildName(of_tensors=False), ChildName():
            return True
        case Instance(cls=cls, made=None), Instance(cls=other):
            return cls == other
        case Made(name=name, place=None), Made(name=other_name):
            return name == other_name
        case Below(owner=owner, is_direct=is_direct), Below(owner=inner, is_direct=was_direct):
            return is_direct == was_direct and _covers(owner, inner)
    return False


@given(_sets)
def test_widening_covers_what_it_widens(references: References) -> None:
    wide = widened(references)
    for each in references:
        assert any(_covers(other.base, each.base) and other.tests <= each.tests for other in wide)


def test_the_modules_below_too_many_objects_are_too_many(tmp_path: Path) -> None:
    points_to = table_of(tmp_path, "net = Net()\n").points_to
    net = frozenset((Reference(Instance(ClassRef("m", "Net"))),))
    assert MANY in points_to.below(net | {MANY})
    assert MANY not in points_to.below(net)


@given(_sets)
def test_widening_twice_is_widening_once(references: References) -> None:
    assert widened(widened(references)) == widened(references)


@given(_sets, _references)
def test_more_references_never_give_fewer(references: References, further: References) -> None:
    wide = widened(references | further)
    for each in widened(references):
        assert any(_covers(other.base, each.base) and other.tests <= each.tests for other in wide)


META = """\
class Meta(type):
    def __setattr__(cls, name, value):
        probe(value)
        super().__setattr__(name, value)


class Marked(metaclass=Meta):
    pass


"""
SET_ON_CLASSES = {
    "assigned": "Marked.act = nn.ReLU()",
    "set": 'setattr(Marked, "act", nn.ReLU())',
    "by-another-name": "other = Marked\nother.act = nn.ReLU()",
}


@pytest.mark.parametrize("code", SET_ON_CLASSES.values(), ids=SET_ON_CLASSES.keys())
def test_a_metaclass_is_given_what_classes_are_given(code: str, tmp_path: Path) -> None:
    found = names_of(probed(table_of(tmp_path, f"{META}{code}\n")))
    assert "ReLU" in found
    assert "Anything" not in found


def test_the_names_of_a_file_are_what_globals_holds(tmp_path: Path) -> None:
    code = "net = Net()\n\n\ndef look(name):\n    probe(globals()[name])\n"
    found = names_of(probed(table_of(tmp_path, code)))
    assert {"class Net", "Net", "function look"} <= found
    assert "Anything" not in found


def test_a_pattern_is_no_module(tmp_path: Path) -> None:
    assert not probed(table_of(tmp_path, "import re\n\nprobe(re.compile(Net()))\n"))


PAIRS = {
    "loop": "for name, layer in Net().named_children():\n    probe({})",
    "comprehension": "[probe({}) for name, layer in list(Net().named_modules())]",
    "bound-twice": "name = layer = None\nfor name, layer in Net().named_children():\n    probe({})",
}


@pytest.mark.parametrize("code", PAIRS.values(), ids=PAIRS.keys())
def test_the_module_beside_a_name_is_no_name(code: str, tmp_path: Path) -> None:
    assert "ChildName" in names_of(probed(table_of(tmp_path, code.format("name") + "\n")))
    found = names_of(probed(table_of(tmp_path, code.format("layer") + "\n")))
    assert "below Net" in found
    assert "ChildName" not in found


_OWN_CALL = """
class Table:
    def use(self, first, second):
        self.take(first, second)

    def take(self, a, b):
        probe(a)


Table().use(Net(), nn.Tanh())
"""


def test_a_method_of_self_gets_its_own_arguments_however_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of(tmp_path, _OWN_CALL)
    monkeypatch.setattr(fixpoint, "MAX_DEPTH", 1)  # so that nothing is known of `self` when the call is read
    assert names_of(probed(table)) == {"Net"}


_FETCHED = (
    "import importlib\nimport inspect\nimport sys\n\nNET = Net()\n\n\ndef use(name):\n    probe({})\n\nuse(input())\n"
)
MODULES = {
    "item": "sys.modules[name]",
    "get": "sys.modules.get(name)",
    "get-or-none": "sys.modules.get(name, None)",
    "import": "importlib.import_module(name)",
    "import-function": "__import__(name)",
    "module-of-a-class": "inspect.getmodule(Net)",
    "every": "[each for each in sys.modules.values()][0]",
}


@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES.keys())
def test_a_module_that_is_looked_up_may_be_one_of_the_project(module: str, tmp_path: Path) -> None:
    assert "Net" in names_of(probed(table_of(tmp_path, _FETCHED.format(f"{module}.NET"))))
    assert "class Net" in names_of(probed(table_of(tmp_path, _FETCHED.format(f"{module}.Net"))))
    assert {"class Net", "Net"} <= names_of(probed(table_of(tmp_path, _FETCHED.format(f"getattr({module}, name)"))))


def test_a_key_is_not_what_it_is_looked_up_by(tmp_path: Path) -> None:
    code = _FETCHED.format("getattr(sys.modules.get(Net().__module__), name + 'x').forward")
    assert not {"below Net", "Net.__module__"} & names_of(probed(table_of(tmp_path, code)))


def test_what_is_looked_up_in_many_modules_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module_definitions, "MAX_MODULES", 1)
    table = table_of(tmp_path, _FETCHED.format("getattr(sys.modules[name], name)"), {"other.py": "x = 1\n"})
    assert names_of(probed(table)) == {"sys.modules.*"}


KEPT = """\
from elsewhere import fill


class Box({base}):
    def load(self, layer):
{body}


Box().load(nn.Dropout())
"""
KEEPING = {
    "package": "fill(self, layer)\nprobe(self)",
    "function": "put(self, layer)\nprobe(self)",
    "method": "self.store(layer)\nprobe(self)",
}
PUT = "def put(box, layer):\n    box.append(layer)\n\n\n"


def _kept(base: str, body: str, path: Path) -> set[str]:
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    return names_of(probed(table_of(path, PUT + KEPT.format(base=base, body=lines))))


@pytest.mark.parametrize("body", KEEPING.values(), ids=KEEPING.keys())
@pytest.mark.parametrize("base", ["nn.Module", "object"])
def test_the_instance_is_not_what_is_put_into_it(base: str, body: str, tmp_path: Path) -> None:
    assert _kept(base, body, tmp_path) == {"Box"}


@pytest.mark.parametrize("body", [KEEPING["function"], "fill(self, layer)\nprobe(self[0])"], ids=["function", "item"])
@pytest.mark.parametrize("base", ["list", "nn.ModuleList"])
def test_the_instance_of_a_container_counts_as_what_is_put_into_it(base: str, body: str, tmp_path: Path) -> None:
    assert not {"Dropout", "below Box"}.isdisjoint(_kept(base, body, tmp_path))


def test_an_instance_may_be_one_of_a_subclass_that_is_a_container(tmp_path: Path) -> None:
    box = KEPT.format(base="object", body="        put(self, layer)\n        probe(self)")
    assert names_of(probed(table_of(tmp_path, f"{PUT}{box}"))) == {"Box"}
    stack = "\n\nclass Stack(Box, list):\n    pass\n"
    assert {"Box", "Dropout"} <= names_of(probed(table_of(tmp_path, f"{PUT}{box}{stack}")))
