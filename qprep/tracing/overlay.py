"""Lets a process import other bytes than those on disk: a rewrite can be run before it is written."""

from __future__ import annotations

import importlib.machinery
import io
import linecache
import os
import sys
import tokenize
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType


def install(sources: Mapping[str, bytes]) -> None:
    """From now on an import of a file in `sources` (real path: contents) reads those contents; no cache is written."""
    if not sources:
        return
    sys.meta_path.insert(0, _OverlayFinder(sources))
    for path, contents in sources.items():
        text = io.TextIOWrapper(io.BytesIO(contents), tokenize.detect_encoding(io.BytesIO(contents).readline)[0]).read()
        # without a time stamp linecache never looks at the disk: inspect and tracebacks see what runs
        linecache.cache[path] = (len(contents), None, text.splitlines(keepends=True), path)


def overlaid(spec: importlib.machinery.ModuleSpec) -> importlib.machinery.ModuleSpec:
    """A spec that was not asked from the finders, with the loader that they would give it.

    A finder that replaces files has a method `overlay(spec)`, which changes the spec of a file that it replaces.
    """
    for finder in sys.meta_path:
        overlay = getattr(finder, "overlay", None)
        if overlay is not None:
            overlay(spec)
    return spec


class _OverlayFinder(MetaPathFinder):
    """Asks the other finders, and replaces the loader of the files that are overlaid."""

    def __init__(self, sources: Mapping[str, bytes]) -> None:
        self._sources = sources

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: importlib.machinery.ModuleSpec | None = find(fullname, path, target) if find else None
            if spec is not None:
                self.overlay(spec)
                return spec
        return None

    def overlay(self, spec: importlib.machinery.ModuleSpec) -> None:
        contents = self._sources.get(os.path.realpath(spec.origin)) if spec.origin else None
        if contents is not None and spec.origin is not None:
            spec.loader = _OverlayLoader(spec.name, spec.origin, contents)


class _OverlayLoader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, contents: bytes) -> None:
        super().__init__(fullname, path)
        self._contents = contents

    def get_data(self, path: str) -> bytes:
        return self._contents if path == self.path else super().get_data(path)

    def path_stats(self, path: str) -> Mapping[str, object]:
        raise OSError(f"{path} is not read from disk, so it has no cached bytecode")
