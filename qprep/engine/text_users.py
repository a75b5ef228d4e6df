"""Files that may reach a module without an import statement of it: by its name in a text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from qprep.engine.partitioning import Reader

# The functions of Python's library and of pytest that import a module, or run its file, by a name or path.
_LOADS = re.compile(
    rb"(?<!\w)(?:import_module|__import__|spec_from_file_location|run_path|run_module|resolve_name|locate"
    rb"|load_module|exec_module|find_module|load_source|(?:patch|monkeypatch\.setattr)(?=\(\s*[\"']))(?!\w)"
)
_TEXT = rb"[\"'](?:[\w.:/\\-]*[.:/\\])?(?:%s)(?:[.:/\\][\w.:/\\-]*)?[\"']"


def text_users(
    given: Sequence[Path], beside: Sequence[Path], reader: Reader
) -> Callable[[Iterable[Path]], frozenset[Path]]:
    """The other files that may load one of some given files by its name or path: none where no file loads any so.

    These are the files that load modules, whose names may be computed, and those with a text that names one of the
    modules: "net", "net.Net", "models/net.py".
    """
    loading = frozenset(path for path in (*given, *beside) if _LOADS.search(reader.data(path)))
    if not loading:
        return lambda _: frozenset()

    def users(paths: Iterable[Path]) -> frozenset[Path]:
        stems = b"|".join(re.escape(stem) for stem in sorted(set(map(module_stem, paths))))
        named = re.compile(_TEXT % stems)
        return frozenset(path for path in beside if path in loading or named.search(reader.data(path)))

    return users


def module_stem(path: Path) -> bytes:
    """The name that an import of a file ends with."""
    return os.fsencode(path.absolute().parent.name if path.name == "__init__.py" else path.stem)
