"""Every rule there is, built by a function and passed on."""

from __future__ import annotations

from qprep.engine_rules import ENGINE_RULES
from qprep.evidence.rules import RUN_RULES
from qprep.findings import Rule


def all_rules() -> tuple[Rule, ...]:
    """All rules by code."""
    from qprep.checks import load_checks

    found = (*RUN_RULES, *(check.rule for check in load_checks()))
    return (*ENGINE_RULES, *sorted(found, key=lambda rule: rule.code))
