"""Names of definitions."""

from __future__ import annotations

import pytest

from qprep.analysis.symbols.definition_names import DefinitionName, plain_name, variant, variants


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("forward", DefinitionName("", "forward")),
        ("Block.forward", DefinitionName("Block", "forward")),
        ("make.Block.forward:12", DefinitionName("make.Block", "forward", "12")),
        ("Block:3.forward", DefinitionName("Block:3", "forward")),
    ],
)
def test_a_name_has_an_owner_and_a_variant(text: str, expected: DefinitionName) -> None:
    """The parts print as the text that they were read from."""
    assert DefinitionName.parse(text) == expected
    assert str(expected) == text


def test_the_variants_of_a_name_are_found_among_keys() -> None:
    """Names that only begin alike are others."""
    keys = ["act", variant("act", 3), "activation", variant("activation", 5)]

    assert variants(keys, "act") == ["act", "act:3"]
    assert {plain_name(key) for key in keys} == {"act", "activation"}
