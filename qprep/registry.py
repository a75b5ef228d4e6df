"""Every rule, rewrite and further catalogue row there is, built by a function and passed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qprep.checks.base import Check
from qprep.codemods.base import Codemod
from qprep.engine_rules import ENGINE_RULES
from qprep.evidence.rules import RUN_RULES
from qprep.findings import Rule
from qprep.ops.model import Op
from qprep.plugins import Loaded, PluginError, installed_plugins


@dataclass(frozen=True, slots=True)
class Registry:
    """What a run works with; `rows` are those that plugins add to the catalogue."""

    checks: tuple[Check, ...]
    codemods: Mapping[str, Codemod]
    rows: tuple[Op, ...]
    stamps: tuple[tuple[str, str], ...] = ()  # of the plugins: results hold as long as these stay the same


def all_rules() -> tuple[Rule, ...]:
    """All rules by code: the engine's, the package's own, and those of installed plugins."""
    return rules_of(installed())


def rules_of(registry: Registry) -> tuple[Rule, ...]:
    """The rules of a registry by code, with those of the engine."""
    found = (*RUN_RULES, *(check.rule for check in registry.checks))
    return (*ENGINE_RULES, *sorted(found, key=lambda rule: rule.code))


def installed() -> Registry:
    """All that is installed."""
    return with_plugins(installed_plugins())


def with_plugins(plugins: tuple[Loaded, ...]) -> Registry:
    """qprep's own and that of some plugins; raises PluginError where two claim one code or name."""
    from qprep.checks import load_checks
    from qprep.codemods import load_codemods

    checks, codemods = list(load_checks()), dict(load_codemods())
    owners = {key: "qprep" for check in checks for key in (check.rule.code, check.stem)}
    for plugin in plugins:
        for check in plugin.checks:
            for key in (check.rule.code, check.stem):
                if key in owners:
                    raise PluginError(f"plugin `{plugin.name}`: `{key}` is a rule of {owners[key]} already")
                owners[key] = f"plugin `{plugin.name}`"
            checks.append(check)
        codemods.update(plugin.codemods)
    rows = tuple(row for plugin in plugins for row in plugin.rows)
    return Registry(tuple(checks), codemods, rows, tuple((plugin.name, plugin.stamp) for plugin in plugins))
