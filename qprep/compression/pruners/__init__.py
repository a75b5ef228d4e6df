"""Pruners: each gives masks of parameters."""

from typing import Final

from qprep.compression.pruners import (
    baidu,
    channels,
    levels,
    nm,
    one_shot,
    ranked,
    reconstruction,
    splicing,
    thresholds,
)

BUILT_IN: Final = (baidu, channels, levels, nm, one_shot, ranked, reconstruction, splicing, thresholds)
