"""Every rule's examples, and the rules themselves."""

from __future__ import annotations

import re

import pytest

from qprep import check_source
from qprep.checks import load_checks
from qprep.checks._examples import edited
from qprep.checks.base import Check, Invalid
from qprep.codemods import load_codemods
from qprep.engine.config.settings_file import Options
from qprep.engine.rule_registry import all_rules
from qprep.foundation.findings import Finding

CHECKS = load_checks()
VALID = [pytest.param(c, text, id=f"{c.rule.code}-{i}") for c in CHECKS for i, text in enumerate(c.valid)]
INVALID = [pytest.param(c, example, id=f"{c.rule.code}-{i}") for c in CHECKS for i, example in enumerate(c.invalid)]
BY_CODE = [pytest.param(check, id=check.rule.code) for check in CHECKS]


def options(check: Check) -> Options:
    """The settings under which a rule finds something."""
    return Options(target=check.target)


def source_of(text: str, finding: Finding) -> str:
    """The text between a finding's positions."""
    lines = text.splitlines(keepends=True)
    starts = [sum(map(len, lines[:i])) for i in range(len(lines) + 1)]
    start = starts[finding.start.line - 1] + finding.start.column - 1
    return text[start : starts[finding.end.line - 1] + finding.end.column - 1]


@pytest.mark.parametrize(("check", "text"), VALID)
def test_nothing_is_reported_in_valid_examples(check: Check, text: str) -> None:
    compile(text, "example", "exec")
    assert [(f.code, f.start, f.message) for f in check_source(text, options=options(check))] == []


@pytest.mark.parametrize(("check", "example"), INVALID)
def test_invalid_examples_are_reported_at_the_right_place(check: Check, example: Invalid) -> None:
    findings = [f for f in check_source(example.code, options=options(check)) if f.code == check.rule.code]
    assert [source_of(example.code, f) for f in findings] == list(example.reported)


@pytest.mark.parametrize(("check", "example"), INVALID)
def test_invalid_examples_show_one_rule_only(check: Check, example: Invalid) -> None:
    assert {f.code for f in check_source(example.code, options=options(check))} == {check.rule.code}


@pytest.mark.parametrize(("check", "example"), INVALID)
def test_messages_are_a_sentence_with_the_construct_in_backticks(check: Check, example: Invalid) -> None:
    for finding in check_source(example.code, options=options(check)):
        assert re.fullmatch(r"[^\n]*`[^`\n]+`[^\n]*[^.!\s]", finding.message), finding.message
        assert finding.message.count("`") % 2 == 0
        assert finding.help
        assert "\n" not in finding.help
        assert finding.name == check.rule.name


@pytest.mark.parametrize("check", BY_CODE)
def test_a_rule_is_named_after_its_file(check: Check) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", check.rule.name)
    assert check.stem == check.rule.name.replace("-", "_")


@pytest.mark.parametrize("check", BY_CODE)
def test_a_rule_has_examples_of_both_kinds(check: Check) -> None:
    assert check.valid
    assert check.invalid
    assert all(example.reported for example in check.invalid)


@pytest.mark.parametrize("check", BY_CODE)
def test_a_rule_is_rewritten_under_its_own_stem_or_says_that_it_is_not(check: Check) -> None:
    assert (check.stem in load_codemods()) == check.rule.fixable


def test_every_rewrite_has_a_rule() -> None:
    assert set(load_codemods()) <= {check.stem for check in CHECKS}


def test_codes_and_names_are_unique_and_sorted() -> None:
    rules = all_rules()
    codes = [rule.code for rule in rules]
    assert codes == sorted(set(codes))
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(re.fullmatch(r"QP[0-5]\d\d", code) for code in codes)


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.code) for rule in all_rules()])
def test_a_rule_explains_itself(rule: object) -> None:
    summary, explanation = getattr(rule, "summary", ""), getattr(rule, "explanation", "")
    assert summary
    assert not summary.endswith(".")
    assert explanation.endswith(".")
    assert len(explanation) > len(summary)


def test_an_edit_of_an_example_must_fit_once() -> None:
    assert edited("a + b", ("a", "x"), ("b", "y")) == "x + y"
    for code in ("b", "a + a"):
        with pytest.raises(ValueError, match="expected 'a' once"):
            edited(code, ("a", "x"))
