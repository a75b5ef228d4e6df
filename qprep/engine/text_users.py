"""Files that may reach a module without an import statement of it: by its name in a text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qprep.engine.partitioning import Reader

# The functions of Python's library that import a module, or run its file, by a name or path; with the import they need.
_LOADS = re.compile(
    rb"(?<!\w)(?:import_module|spec_from_file_location|run_path|run_module|resolve_name|locate"
    rb"|load_module|exec_module|find_module|load_source|__import__)(?!\w)"
)
_LIBRARIES = re.compile(rb"(?<!\w)(?:import|from)[^\n]*(?<!\w)(?:importlib|runpy|pkgutil|pydoc|imp|zipimport)(?!\w)")
_ALONE = re.compile(rb"(?<!\w)(?:__import__(?=\s*\()|(?:patch|monkeypatch\.setattr)(?=\(\s*[\"']))")
_TEXT = rb"[\"'](?:[\w.:/\\-]*[.:/\\])?(?:%s)(?:[.:/\\][\w.:/\\-]*)?[\"']"


@dataclass(frozen=True, slots=True)
class TextUsers:
    """The files that may load some modules by their names.

    `loading` load modules, whose names may be computed. `naming` have a text that names one of the modules, such as
    "net", "net.Net" or "models/net.py": they use the module where they pass the text to code that loads it.
    """

    loading: frozenset[Path]
    naming: frozenset[Path]


def text_users(given: Sequence[Path], beside: Sequence[Path], reader: Reader) -> Callable[[Iterable[Path]], TextUsers]:
    """The files that may load some of the given ones by name or path: none where no file loads any so."""
    loading = frozenset(path for path in (*given, *beside) if loads_modules(reader.data(path)))
    if not loading:
        return lambda _: TextUsers(frozenset(), frozenset())

    def users(paths: Iterable[Path]) -> TextUsers:
        stems = b"|".join(re.escape(stem) for stem in sorted(set(map(module_stem, paths))))
        named = re.compile(_TEXT % stems)
        return TextUsers(loading, frozenset(path for path in beside if named.search(reader.data(path))))

    return users


def loads_modules(text: bytes) -> bool:
    """True if a file may load modules by their names."""
    by_library = _LOADS.search(text) is not None and _LIBRARIES.search(text) is not None
    return by_library or _ALONE.search(text) is not None


def module_stem(path: Path) -> bytes:
    """The name that an import of a file ends with."""
    return os.fsencode(path.absolute().parent.name if path.name == "__init__.py" else path.stem)
