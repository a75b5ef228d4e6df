"""Progress bars on standard error, shown when work takes long and somebody watches."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator

_PATIENCE = 1.0  # seconds before anything is shown

Watch = Callable[[str, int, int | None], None]


@contextlib.contextmanager
def bars(enabled: bool = True) -> Iterator[Watch]:
    """A progress bar, called with the name of the step, the number done and the total; removed at the end."""
    if not (enabled and sys.stderr.isatty()):
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    known = {}
    start = threading.Timer(_PATIENCE, progress.start)
    start.daemon = True
    start.start()

    def watch(what: str, done: int, total: int | None) -> None:
        if what not in known:
            known[what] = progress.add_task(what, total=total)
        progress.update(known[what], completed=done, total=total)

    try:
        yield watch
    finally:
        start.cancel()
        progress.stop()
