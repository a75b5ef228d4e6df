"""Ranges that operations decide by themselves, by their names in the catalogue."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from torch import nn

from qprep.quantizer.formats.spec import Range
from qprep.quantizer.graph.quantization_graph import Node

_WIDEST: Final = 16

# Where the function is bounded whatever it is given: the catalogue's "fixed-range" rows.
OUTPUTS: Final[Mapping[str, Range]] = MappingProxyType(
    {
        **dict.fromkeys(("sigmoid", "hardsigmoid", "softmax", "softmin", "gumbel_softmax", "ndtr"), (0.0, 1.0)),
        **dict.fromkeys(("tanh", "softsign", "sin", "cos", "erf"), (-1.0, 1.0)),
    }
)

# Where the function ignores its input. A level over exactly [-3, 3] gives hardsigmoid a level of its output, and each
# value would lie halfway between two of them: the last bit of a float would decide, in each runtime another way.
_HALF: Final = 3.0 * (1 + 1 / 128)
_INPUTS: Final[Mapping[str, Range]] = MappingProxyType({"hardsigmoid": (-_HALF, _HALF), "hardswish": (-3.0, math.inf)})

# Where it no longer changes in what its output's bits can say: 1 - sigmoid(x) is e^-x, 1 - tanh(x) is 2 e^-2x, and the
# top level of b bits is reached within 2^-(b+2). A forget gate that stops a level below 1 forgets in a hundred steps.
_SATURATING: Final[Mapping[str, float]] = MappingProxyType({"sigmoid": math.log(2), "tanh": math.log(2) / 2})

# Functions that clamp and change nothing inside: what they clamp away need not be representable before them.
CLAMPS: Final[Mapping[str, Callable[[nn.Module], Range]]] = MappingProxyType(
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
    """The range that a node which only clamps leaves; None for any other node."""
    if not node.owned or node.op is None or len(node.inputs) != 1:
        return None
    if isinstance(node.module, nn.ReLU6):  # torch writes it as hardtanh
        return 0.0, 6.0
    given = CLAMPS.get(node.op.name)
    return None if given is None else given(node.module)


def useful_input(node: Node) -> Range | None:
    """The part of its input's range that a node can tell apart; None if that is everything."""
    known = clamp_range(node)
    if known is not None or not node.owned or node.op is None:
        return known
    if node.op.name in _SATURATING:
        reach = _SATURATING[node.op.name] * (_output_bits(node) + 2)
        return -reach, reach
    return _INPUTS.get(node.op.name)


def _output_bits(node: Node) -> int:
    """Bits of the widest output; of one in float, as many as any integer format has."""
    bits = [None if edge.spec is None else edge.spec.bits for edge in node.outputs]
    return max((each or _WIDEST for each in bits), default=_WIDEST)


def _number(module: nn.Module, name: str, default: float) -> float:
    value: Any = getattr(module, name, None)
    return float(value) if isinstance(value, int | float) else default
