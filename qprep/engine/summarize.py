"""The summaries of many files, read by as many processes as pay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qprep.analysis.dependencies.partitions import ALONE, UNIT_BYTES, Partition
from qprep.analysis.inputs import Files, Setting
from qprep.analysis.symbols.import_links import module_name
from qprep.analysis.symbols.module_summary import ModuleSummary, read_summary
from qprep.engine.partitioning import Division
from qprep.engine.scheduler import ExternalModules, PartLook, run_parts
from qprep.engine.work import Work
from qprep.foundation.source import display_path

if TYPE_CHECKING:
    from qprep.engine.config.settings import SettingsResolver
    from qprep.engine.execution import Effort

VERB = "summarize"
SummariesByPath = dict[Path, ModuleSummary]


def summaries_of(
    paths: Iterable[Path], *, settings: SettingsResolver, overlay: Mapping[str, bytes], effort: Effort
) -> SummariesByPath:
    """The summaries of files; none of one that cannot be read."""
    parts = tuple(Partition(tuple(chunk), ALONE) for chunk in _chunks(paths, Files(overlay)))
    every = Division(tuple(path for part in parts for path in part.paths), parts, None)
    work = Work([every], settings, overlay, replace(effort, cache=None, tell=None))
    found: SummariesByPath = {}
    for summarized in run_parts(PartLook(VERB, partial(summarize_part, overlay=overlay)), work):
        found.update(summarized)
    return found


def summarize_part(
    paths: Sequence[Path], setting: Setting, *, overlay: Mapping[str, bytes]
) -> tuple[SummariesByPath, ExternalModules]:
    """Read the summaries of a few files."""
    files = Files(overlay, setting.broken)
    found: SummariesByPath = {}
    for path in paths:
        setting.tell(display_path(path))
        text = files.text(path)
        if text is not None:
            found[path] = read_summary(module_name(path)[0], path, text)
    return found, {}


def _chunks(paths: Iterable[Path], files: Files) -> Iterator[list[Path]]:
    """Files of about a unit's size together."""
    chunk: list[Path] = []
    held = 0
    for path in paths:
        chunk.append(path)
        held += files.size(path)
        if held >= UNIT_BYTES:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk
