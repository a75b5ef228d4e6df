"""Laws of the join of abstract values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qprep.analysis.values.abstract_values import (
    FLOAT,
    INTEGER,
    MAX_OPTIONS,
    NONE,
    NUMBER,
    OTHER,
    TEXT,
    UNKNOWN,
    ClassRef,
    External,
    FunctionRef,
    Kind,
    Mapping,
    Module,
    Sequence,
    Tensor,
    join,
    join_all,
    options,
)

_classes = st.builds(ClassRef, st.just("net"), st.sampled_from("ABC"))
_simple = st.one_of(
    st.builds(Tensor, st.booleans(), st.sampled_from((FLOAT, INTEGER)), st.booleans()),
    st.sampled_from((NUMBER, NONE, TEXT, OTHER, UNKNOWN)),
    _classes,
    st.builds(External, st.sampled_from(("torch.relu", "torch.nn.ReLU"))),
    st.builds(FunctionRef, st.just("net"), st.sampled_from("fg")),
    st.builds(Module, _classes, st.sampled_from(("act", "conv")), st.sampled_from((None, "net:1:0", "net:2:0"))),
)
_kinds: st.SearchStrategy[Kind] = st.recursive(
    _simple, lambda inner: st.one_of(st.builds(Sequence, inner), st.builds(Mapping, inner)), max_leaves=3
)


def covers(whole: Kind, part: Kind) -> bool:
    """True if a value of `part` is one of `whole`: a join with it adds nothing, or it is an alternative as unknown."""
    return UNKNOWN in options(whole) or join(whole, part) == whole


@given(st.lists(_kinds, min_size=1, max_size=5))
def test_a_join_covers_its_operands(kinds: list[Kind]) -> None:
    whole = join_all(kinds)
    assert all(covers(whole, kind) for kind in kinds)


@given(st.lists(_kinds, min_size=1, max_size=4), st.randoms())
def test_the_order_of_operands_does_not_matter(kinds: list[Kind], random: object) -> None:
    shuffled = list(kinds)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert join_all(shuffled) == join_all(kinds)


@given(_kinds)
def test_a_join_with_itself_changes_nothing(kind: Kind) -> None:
    assert join(kind, kind) == kind == join_all((kind,))


@pytest.mark.parametrize("number", [MAX_OPTIONS, MAX_OPTIONS + 1])
def test_a_union_that_is_too_large_is_unknown(number: int) -> None:
    """No alternative is dropped: they count as unknown together."""
    whole = join_all(ClassRef("net", f"C{each}") for each in range(number))
    assert (whole == UNKNOWN) == (number > MAX_OPTIONS)
    assert len(options(whole)) in (1, MAX_OPTIONS)
