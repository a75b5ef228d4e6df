"""Selection of rules by code, prefix or name, with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Rule
from qprep.foundation.suggestions import did_you_mean

ALL = "ALL"
_EXACT = 100  # a full code or a name is more specific than any prefix


@dataclass(frozen=True, slots=True)
class SelectionSource:
    """The selectors of one place; `select` None: the place does not set it."""

    select: tuple[str, ...] | None = None
    extend: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """True if a rule is on, and the selector that decided it."""

    on: bool
    why: str


@dataclass(frozen=True, slots=True)
class Selection:
    """A configuration file's layer below the command line's; the more specific selector of a layer wins."""

    file: SelectionSource
    cli: SelectionSource
    names: tuple[str, str, str] = ("select", "extend-select", "ignore")

    def verdict(self, rule: Rule) -> RuleVerdict:
        """Decide on one rule: the command line's selection replaces the file's, save for what that ignores closer."""
        chosen = self._chosen(rule)
        weight, _ = _best((*(self.cli.select or ()), *self.cli.extend), rule)
        ignored, by = _best(self.cli.ignore, rule)
        if ignored and ignored >= weight:
            return RuleVerdict(False, f"--{self.names[2]} {by}")
        return chosen

    def codes(self, rules: Iterable[Rule]) -> frozenset[str]:
        """The codes of the rules that are on."""
        return frozenset(rule.code for rule in rules if self.verdict(rule).on)

    def _chosen(self, rule: Rule) -> RuleVerdict:
        select, extend, _ = self.names
        ignored, ignored_by = _best(self.file.ignore, rule)
        wanted, by = _best((*(self.cli.select or ()), *self.cli.extend), rule)
        if wanted and wanted >= ignored:
            flag = select if by in (self.cli.select or ()) else extend
            return RuleVerdict(True, f"--{flag} {by}")
        if wanted or self.cli.select is None:
            return self._by_file(rule, ignored, ignored_by)
        return RuleVerdict(False, f"not in --{select}")

    def _by_file(self, rule: Rule, ignored: int, ignored_by: str) -> RuleVerdict:
        select, extend, ignore = self.names
        selectors = self.file.select if self.file.select is not None else (ALL,)
        weight, by = _best((*selectors, *self.file.extend), rule)
        if not weight:
            return RuleVerdict(False, f"not in {select}")
        if ignored >= weight:
            return RuleVerdict(False, f"{ignore} {ignored_by}")
        if by not in selectors:
            return RuleVerdict(True, f"{extend} {by}")
        return RuleVerdict(True, "on by default" if self.file.select is None else f"{select} {by}")


def matches(selector: str, rule: Rule) -> bool:
    """True if a selector (a code, a prefix of codes, a name, or ALL) means a rule."""
    return _specificity(selector, rule) > 0


def validate(selectors: Iterable[str], rules: tuple[Rule, ...], where: str) -> None:
    """Raise QprepError for the first selector that means no rule."""
    for selector in selectors:
        if not any(matches(selector, rule) for rule in rules):
            raise QprepError(f"{where}: unknown rule `{selector}`{suggestion(selector, rules)}")


def suggestion(selector: str, rules: tuple[Rule, ...]) -> str:
    """ "; did you mean `QP101`?" where a rule's code or name is close, else nothing."""
    names = [name for rule in rules for name in (rule.code, rule.name)]
    return did_you_mean(selector, names, "`")


def _best(selectors: Iterable[str], rule: Rule) -> tuple[int, str]:
    return max(((_specificity(selector, rule), selector) for selector in selectors), default=(0, ""))


def _specificity(selector: str, rule: Rule) -> int:
    if selector in (rule.code, rule.name):
        return _EXACT
    if selector == ALL:
        return 1
    letters = rule.code.rstrip("0123456789")
    return len(selector) if selector.startswith(letters) and rule.code.startswith(selector) else 0
