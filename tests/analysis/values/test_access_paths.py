"""Access paths, and the allocation sites that are built with them."""

from __future__ import annotations

import ast

import pytest

from qprep.analysis.values.access_paths import SELF, AccessPath
from qprep.analysis.values.allocation_sites import AllocationSite, CodePosition


def path(text: str) -> AccessPath:
    """The path that a source spells."""
    return AccessPath.of_expression(ast.parse(text, mode="eval").body)


@pytest.mark.parametrize("text", ["relu", "block.conv", "layers[0].norm", "layers[2 * i + 1]", "ups['a'][1:]"])
def test_a_path_prints_as_it_is_spelled(text: str) -> None:
    """`str` gives the source back."""
    assert str(path(text)) == text


def test_the_object_itself_has_no_steps() -> None:
    """`SELF` is false, and an attribute of it has one step."""
    assert not SELF
    assert SELF.attribute("act") == path("act")
    assert path("act").is_attribute
    assert not path("block.act").is_attribute


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layers[i][0]", "layers[*][0]"),
        ("layers[2 * i + 1]", "layers[1::2]"),
        ("layers[i + 1]", "layers[*]"),
        ("layers[1:3]", "layers[1:3]"),
        ("layers['up'].act", "layers['up'].act"),
    ],
)
def test_once_a_loop_is_over_its_variable_may_be_any(text: str, expected: str) -> None:
    """Literals stay, strides stay as strides, the rest is any item."""
    found = path(text).generalized()

    assert str(found) == expected


def test_the_stride_of_a_loop_multiplies_its_variable() -> None:
    """`i` of `range(0, n, 2)` is `2 * i` of `range(n // 2)`; names within names stay."""
    assert path("ups[i + 1].ni").strided({"i": 2}) == path("ups[2 * i + 1].ni")
    assert path("ups[ni]").strided({"i": 2}) == path("ups[ni]")


def test_the_steps_below_another_path() -> None:
    """A path is not below itself, nor below one with another item."""
    assert path("blocks[0].norm").below(path("blocks[0]")) == path("norm")
    assert path("blocks[0]").below(path("blocks[0]")) is None
    assert path("blocks[10].norm").below(path("blocks[1]")) is None
    assert path("block_2.norm").below(path("block")) is None


def test_one_item_is_among_any_of_the_items() -> None:
    """Numbers alone: what `blocks[i:]` is, or `blocks[0]` as a whole, stays."""
    items = path("blocks").any_item

    assert path("blocks[0].norm").in_items(items) == items.attribute("norm")
    assert path("blocks[i].norm").in_items(items) == path("blocks[i].norm")
    assert path("blocks[0]").in_items(items) == path("blocks[0]")
    assert path("others[0].norm").in_items(items) == path("others[0].norm")


def test_methods_are_steps_of_their_own() -> None:
    """A method that runs a module is no attribute."""
    found = path("block").method_result("features")

    assert str(found) == "block.features()"
    assert found.is_method_result
    assert found.below_root == ("features",)
    assert found != path("block").attribute("features")


def test_sites_tell_calls_and_owners_apart() -> None:
    """One expression makes different instances for two calls, and for two objects."""
    made = AllocationSite((CodePosition("net", 3, 4),))
    calls = [AllocationSite((CodePosition("net", line, 0),)) for line in (8, 9)]

    assert len({made, *(made.called_from(call) for call in calls), made.below(path("a")), made.below(path("b"))}) == 5
    assert made.called_from(calls[0]).position == CodePosition("net", 8, 0)
    assert made.below(path("a")).position is None


def test_a_common_site_stays_common_for_its_items() -> None:
    """An item of a list that a file makes is made once, too; an object that takes it has it as its own."""
    common = AllocationSite((CodePosition("net", 3, 4),), is_common=True)

    assert common.item("0").is_common
    assert common.item("0") != common.item("1")
    assert not common.not_common.is_common


def test_sites_below_an_item_of_a_loop_become_those_of_any_item() -> None:
    """The path to the object is generalized with the loop's variable."""
    made = AllocationSite((CodePosition("net", 3, 4),))

    assert made.below(path("blocks[i]")).generalized() == made.below(path("blocks").any_item)
