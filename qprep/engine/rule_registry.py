"""Every rule, rewrite and further catalogue row there is, built by a function and passed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from qprep.checks.base import ENTRY_POINT_GROUP, Check
from qprep.engine.config.output_formats import OutputFormat, own_formats
from qprep.engine.runtime_evidence.run_rules import RUN_RULES
from qprep.foundation.catalogue.targets import TARGETS
from qprep.foundation.errors import PluginError
from qprep.foundation.findings import Rule
from qprep.foundation.internal_rules import ENGINE_RULES

if TYPE_CHECKING:
    from qprep.codemods.base import Codemod
    from qprep.engine.plugin_loading import Loaded
    from qprep.foundation.catalogue.op import Op
    from qprep.foundation.catalogue.targets import Target


@dataclass(frozen=True)
class Registry:
    """The rules of a run and all that plugins add.

    added    the rewrites of plugins, `rows` their catalogue rows
    targets  all target libraries by name, with qprep's own
    formats  the output formats of plugins by name
    """

    checks: tuple[Check, ...]
    added: Mapping[str, Codemod]
    rows: tuple[Op, ...]
    targets: Mapping[str, Target] = field(default_factory=lambda: TARGETS)
    formats: Mapping[str, OutputFormat] = field(default_factory=dict)
    stamps: tuple[tuple[str, str], ...] = ()  # of the plugins: results hold as long as these stay the same

    @cached_property
    def codemods(self) -> Mapping[str, Codemod]:
        """All rewrites by the stem of their rule, loaded once something is to be rewritten."""
        from qprep.codemods import load_codemods

        return {**load_codemods(), **self.added}


def rewrites_of(check: Check, codemod: Codemod | None) -> tuple[tuple[str, str], ...]:
    """The examples of a rule's rewrite, (before, after): those of the rule, then those of the rewrite's own file."""
    shared = tuple((example.code, example.after) for example in check.invalid if example.after is not None)
    return (*shared, *(codemod.rewrites if codemod is not None else ()))


def all_rules() -> tuple[Rule, ...]:
    """All rules by code: the engine's, the package's own, and those of installed plugins."""
    return rules_of(installed())


def rules_of(registry: Registry) -> tuple[Rule, ...]:
    """The rules of a registry by code, with those of the engine."""
    found = (*RUN_RULES, *(check.rule for check in registry.checks))
    return (*ENGINE_RULES, *sorted(found, key=lambda rule: rule.code))


def installed() -> Registry:
    """All that is installed."""
    if not _has_plugins():
        return with_plugins(())  # without what plugins are made of, which is most of qprep
    from qprep.engine.plugin_loading import installed_plugins

    return with_plugins(installed_plugins())


@lru_cache(maxsize=1)
def _has_plugins() -> bool:
    return len(entry_points(group=ENTRY_POINT_GROUP)) > 0


def with_plugins(plugins: tuple[Loaded, ...]) -> Registry:
    """qprep's own and that of some plugins; raises PluginError if two claim one code or name."""
    from qprep.checks import load_checks

    checks = list(load_checks())
    added: dict[str, Codemod] = {}
    targets, formats = dict(TARGETS), dict[str, OutputFormat]()
    owners = {("a rule", key): "qprep" for check in checks for key in (check.rule.code, check.stem)}
    owners |= {("a target", name): "qprep" for name in TARGETS}
    owners |= {("an output format", name): "qprep" for name in own_formats()}
    for plugin in plugins:
        for kind, key in plugin.names:
            if (kind, key) in owners:
                raise PluginError(f"plugin `{plugin.name}`: `{key}` is {kind} of {owners[kind, key]} already")
            owners[kind, key] = f"plugin `{plugin.name}`"
        checks += plugin.checks
        added.update(plugin.codemods)
        targets |= {target.name: target for target in plugin.targets}
        formats |= {each.name: each for each in plugin.formats}
    rows = tuple(row for plugin in plugins for row in plugin.rows)
    stamps = tuple((plugin.name, plugin.stamp) for plugin in plugins)
    return Registry(tuple(checks), added, rows, targets, formats, stamps)
