"""The licence files of the distribution that a package belongs to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path

_LICENCE = re.compile(r"(un)?licen[cs]e|copying|notice|copyright|authors", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Origin:
    """A distribution: its name, version and licence files by the name that they are kept under."""

    name: str
    version: str
    licences: dict[str, bytes]


def origin_of(top: str, folder: Path) -> Origin:
    """The distribution that installs the package `top`, which lies in `folder`; without one, the folder itself."""
    names = packages_distributions().get(top, [])
    if not names:
        return Origin(top, "of no version", _beside(folder))
    found = distribution(names[0])
    return Origin(found.metadata["Name"], found.version, {**_beside(folder), **_of(found)})


def _of(found: Distribution) -> dict[str, bytes]:
    licences: dict[str, bytes] = {}
    for entry in found.files or ():
        path = Path(str(entry.locate()))
        if ".dist-info" in str(entry) and _LICENCE.match(entry.name) and path.is_file():
            licences[entry.name] = path.read_bytes()
    return licences


def _beside(folder: Path) -> dict[str, bytes]:
    """Files in the package's own folder."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix in ("", ".txt", ".md", ".rst")]
    return {path.name: path.read_bytes() for path in files if _LICENCE.match(path.name)}
