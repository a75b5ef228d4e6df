"""Ranges that operations decide by themselves, by their names in the catalogue."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from torch import nn

from qprep.quantizer.graph import Node, Range

# Where the function is bounded whatever it is given: the catalogue's "fixed-range" rows.
OUTPUTS: Final[Mapping[str, Range]] = MappingProxyType(
    {
        **dict.fromkeys(("sigmoid", "hardsigmoid", "softmax", "softmin", "gumbel_softmax", "ndtr"), (0.0, 1.0)),
        **dict.fromkeys(("tanh", "softsign", "sin", "cos", "erf"), (-1.0, 1.0)),
    }
)

# Where the function no longer changes in what 8 bits can say, or ignores its input: sigmoid ±6, tanh ±4.
_INPUTS: Final[Mapping[str, Range]] = MappingProxyType(
    {
        "sigmoid": (-6.0, 6.0),
        "tanh": (-4.0, 4.0),
        "hardsigmoid": (-3.0, 3.0),
        "hardswish": (-3.0, math.inf),
    }
)

# Functions that clamp and change nothing inside: what they clamp away need not be representable before them.
_CLAMPS: Final[Mapping[str, Callable[[nn.Module], Range]]] = MappingProxyType(
    {
        "relu": lambda _: (0.0, math.inf),
        "relu6": lambda _: (0.0, 6.0),
        "hardtanh": lambda module: (_number(module, "min_val", -math.inf), _number(module, "max_val", math.inf)),
        "clamp": lambda module: (_number(module, "min", -math.inf), _number(module, "max", math.inf)),
        "clamp_min": lambda module: (_number(module, "min", -math.inf), math.inf),
        "clamp_max": lambda module: (-math.inf, _number(module, "max", math.inf)),
    }
)


def clamp_range(node: Node) -> Range | None:
    """What a node that only clamps leaves; None for any other node."""
    if not node.owned or node.op is None or len(node.inputs) != 1:
        return None
    if isinstance(node.module, nn.ReLU6):  # torch writes it as hardtanh
        return 0.0, 6.0
    given = _CLAMPS.get(node.op.name)
    return None if given is None else given(node.module)


def useful_input(node: Node) -> Range | None:
    """The part of its input's range that a node can tell apart; None where that is everything."""
    known = clamp_range(node)
    if known is None and node.owned and node.op is not None:
        known = _INPUTS.get(node.op.name)
    return known


def _number(module: nn.Module, name: str, default: float) -> float:
    value: Any = getattr(module, name, None)
    return float(value) if isinstance(value, int | float) else default
