"""The folder of qprep's cache that belongs to the current folder: where rewritten sources of packages are kept."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

from qprep.foundation.atomic_write import replace

_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of qprep's; it may be deleted.\n"
_PREPARED = "prepared"
# As in `engine.config` and `engine.incremental`, whose import would cost more than the import of many a package.
DEFAULT_NAME = ".qprep_cache"
CONFIG_NAMES = ("qprep.toml", "pyproject.toml")


def prepared_folder() -> Path:
    """The folder for rewritten sources, made where it is not there; a temporary one where none can be written.

    As for `qprep check`: QPREP_CACHE_DIR, `cache-dir` of the closest configuration file, or `.qprep_cache` next to that
    file or in the current folder.
    """
    try:
        return _made(_chosen())
    except OSError:
        return _temporary()


def _chosen() -> Path:
    given = os.environ.get("QPREP_CACHE_DIR")
    if given:
        return Path(given).absolute()
    here = Path.cwd()
    folders = [each for each in (here, *here.parents) if any((each / name).is_file() for name in CONFIG_NAMES)]
    if not folders:
        return here / DEFAULT_NAME
    from qprep.engine.config.settings import choices
    from qprep.engine.config.settings_file import find_config, read_config
    from qprep.engine.rule_registry import installed

    config = next(filter(None, map(find_config, folders)), None)
    if config is None:
        return here / DEFAULT_NAME
    return config.parent / (read_config(config, choices(installed())).cache_dir or DEFAULT_NAME)


def _made(cache: Path) -> Path:
    if not cache.exists():
        cache.mkdir(parents=True)
        replace(cache / ".gitignore", b"*\n")
        replace(cache / "CACHEDIR.TAG", _TAG.encode())
    folder = cache / _PREPARED
    folder.mkdir(exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(folder)
    return folder


@functools.cache
def _temporary() -> Path:
    """One folder for this process; it stays, since loaded modules refer to files in it."""
    return Path(tempfile.mkdtemp(prefix="qprep-prepared-"))
