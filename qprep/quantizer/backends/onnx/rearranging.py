# ruff: noqa: ANN401 -- values of any kind
"""ONNX forms of what moves values in several steps: shuffles, rolls, selections by indices, triangles."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from qprep.quantizer.backends.onnx.builder import Builder
from qprep.quantizer.backends.onnx.layer_forms import Form, fixed
from qprep.quantizer.backends.onnx.layout_forms import moved, sliced
from qprep.quantizer.backends.onnx.sizes import Size


def _rearranged(b: Builder, given: dict[str, Any], shape: list[Any], order: list[int]) -> Any:
    """In another shape, its dimensions in another order, and in the shape of the result."""

    def write(name: str) -> str:
        tall = b.op("Reshape", [name, b.shape(shape)])
        return b.op("Reshape", [b.op("Transpose", [tall], perm=order), b.shape(b.outputs[0])])

    return moved(b, given["input"], write)


def _channel_shuffle(b: Builder, given: dict[str, Any]) -> Any:
    batch, channels, *inside = b.value(given["input"]).shape
    groups = given["groups"]
    shape = [batch, groups, fixed([channels])[0] // groups, *inside]
    return _rearranged(b, given, shape, [0, 2, 1, *range(3, len(shape))])


def _pixel_unshuffle(b: Builder, given: dict[str, Any]) -> Any:
    shape, factor = b.value(given["input"]).shape, given["downscale_factor"]
    if len(shape) != 4 or len(fixed(shape[1:])) != 3:
        raise b.fail("a pixel_unshuffle of unbatched input")
    channels, height, width = fixed(shape[1:])
    parts = [shape[0], channels, height // factor, factor, width // factor, factor]
    return _rearranged(b, given, parts, [0, 1, 3, 5, 2, 4])


def _roll(b: Builder, given: dict[str, Any]) -> Any:
    shifts, dims, shape = given["shifts"], given.get("dims"), b.value(given["input"]).shape
    if dims is None or dims == ():
        raise b.fail("a roll of all values as one")
    pairs = [(shifts, dims)] if isinstance(shifts, int) else list(zip(shifts, dims, strict=True))

    def write(name: str) -> str:
        for shift, axis in pairs:
            size = shape[axis % len(shape)]
            at = -shift if isinstance(size, Size) else -shift % size
            ends = [sliced(b, name, axis, (at, 2**62, 1)), sliced(b, name, axis, (0, at, 1))]
            name = b.op("Concat", ends, axis=axis) if at else name
        return name

    return moved(b, given["input"], write)


def _index_select(b: Builder, given: dict[str, Any]) -> Any:
    return moved(b, given["input"], lambda name: b.op("Gather", [name, b.float(given["index"])], axis=given["dim"]))


def _gather(b: Builder, given: dict[str, Any]) -> Any:
    axis = given["dim"]
    return moved(b, given["input"], lambda name: b.op("GatherElements", [name, b.float(given["index"])], axis=axis))


def _triangle(upper: bool) -> Form:
    def form(b: Builder, given: dict[str, Any]) -> Any:
        return b.op(
            "Trilu", [b.float(given["input"]), b.constant(given.get("diagonal", 0), np.int64)], upper=int(upper)
        )

    return form


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "pixel_unshuffle": _pixel_unshuffle,
        "channel_shuffle": _channel_shuffle,
        "roll": _roll,
        "index_select": _index_select,
        "gather": _gather,
        "triu": _triangle(upper=True),
        "tril": _triangle(upper=False),
    }
)
