"""Names in folders, each folder read once: most dotted names are not those of a file."""

from __future__ import annotations

import os


class FolderNames:
    """The names in folders, as they were when each was first needed."""

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}

    def may_hold(self, folder: str, dotted: list[str]) -> bool:
        """False if no module of a dotted name, given in parts, can be below a folder."""
        for part in dotted[:-1]:
            if not self._has(folder, part):
                return False
            folder = os.path.join(folder, part)
        return self._has(folder, dotted[-1]) or self._has(folder, f"{dotted[-1]}.py")

    def _has(self, folder: str, name: str) -> bool:
        if not name.isascii():
            return True  # file systems have forms of their own for other letters
        if folder not in self._names:
            self._names[folder] = _listed(folder)
        return name in self._names[folder]


def _listed(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()
