"""Integer forms of operations, by their names in the catalogue; what has none here runs in float."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from qprep.quantizer.backends.integer import (
    integer_attention,
    integer_choices,
    integer_elementwise,
    integer_layers,
    integer_norms,
    integer_reductions,
    lookup_tables,
)
from qprep.quantizer.graph.call_rows import Call

FORMS: Final[Mapping[str, Callable[[Call], Any]]] = MappingProxyType(
    {
        **lookup_tables.FORMS,
        **integer_elementwise.FORMS,
        **integer_layers.FORMS,
        **integer_reductions.FORMS,
        **integer_norms.FORMS,
        **integer_choices.FORMS,
        **integer_attention.FORMS,
    }
)
