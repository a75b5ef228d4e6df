"""The documentation of rules and settings agrees with the code."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from qprep.cli.reporters.rule_page import rule_index, rule_page
from qprep.engine.config.settings import choices
from qprep.engine.config.settings_file import _READERS, read_config
from qprep.engine.config.settings_schema import PROPERTIES, schema, schema_text
from qprep.engine.config.trace_targets import _TYPES
from qprep.engine.rule_registry import installed, rules_of, with_plugins
from qprep.foundation.errors import QprepError
from scripts.reference import pages
from scripts.rules import page

DOCS = Path(__file__).resolve().parent.parent / "docs"
REGISTRY = with_plugins(())
RULES = rules_of(REGISTRY)


def test_every_rule_has_its_page() -> None:
    """`python scripts/rules.py` writes them again."""
    pages = {rule.name: page(rule, REGISTRY) for rule in RULES}
    found = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "rules").glob("*.md")}
    assert found.pop("README") == rule_index(RULES)
    assert found == pages


def test_a_page_shows_the_findings_of_its_example() -> None:
    for rule in RULES:
        text = page(rule, REGISTRY)
        assert (f": {rule.code} " in text) == ("## Reported" in text)


def test_a_page_shows_the_examples_and_what_a_rewrite_does() -> None:
    rules = {rule.code: rule for rule in RULES}
    made = rule_page(rules["QP505"], REGISTRY)
    assert made.startswith("# QP505: shared-functional\n")
    assert "return self.add.mul(y, x)" in made.split("## Not reported")[0]
    assert "+        self.mul = FloatFunctional()" in made.split("## Rewritten")[1]
    assert "with `--unsafe-fixes` only" in rule_page(rules["QP501"], REGISTRY)
    assert 'Only under `target = "torch-ao"`.' in rule_page(rules["QP510"], REGISTRY)
    assert "Its findings are not fixed by qprep." in rule_page(rules["QP001"], REGISTRY)


def test_the_reference_is_that_of_the_code() -> None:
    """`python scripts/reference.py` writes it again."""
    for name, text in pages().items():
        assert (DOCS / "reference" / name).read_text(encoding="utf-8") == text
    assert "| `--verify TARGET\\|NAME` |" in pages()["command-line.md"]
    assert "| `unfixable` | list of strings |" in pages()["settings.md"]


def test_the_schema_is_that_of_the_code() -> None:
    assert (DOCS / "qprep.schema.json").read_text(encoding="utf-8") == schema_text()
    assert set(PROPERTIES) == set(_READERS)
    assert set(schema()["properties"]["trace"]["additionalProperties"]["properties"]) == set(_TYPES)
    jsonschema.Draft7Validator.check_schema(schema())


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('select = ["QP1"]\ntarget = "torch-ao"\ncatalogue = "ops.toml"', True),
        ('per-file-ignores = { "tests/**" = ["QP1"] }\ncatalogue = ["a.toml", "b.toml"]', True),
        ('[trace]\nsmall = { target = "m:make", input = "1,3", timeout = 9 }', True),
        ('target-version = "py312"\noutput-format = "sarif"\nunsafe-fixes = true', True),
        ('target = "tensorflow"', False),
        ('selct = ["QP1"]', False),
        ("select = 'QP1'", False),
        ('unsafe-fixes = "yes"', False),
        ("per-file-ignores = []", False),
        ('[trace]\nsmall = { input = "1,3" }', False),
        ("catalogue = 3", False),
    ],
)
def test_the_schema_takes_what_is_read_and_nothing_else(text: str, valid: bool, tmp_path: Path) -> None:
    document: dict[str, Any] = json.loads(json.dumps(tomllib.loads(text)))
    assert jsonschema.Draft7Validator(schema()).is_valid(document) == valid
    path = tmp_path / "qprep.toml"
    path.write_text(text)
    if valid:
        read_config(path, choices(installed()))
    else:
        with pytest.raises(QprepError):
            read_config(path, choices(installed()))
