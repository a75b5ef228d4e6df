"""`qprep rule`: explain."""

from __future__ import annotations

import json

import click

from qprep.cli.reporters.rule_page import rule_page
from qprep.engine.rule_registry import all_rules, installed
from qprep.engine.rule_selection import suggestion
from qprep.foundation.errors import QprepError
from qprep.foundation.findings import Rule


@click.command("rule", short_help="Explain a rule, or all of them.")
@click.argument("code", required=False)
@click.option("--all", "every", is_flag=True, help="Explain all rules.")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", help="Output format.")
def command(code: str | None, every: bool, output_format: str) -> int:
    """Explain the rule with a CODE or name, or all of them."""
    if (code is None) != every:
        raise click.UsageError("Expected a rule's code or --all.")
    rules = all_rules()
    chosen = rules if code is None else (_find(code, rules),)
    if output_format == "json":
        records = [_record(rule) for rule in chosen]
        click.echo(json.dumps(records if every else records[0], indent=2))
    else:
        click.echo("\n".join(rule_page(rule, installed()) for rule in chosen), nl=False)
    return 0


def _find(code: str, rules: tuple[Rule, ...]) -> Rule:
    for rule in rules:
        if code in (rule.code, rule.name):
            return rule
    raise QprepError(f"unknown rule `{code}`{suggestion(code, rules)}")


def _record(rule: Rule) -> dict[str, object]:
    return {
        "code": rule.code,
        "name": rule.name,
        "summary": rule.summary,
        "explanation": rule.explanation,
        "severity": rule.severity.value,
        "fixable": rule.fixable,
    }
