"""Pruners: each gives masks of parameters."""

from typing import Final

from qprep.compression.pruners import baidu, levels, ranked, splicing

BUILT_IN: Final = (baidu, levels, ranked, splicing)
