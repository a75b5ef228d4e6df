"""Run the examples of a plugin's rules and rewrites as tests; needs neither torch nor a test runner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.plugin_loading import Loaded, Plugin, load_plugin
from qprep.engine.rule_registry import Registry, rewrites_of, rules_of, with_plugins

if TYPE_CHECKING:
    from qprep.checks.base import Check, Invalid
    from qprep.foundation.findings import Finding

_PATH = "example.py"


@dataclass(frozen=True, slots=True)
class Example:
    """One example; `run` raises AssertionError, with what was expected and found, where it does not hold."""

    id: str
    run: Callable[[], None]

    def __str__(self) -> str:
        return self.id


def examples(plugin: Plugin, name: str = "plugin") -> tuple[Example, ...]:
    """All VALID, INVALID and REWRITES of a plugin; raises PluginError for what is wrong with the plugin itself.

    With pytest: `@pytest.mark.parametrize("example", examples(PLUGIN), ids=str)`, and `example.run()` in the test.
    """
    loaded = load_plugin(name, plugin)
    return tuple(_examples(loaded, with_plugins((loaded,))))


def _examples(plugin: Loaded, registry: Registry) -> Iterator[Example]:
    for check in plugin.checks:
        for number, text in enumerate(check.valid):
            yield Example(f"{check.rule.code}-valid-{number}", partial(_valid, registry, check, text))
        for number, example in enumerate(check.invalid):
            yield Example(f"{check.rule.code}-invalid-{number}", partial(_invalid, registry, check, example))
        codemod = plugin.codemods.get(check.stem)
        for number, pair in enumerate(rewrites_of(check, codemod)):
            yield Example(f"{check.rule.code}-rewrite-{number}", partial(_rewrite, registry, check, pair))


def _expect(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)


def _valid(registry: Registry, check: Check, text: str) -> None:
    found = _found(registry, check, text)
    _expect(not found, f"expected nothing in a VALID example, found {_shown(text, found)}\n{text}")


def _invalid(registry: Registry, check: Check, example: Invalid) -> None:
    found = _shown(example.code, _found(registry, check, example.code))
    _expect(found == list(example.reported), f"expected {list(example.reported)}, found {found}\n{example.code}")


def _rewrite(registry: Registry, check: Check, pair: tuple[str, str]) -> None:
    before, after = pair
    code = check.rule.code
    _expect(
        bool(_found(registry, check, before)), f"expected {code} in what is to be rewritten, found nothing\n{before}"
    )
    text = _fixed(registry, before)
    _expect(text == after, f"expected\n{after}\nfound\n{text}")
    compile(text, _PATH, "exec")
    again = _fixed(registry, text)
    _expect(again == text, f"expected a rewrite that changes nothing the second time, found\n{again}")


def _found(registry: Registry, check: Check, text: str) -> list[Finding]:
    from qprep.engine.runs import check as run

    findings = run([Path(_PATH)], _settings(registry), overlay={_PATH: text.encode()}).findings
    return [finding for finding in findings if finding.code == check.rule.code]


def _fixed(registry: Registry, text: str) -> str:
    from qprep.engine.runs import fix

    result = fix([Path(_PATH)], _settings(registry), write=False, overlay={_PATH: text.encode()})
    return next((file.new_text for file in result.changed if file.path == _PATH), text)


def _settings(registry: Registry) -> SettingsResolver:
    return SettingsResolver(rules_of(registry), Options(unsafe_fixes=True), isolated=True, registry=registry)


def _shown(text: str, findings: list[Finding]) -> list[str]:
    """The source of each finding."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return [
        text[starts[f.start.line - 1] + f.start.column - 1 : starts[f.end.line - 1] + f.end.column - 1]
        for f in findings
    ]
