"""The entry point group of plugins, known without loading what plugins are made of."""

from __future__ import annotations

from typing import Final

GROUP: Final = "qprep.plugins"
