"""Coverage of the runs of models: a run proves nothing about a fix in code that it did not run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qprep.engine.baseline import DefinitionSpans
from qprep.engine.runtime_evidence.run_lookup import Runs, range_of, real_path
from qprep.foundation.source import SourceError, SourceFile

if TYPE_CHECKING:
    from qprep.foundation.findings import Finding


@dataclass(slots=True)
class RunCoverage:
    """The code that forward passes of the original models evaluated, by expression or by enclosing class."""

    runs: Runs
    _scopes: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def targets(self) -> str:
        """The models that ran, as a message names them."""
        return ", ".join(self.runs.targets)

    def expression(self, finding: Finding, scope: str) -> bool:
        """True if a run went through the expression of a finding in the original sources.

        An expression of a constructor counts where it was evaluated to build a model and the class ran. `scope` is
        the dotted name of the function around it.
        """
        path, where = real_path(finding.path), range_of(finding)
        if self.runs.ran_inside(path, where):
            return True
        return self.runs.built_inside(path, where) and self.scope(finding.path, scope)

    def scope(self, path: str, scope: str) -> bool:
        """True if a run went through code of the class around the function `scope`, in the original sources."""
        owner = scope.rpartition(".")[0] or scope
        if any(module.module_class == owner and module.calls for module in self.runs.modules):
            return True
        return any(name == owner or name.startswith(f"{owner}.") for name in self._run_scopes(path))

    def _run_scopes(self, path: str) -> frozenset[str]:
        if path not in self._scopes:
            lines = self.runs.lines_run(real_path(path))
            self._scopes[path] = _scopes_at(path, lines) if lines else frozenset()
        return self._scopes[path]


def _scopes_at(path: str, lines: frozenset[int]) -> frozenset[str]:
    """The dotted names of the innermost classes and functions that hold the lines of a file."""
    try:
        scopes = DefinitionSpans.of(SourceFile.read(path))
    except (OSError, SourceError):
        return frozenset()
    return frozenset(scopes.around(line) for line in lines)
