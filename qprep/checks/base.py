"""The types that a rule is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from qprep.analysis.facts import Facts, OpSite
from qprep.analysis.places import Place
from qprep.analysis.sites import Site
from qprep.foundation.findings import Rule

ENTRY_POINT_GROUP = "qprep.plugins"  # under which other packages name their rules and rewrites


@dataclass(frozen=True, slots=True)
class Hit:
    """One place that a rule reports, with the fact behind it."""

    place: Place
    message: str
    help: str
    site: Site
    note: str = ""


@dataclass(frozen=True, slots=True)
class Invalid:
    """An example that must be reported.

    code      the source
    reported  the source text of each expression reported, in order
    after     the source after the rewrite of the rule's name; None if it is not an example of that
    """

    code: str
    reported: tuple[str, ...]
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A rule with its examples; `stem` is the name of its file and of its codemod's."""

    stem: str
    rule: Rule
    valid: tuple[str, ...]
    invalid: tuple[Invalid, ...]
    check: Callable[[Facts], Iterator[Hit]]
    target: str | None = None  # the target without which it finds nothing; its examples are checked under it


def unowned(facts: Facts) -> Iterator[OpSite]:
    """Operations on activations that no dedicated module owns, and no rule for eager quantization reports."""
    others = facts.eager.cats | facts.eager.islands
    return (site for place, site in facts.ops.items() if not site.owned and place not in others)


def module_for(site: OpSite) -> str:
    """The dedicated module for an operation, for a help line."""
    text = site.op.nn if site.op.nn is not None and site.op.family.value == "functional" else site.op.module
    name = (text or "").partition("(")[0]
    return f"nn.{name}" if site.op.nn is not None and text is site.op.nn else name


def help_for(site: OpSite) -> str:
    """The remedy for an operation outside a module."""
    name = module_for(site)
    return f"use a dedicated module: `{name}`" if name else "use a dedicated module"
