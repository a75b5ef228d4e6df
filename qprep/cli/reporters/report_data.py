"""Input of the reporters: findings, the rules behind them, and the sources that they point into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qprep.foundation.findings import Finding, Rule
from qprep.foundation.source_cache import Sources


@dataclass(frozen=True, slots=True)
class Report:
    """One run's outcome.

    fixed     how many findings were fixed; None: the run was a check
    unknown   how many places were left out because the kind of their values is not known
    known     how many findings were left out because the baseline holds them
    footer    whether human formats end with a summary
    color     whether human formats use colours
    unsafe    whether unsafe fixes were requested
    """

    findings: tuple[Finding, ...]
    rules: Mapping[str, Rule]
    sources: Sources
    fixed: int | None = None
    unknown: int = 0
    known: int = 0
    footer: bool = True
    color: bool = False
    unsafe: bool = False
