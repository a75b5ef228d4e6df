"""Write docs/rules/ and the schema of the configuration again from the code."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from qprep import Finding, Options, check_source
from qprep.cli.reporters.rule_page import rule_index, rule_page
from qprep.engine.config.settings_schema import schema_text
from qprep.engine.rule_registry import Registry, rules_of, with_plugins
from qprep.foundation.findings import Rule

ROOT = Path(__file__).resolve().parent.parent
_REPORTED = re.compile(r"(?<=^## Reported\n\n)```python\n(?P<code>.*?)```\n", re.DOTALL | re.MULTILINE)


def main() -> int:
    """Write every file that differs; 1 where one did."""
    registry = with_plugins(())
    rules = rules_of(registry)
    folder = ROOT / "docs" / "rules"
    wanted = {folder / f"{rule.name}.md": page(rule, registry) for rule in rules}
    wanted[folder / "README.md"] = rule_index(rules)
    wanted[ROOT / "docs" / "qprep.schema.json"] = schema_text()
    folder.mkdir(parents=True, exist_ok=True)
    old = [path for path in folder.glob("*.md") if path not in wanted]
    for path in old:
        path.unlink()
    new = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in new:
        path.write_text(wanted[path], encoding="utf-8")
    print(f"{len(new)} written, {len(old)} removed")
    return 1 if new or old else 0


def page(rule: Rule, registry: Registry) -> str:
    """The output of `qprep rule`, with the findings behind the example."""
    target = next((check.target for check in registry.checks if check.rule.code == rule.code), None)

    def with_findings(found: re.Match[str]) -> str:
        lines = [shown(each) for each in check_source(found["code"], options=Options(target=target))]
        return f"{found[0]}\n```text\n{''.join(lines)}```\n"

    return _REPORTED.sub(with_findings, rule_page(rule, registry), count=1)


def shown(finding: Finding) -> str:
    """The finding and the advice, as `qprep check` prints them."""
    fix = " [*]" if finding.is_fixable else ""
    place = f"model.py:{finding.start.line}:{finding.start.column}"
    return f"{place}: {finding.code}{fix} {finding.message}\nhelp: {finding.help}\n"


if __name__ == "__main__":
    sys.exit(main())
