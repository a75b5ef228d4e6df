"""Scheduling of analyses of open files: on demand for the current text, one at a time, the newest first."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from qprep.cli.lsp.buffers import Buffer
from qprep.cli.lsp.documents import Document, DocumentLook, fixed, look_at
from qprep.engine.execution import ObsoleteError
from qprep.engine.incremental.held import HeldState

_T = TypeVar("_T")
MOST_INTERRUPTIONS: Final = 2  # in a row; the next look at the file ends, so that steady typing shows something, too


@dataclass(slots=True)
class _Running:
    path: Path
    urgent: bool
    obsolete: bool = False


class Looks:
    """Analyses the files that `buffers` gives; the results count until anything changes.

    Use it from one event loop. The looks themselves run in a thread, so that the loop goes on hearing the editor.
    """

    def __init__(self, buffers: Callable[[], Mapping[str, Buffer]]) -> None:
        self._buffers = buffers
        self._held = HeldState()
        self._pool = ThreadPoolExecutor(1)
        self._lock = asyncio.Lock()
        self._epoch = 0
        self._seen: dict[Path, tuple[int, dict[str, Document]]] = {}
        self._running: _Running | None = None
        self._interrupted: Counter[Path] = Counter()

    def changed(self) -> None:
        """Some text, file or setting is another one now: a look that nobody waits for ends soon."""
        self._epoch += 1
        running = self._running
        if running is not None and not running.urgent and self._interrupted[running.path] < MOST_INTERRUPTIONS:
            running.obsolete = True
            self._interrupted[running.path] += 1

    async def now(self, uri: str) -> Document | None:
        """The findings of a document as it is; None if it is not a file or no longer open."""
        while True:
            epoch = self._epoch
            found = await self._look(uri, urgent=True)
            if found is None or epoch == self._epoch:
                return found.get(uri) if found is not None else None

    async def later(self, uri: str) -> dict[str, Document] | None:
        """The findings in the file of a document, by URI; None if a newer analysis replaced this one."""
        return await self._look(uri, urgent=False)

    async def fixed(self, uri: str) -> dict[str, str]:
        """The texts with all safe fixes of the file of a document, where they change; raises QprepError."""
        while True:
            buffer, epoch = self._buffers().get(uri), self._epoch
            if buffer is None:
                return {}
            texts = await self._run(buffer, fixed, urgent=True)
            if texts is not None and epoch == self._epoch:
                return texts

    async def _look(self, uri: str, *, urgent: bool) -> dict[str, Document] | None:
        buffer = self._buffers().get(uri)
        if buffer is None:
            return None
        epoch, known = self._seen.get(buffer.path, (-1, {}))
        if epoch == self._epoch:
            return known
        epoch = self._epoch
        found = await self._run(buffer, look_at, urgent=urgent)
        if found is not None:
            self._seen[buffer.path] = (epoch, found)
            self._interrupted.pop(buffer.path, None)
        return found

    async def _run(self, buffer: Buffer, work: Callable[[DocumentLook], _T], *, urgent: bool) -> _T | None:
        """One after another; what somebody waits for goes before what is only to be shown."""
        if urgent and self._running is not None and not self._running.urgent:
            self._running.obsolete = True
        async with self._lock:
            running = self._running = _Running(buffer.path, urgent)
            overlay = {each.name: each.content for each in self._buffers().values()}
            overlay[buffer.name] = buffer.content
            look = DocumentLook(buffer, overlay, self._held, lambda: running.obsolete)
            try:
                return await asyncio.get_running_loop().run_in_executor(self._pool, work, look)
            except ObsoleteError:
                return None
            finally:
                self._running = None
