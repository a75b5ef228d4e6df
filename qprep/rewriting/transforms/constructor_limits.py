"""Settings that a constructor of torch.nn rejects or converts, although the function takes them as they are."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Final

_SIZES: Final = "output_size"
_RATIO: Final = "output_ratio"


def takes_as_given(module: str, settings: Mapping[str, str], defaults: Mapping[str, str | None]) -> bool:
    """True if `torch.nn.<module>` computes with these literal settings what the function computes.

    A constructor fails before the call runs, and it fails also where the call never runs.
    """
    values = {name: ast.literal_eval(text) for name, text in (*defaults.items(), *settings.items()) if text}
    if module == "Hardtanh":
        return _is_below(values.get("min_val"), values.get("max_val"))
    if "Dropout" in module:
        return _is_below(0, values.get("p"), may_be_equal=True) and _is_below(values.get("p"), 1, may_be_equal=True)
    if module.startswith("LPPool"):
        return isinstance(values.get("norm_type"), float)  # the module takes the power of floating-point numbers
    if module.startswith("FractionalMaxPool"):
        return (values.get(_SIZES) is None) != (values.get(_RATIO) is None) and _are_ratios(values.get(_RATIO))
    return True


def _is_below(one: object, other: object, *, may_be_equal: bool = False) -> bool:
    if not (isinstance(one, int | float) and isinstance(other, int | float)):
        return False
    return one < other or (may_be_equal and one == other)


def _are_ratios(value: object) -> bool:
    parts = value if isinstance(value, tuple | list) else [value]
    return value is None or all(_is_below(0, part) and _is_below(part, 1) for part in parts)
