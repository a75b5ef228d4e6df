"""Every rule there is, built by a function and passed on."""

from __future__ import annotations

from qprep.engine_rules import ENGINE_RULES
from qprep.findings import Rule


def all_rules() -> tuple[Rule, ...]:
    """All rules by code."""
    return ENGINE_RULES
