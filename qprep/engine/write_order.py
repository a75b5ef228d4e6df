"""The order in which rewritten files are written: those that define something before those that use it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qprep.analysis.dependencies.topological_order import users_first
from qprep.analysis.inputs import Files
from qprep.analysis.symbols.module_resolver import Project

if TYPE_CHECKING:
    from qprep.engine.results import ChangedFile


def definitions_first(changed: Sequence[ChangedFile]) -> list[ChangedFile]:
    """Changed files, each after those that its new text imports; files that import each other by name.

    Should a run be stopped among them, the files written so far run with the ones that are not yet.
    """
    if len(changed) < 2:
        return list(changed)
    files = Files({entry.path: entry.old.encode(entry.new_text) for entry in changed})
    project = Project(files.text, [Path(entry.path) for entry in changed])
    by_path = {Path(entry.path): entry for entry in changed}
    return [by_path[project.given[name]] for name in reversed(users_first(project))]
