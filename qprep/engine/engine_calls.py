"""The calls that the engine answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from qprep.engine.config.settings import SettingsResolver
from qprep.engine.execution import Effort
from qprep.engine.results import CheckResult, FixResult

if TYPE_CHECKING:
    from qprep.engine.baseline import Baseline
    from qprep.engine.runtime_evidence.equivalence_gate import Proof
    from qprep.engine.runtime_evidence.observer import Observe


class Engine(Protocol):
    """The calls that the command line and the public functions make; the module `qprep.engine.runs` answers them.

    `overlay` gives files' bytes by their path as reported (`display_path`), instead of reading them: standard input,
    an editor's buffers. `observe` runs the user's models, `prove` tries a rewrite before it is written.
    """

    def check(
        self,
        paths: Sequence[Path],
        settings: SettingsResolver,
        *,
        overlay: Mapping[str, bytes] | None = None,
        observe: Observe | None = None,
        effort: Effort | None = None,
        beside: Sequence[Path] = (),
    ) -> CheckResult:
        """Find; changes nothing. The files `beside` are read for their effects on the given ones."""

    def fix(
        self,
        paths: Sequence[Path],
        settings: SettingsResolver,
        *,
        write: bool,
        overlay: Mapping[str, bytes] | None = None,
        observe: Observe | None = None,
        prove: Proof | None = None,
        effort: Effort | None = None,
        baseline: Baseline | None = None,
        beside: Sequence[Path] = (),
    ) -> FixResult:
        """Rewrite; with `write` false nothing on disk changes. What the `baseline` holds stays as it is."""
