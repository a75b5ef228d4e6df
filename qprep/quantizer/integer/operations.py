"""Integer forms of operations, by their names in the catalogue; what has none here runs in float."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from qprep.quantizer.calls import Call
from qprep.quantizer.integer import choices, elementwise, layers, norms, reductions, tables

FORMS: Final[Mapping[str, Callable[[Call], Any]]] = MappingProxyType(
    {**tables.FORMS, **elementwise.FORMS, **layers.FORMS, **reductions.FORMS, **norms.FORMS, **choices.FORMS}
)
