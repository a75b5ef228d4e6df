"""What a renderer gets: findings, the rules behind them, and the sources that they point into."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from qprep.findings import Finding, Rule
from qprep.source import SourceError, SourceFile

_KEPT = 8  # findings come sorted by path: a few files at hand are enough, whatever the size of the tree


@dataclass(slots=True)
class Sources:
    """Reads files as renderers need them; `overlay` holds bytes by path that are not on disk (or not yet)."""

    overlay: Mapping[str, bytes] = field(default_factory=dict)
    _cache: OrderedDict[str, SourceFile | None] = field(default_factory=OrderedDict, init=False, repr=False)

    def get(self, path: str) -> SourceFile | None:
        """A file by its path as reported; None where it cannot be read, which then is itself a finding."""
        if path not in self._cache:
            self._cache[path] = self._read(path)
            if len(self._cache) > _KEPT:
                self._cache.popitem(last=False)
        return self._cache[path]

    def _read(self, path: str) -> SourceFile | None:
        try:
            data = self.overlay.get(path)
            return SourceFile.read(path) if data is None else SourceFile.from_bytes(path, data)
        except SourceError:
            return None


@dataclass(frozen=True, slots=True)
class Report:
    """One run's outcome.

    fixed     how many findings were fixed; None: the run was a check
    unknown   how many places were left out because the kind of their values is not known
    known     how many findings were left out because the baseline holds them
    footer    whether human formats end with a summary
    color     whether human formats use colours
    unsafe    whether unsafe fixes were asked for
    """

    findings: tuple[Finding, ...]
    rules: Mapping[str, Rule]
    sources: Sources
    fixed: int | None = None
    unknown: int = 0
    known: int = 0
    footer: bool = True
    color: bool = False
    unsafe: bool = False
