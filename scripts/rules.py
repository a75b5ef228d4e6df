"""Write docs/rules/ and the schema of the configuration again from the code."""

from __future__ import annotations

import sys
from pathlib import Path

from qprep.cli.reporters.rule_page import rule_index, rule_page
from qprep.engine.config.settings_schema import schema_text
from qprep.engine.rule_registry import rules_of, with_plugins

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Write every file that differs; 1 where one did."""
    registry = with_plugins(())
    rules = rules_of(registry)
    folder = ROOT / "docs" / "rules"
    wanted = {folder / f"{rule.name}.md": rule_page(rule, registry) for rule in rules}
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


if __name__ == "__main__":
    sys.exit(main())
