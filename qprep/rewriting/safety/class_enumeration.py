"""Files whose classes are listed at run time: a class that a rewrite adds would be listed, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qprep.rewriting.fix_session import remembered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qprep.rewriting.fix_session import RewriteContext

_ASKS_FOR_CLASSES = ("isclass", "issubclass(", ", type)")
_OWN = ("globals()", "vars()", "__name__]")
_OTHERS = ("getmembers(", "vars(", ".__dict__", "dir(")


@remembered
def listed_files(context: RewriteContext) -> frozenset[str]:
    """Modules that some given file searches for classes."""
    return frozenset(_listed_files(context))


def _listed_files(context: RewriteContext) -> Iterator[str]:
    """Modules whose names some given file goes through to find classes, but not by the file that defines them."""
    for name in context.project.given:
        text = context.project.text(name) or ""
        if "__module__" in text or not any(mark in text for mark in _ASKS_FOR_CLASSES):
            continue
        if any(mark in text for mark in _OWN):
            yield name
        index = context.project.index(name) if any(mark in text for mark in _OTHERS) else None
        if index is not None:
            yield from (entry.target for entry in index.imports.values() if entry.target in context.project.given)
