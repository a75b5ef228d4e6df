"""Conditions around an expression narrow the class of a variable."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qprep.analysis.effects.effect_table import EffectTable
from qprep.analysis.effects.object_tests import AnyOf, AttributeTest, ClassTest, NameTest, Test, negated
from tests.analysis.effects.small_projects import probed, table_of

# Code in a loop over the modules of a net; `probe(m)` is reached by a ReLU and not by a Dropout.
ONLY_RELU = {
    "isinstance": "if isinstance(m, nn.ReLU):\n    probe(m)",
    "isinstance-of-several": "if isinstance(m, (nn.ReLU, nn.Tanh)):\n    probe(m)",
    "union": "if isinstance(m, nn.ReLU | nn.Tanh):\n    probe(m)",
    "or": "if isinstance(m, nn.ReLU) or isinstance(m, nn.Tanh):\n    probe(m)",
    "and": "if isinstance(m, nn.ReLU) and 1:\n    probe(m)",
    "else": "if isinstance(m, nn.Dropout):\n    pass\nelse:\n    probe(m)",
    "continue": "if not isinstance(m, nn.ReLU):\n    continue\nprobe(m)",
    "assert": "assert isinstance(m, nn.ReLU)\nprobe(m)",
    "match": "match m:\n    case nn.ReLU():\n        probe(m)",
    "match-or": "match m:\n    case nn.ReLU() | nn.Tanh():\n        probe(m)",
    "type-is": "if type(m) is nn.ReLU:\n    probe(m)",
    "type-in": "if type(m) in (nn.ReLU, nn.Tanh):\n    probe(m)",
    "class-attribute": "if m.__class__ == nn.ReLU:\n    probe(m)",
    "issubclass": "if issubclass(type(m), nn.ReLU):\n    probe(m)",
    "name": 'if type(m).__name__ == "ReLU":\n    probe(m)',
    "part-of-name": 'if "ReLU" in m.__class__.__name__:\n    probe(m)',
    "start-of-name": 'if m._get_name().startswith("Re"):\n    probe(m)',
    "expression": "probe(m) if isinstance(m, nn.ReLU) else None",
    "conjunction": "isinstance(m, nn.ReLU) and probe(m)",
    "flag": "found = False\nif isinstance(m, nn.ReLU):\n    found = True\nif found:\n    probe(m)",
    "flag-of-two": "found = False\nif isinstance(m, nn.ReLU) and x:\n    found = True\n"
    "elif isinstance(m, nn.ReLU):\n    found = True\nif found:\n    probe(m)",
    "comprehension": "[probe(k) for k in [m] if isinstance(k, nn.ReLU)]",
}
# Code that reaches a Dropout, which has a probability, and not a ReLU.
ONLY_DROPOUT = {
    "hasattr": 'if hasattr(m, "p"):\n    probe(m)',
    "getattr": 'if getattr(m, "p", 0):\n    probe(m)',
    "getattr-is-not-none": 'if getattr(m, "p", None) is None:\n    continue\nprobe(m)',
    "variable": 'p = getattr(m, "p", None)\nif p:\n    probe(m)',
    "variable-is-not-none": 'p = getattr(m, "p", None)\nif p is not None:\n    probe(m)',
    "variable-is-none": 'p = getattr(m, "p", None)\nif p is None:\n    continue\nprobe(m)',
    "many-tests-before": (
        "for c in (1,):\n"
        + "".join(
            f"    if isinstance(m, nn.{name}):\n        continue\n" for name in ("ReLU6", "GELU", "ELU", "SELU", "CELU")
        )
        + "    if isinstance(m, nn.Tanh):\n        continue\n    if isinstance(m, nn.Dropout):\n        probe(m)"
    ),
}
# Code that says nothing certain of the class of `m`.
EITHER = {
    "no-condition": "probe(m)",
    "other-variable": "k = nn.ReLU()\nif isinstance(k, nn.ReLU):\n    probe(m)",
    "or-anything": "if isinstance(m, nn.ReLU) or x:\n    probe(m)",
    "no-exit": "if not isinstance(m, nn.ReLU):\n    pass\nprobe(m)",
    "computed-class": "if isinstance(m, unknown()):\n    probe(m)",
    "not-and": "if not (isinstance(m, nn.Dropout) and x):\n    probe(m)",
    "another-default": 'if getattr(m, "p", False) is not None:\n    probe(m)',
    "variable-with-another-default": 'p = getattr(m, "p", False)\nif p is not None:\n    probe(m)',
    "variable-of-the-last-round": 'if x:\n    p = getattr(m, "p", None)\nif p is not None:\n    probe(m)',
    "variable-bound-behind": 'if p is not None:\n    probe(m)\np = getattr(m, "p", None)',
    "flag-of-something-else": "found = x\nif isinstance(m, nn.ReLU):\n    found = True\nif found:\n    probe(m)",
    "flag-set-again": "found = False\nif isinstance(m, nn.ReLU):\n    found = True\nfound = x\nif found:\n    probe(m)",
    "flag-set-for-others": "found = False\nif isinstance(m, nn.ReLU):\n    found = True\nif x:\n    found = True\n"
    "if found:\n    probe(m)",
    "flag-counted": "found = False\nif isinstance(m, nn.ReLU):\n    found = True\nfound += 1\nif found:\n    probe(m)",
    "flag-not-set": "found = False\nif isinstance(m, nn.ReLU):\n    found = True\nif not found or x:\n    probe(m)",
    "rebound": "m = other\nif isinstance(m, nn.ReLU):\n    pass\nprobe(m)",
    "bound-in-a-branch": "if isinstance(m, nn.Linear):\n    pass\nelse:\n    m = other\n"
    "if isinstance(m, nn.ReLU):\n    probe(m)",
    "protocol": "if isinstance(m, Shaped):\n    probe(m)",
    "protocol-of-python": "if isinstance(m, collections.abc.Hashable):\n    probe(m)",
    "registered": "if isinstance(m, Leaf):\n    probe(m)",
    "registered-by-a-decorator": "if isinstance(m, Branch):\n    probe(m)",
    "subclass-hook": "if isinstance(m, Hooked):\n    probe(m)",
    "instance-check": "if isinstance(m, Checked):\n    probe(m)",
    "instance-check-of-a-base": "if isinstance(m, Derived):\n    probe(m)",
    "class-by-a-computed-name": 'if isinstance(m, getattr(nn, "Re" + "LU")):\n    probe(m)',
    "pattern-of-a-protocol": "match m:\n    case Shaped():\n        probe(m)",
}
# Classes that say by themselves what is an instance of them.
DEFINITIONS = """
import abc
import collections.abc
import typing


@typing.runtime_checkable
class Shaped(typing.Protocol):
    inplace: bool


class Leaf(abc.ABC):
    pass


Leaf.register(nn.Module)


class Branch(metaclass=abc.ABCMeta):
    pass


@Branch.register
class Twig(nn.Module):
    pass


class Hooked(abc.ABC):
    @classmethod
    def __subclasshook__(cls, other):
        return True


class Meta(type):
    def __instancecheck__(cls, value):
        return True


class Checked(metaclass=Meta):
    pass


class Derived(Checked):
    pass


class Plain(abc.ABC):
    pass
"""
OWN_FUNCTIONS = {
    "isinstance": ("def isinstance(value, classes):\n    return True\n", "if isinstance(m, nn.ReLU):\n    probe(m)"),
    "hasattr": ("def hasattr(value, name):\n    return True\n", 'if hasattr(m, "p"):\n    probe(m)'),
    "type": ("type = id\n", "if type(m) is nn.ReLU:\n    probe(m)"),
}


def _admitted(folder: Path, code: str, definitions: str = "") -> tuple[bool, bool]:
    """A pair: true if the probed object may be a ReLU, true if it may be a Dropout."""
    body = "".join(f"        {line}\n" for line in code.splitlines())
    table = table_of(
        folder,
        f"{definitions}\n\ndef walk(net, x, other):\n    for m in net.modules():\n{body}\n\nwalk(Net(), 1, Net())\n",
    )
    references = probed(table)
    assert references
    relu, dropout = (any(table.admits(r.tests, f"torch.nn.{name}") for r in references) for name in ("ReLU", "Dropout"))
    return relu, dropout


@pytest.mark.parametrize("code", ONLY_RELU.values(), ids=ONLY_RELU.keys())
def test_a_condition_narrows(code: str, tmp_path: Path) -> None:
    assert _admitted(tmp_path, code) == (True, False)


@pytest.mark.parametrize("code", ONLY_DROPOUT.values(), ids=ONLY_DROPOUT.keys())
def test_a_condition_on_attributes_narrows(code: str, tmp_path: Path) -> None:
    assert _admitted(tmp_path, code) == (False, True)


@pytest.mark.parametrize("code", EITHER.values(), ids=EITHER.keys())
def test_what_is_no_condition_narrows_nothing(code: str, tmp_path: Path) -> None:
    assert _admitted(tmp_path, code, DEFINITIONS) == (True, True)


def test_an_abstract_class_without_virtual_subclasses_has_no_other_instances(tmp_path: Path) -> None:
    assert _admitted(tmp_path, "if not isinstance(m, (Plain, nn.ReLU)):\n    probe(m)", DEFINITIONS) == (False, True)


@pytest.mark.parametrize(("definition", "code"), OWN_FUNCTIONS.values(), ids=OWN_FUNCTIONS.keys())
def test_a_function_of_the_project_with_a_name_of_python_s_own_narrows_nothing(
    definition: str, code: str, tmp_path: Path
) -> None:
    assert _admitted(tmp_path, code, definition) == (True, True)


_CLASSES = ("torch.nn.ReLU", "torch.nn.Dropout", "torch.nn.Conv2d", "torch.nn.Module", "other.Layer")
_atoms = (
    st.builds(ClassTest, st.none() | st.frozensets(st.sampled_from(_CLASSES), max_size=3), st.booleans())
    | st.builds(AttributeTest, st.sampled_from(["weight", "inplace", "forward"]), st.booleans())
    | st.builds(
        NameTest,
        st.sampled_from(["==", "in", "startswith", "endswith"]),
        st.sampled_from(["ReLU", "Dr"]),
        st.booleans(),
    )
)
_tests = _atoms | st.builds(AnyOf, st.frozensets(_atoms, min_size=1, max_size=3))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> EffectTable:
    return table_of(tmp_path_factory.mktemp("project"), "")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tests=st.frozensets(_tests, max_size=4), fewer=st.data(), cls=st.sampled_from(_CLASSES))
def test_fewer_tests_admit_more(table: EffectTable, tests: frozenset[Test], fewer: st.DataObject, cls: str) -> None:
    kept = frozenset(test for test in tests if fewer.draw(st.booleans()))
    if table.admits(tests, cls):
        assert table.admits(kept, cls)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(test=_tests, cls=st.sampled_from(_CLASSES))
def test_a_test_or_its_opposite_admits(table: EffectTable, test: Test, cls: str) -> None:
    opposite = negated(test)
    if opposite is not None:
        assert table.admits([test], cls) or table.admits([opposite], cls)
        assert negated(opposite) == test
