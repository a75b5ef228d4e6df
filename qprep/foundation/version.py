"""The version of qprep, and the folder that it is installed in."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__version__ = "0.1.0"
PACKAGE_FOLDER: Final = Path(__file__).absolute().parents[1]
"""The folder `qprep/` itself; its parent is what `sys.path` needs."""
