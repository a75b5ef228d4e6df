"""Exporters by name.

An exporter is found in a file of this folder, or in a module that a package names under the entry point group
`qprep.quantizer.exporters`. The module lists its exporters in `EXPORTERS`, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean
from qprep.quantizer.backends.exporters.exporter_protocol import Exporter
from qprep.quantizer.extension_modules import LazyTable, extension_modules

GROUP: Final = "qprep.quantizer.exporters"  # of entry points: each names a module


def _exporters() -> Mapping[str, Exporter]:
    found: dict[str, Exporter] = {}
    for module in extension_modules(__name__, GROUP, "exporters"):
        for name, each in getattr(module, "EXPORTERS", {}).items():
            if name in found:
                raise QprepError(f"expected one exporter called {name!r}, found {found[name]!r} and {each!r}")
            if not callable(getattr(each, "export", None)) or not isinstance(getattr(each, "packages", None), tuple):
                raise QprepError(f"expected `export` and `packages` in the exporter {name!r}, found {each!r}")
            found[name] = each
    return found


EXPORTERS: Final[Mapping[str, Exporter]] = LazyTable(_exporters)


def exporter(name: str) -> Exporter:
    """The exporter for a runtime; QprepError for an unknown one, and if its packages are missing."""
    found = EXPORTERS.get(name)
    if found is None:
        raise QprepError(
            f"expected an exporter among {', '.join(EXPORTERS)}, found {name!r}{did_you_mean(name, EXPORTERS)}"
        )
    missing = [each for each in found.packages if find_spec(each) is None]
    if missing:
        raise QprepError(f"expected the package {' and '.join(missing)} to export for {name}, found none")
    return found
