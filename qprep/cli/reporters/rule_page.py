"""A rule's page, in Markdown: what it means, and its examples, which are its tests."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from qprep.engine.rule_registry import Registry, rewrites_of
from qprep.foundation.findings import Applicability, Rule


def rule_page(rule: Rule, registry: Registry) -> str:
    """The page of one rule."""
    return "\n".join(_lines(rule, registry)).rstrip("\n") + "\n"


def rule_index(rules: tuple[Rule, ...]) -> str:
    """The page that lists all rules, each with a link to its own."""
    rows = [f"| [{rule.code}]({rule.name}.md) | `{rule.name}` | {rule.summary} | {_fixes(rule)} |" for rule in rules]
    return "\n".join(("# Rules", "", "| code | name | what | fix |", "| --- | --- | --- | --- |", *rows, ""))


def _fixes(rule: Rule) -> str:
    return "some or all" if rule.fixable else "none"


def _lines(rule: Rule, registry: Registry) -> Iterator[str]:
    check = next((each for each in registry.checks if each.rule.code == rule.code), None)
    codemod = registry.codemods.get(check.stem) if check is not None else None
    fixable = "Some or all of its findings can be fixed." if rule.fixable else "Its findings are not fixed by qprep."
    if codemod is not None and codemod.applicability is Applicability.UNSAFE:
        fixable = "Some or all of its findings can be fixed, with `--unsafe-fixes` only."
    yield from (f"# {rule.code}: {rule.name}", "", f"{rule.summary}.", "", rule.explanation, "")
    yield from (f"Severity: {rule.severity.value}. {fixable}", "")
    if check is not None and check.target is not None:
        yield from (f'Only under `target = "{check.target}"`.', "")
    if check is not None and check.invalid:
        yield from ("## Reported", "", *_block("python", check.invalid[0].code), "")
    if check is not None and check.valid:
        yield from ("## Not reported", "", *_block("python", check.valid[0]), "")
    rewrites = rewrites_of(check, codemod) if check is not None else ()
    if rewrites:
        before, after = rewrites[0]
        diff = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))[2:]
        yield from ("## Rewritten", "", *_block("diff", "\n".join(diff)), "")


def _block(language: str, text: str) -> Iterator[str]:
    yield from (f"```{language}", text.strip("\n"), "```")
