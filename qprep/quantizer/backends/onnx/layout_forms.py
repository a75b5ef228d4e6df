# ruff: noqa: ANN401 -- values of any kind
"""ONNX forms of what moves values: on the integers of a slot where there are some, so that scales pass through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from qprep.quantizer.backends.onnx.builder import Builder, Quantized, Value, container
from qprep.quantizer.backends.onnx.layer_forms import Form, fixed
from qprep.quantizer.backends.onnx.pooling_forms import spread_any
from qprep.quantizer.backends.onnx.run_record import Ref
from qprep.quantizer.backends.onnx.sizes import Size
from qprep.quantizer.formats.affine import QParams


def moved(b: Builder, given: Any, write: Callable[[str], str]) -> Any:
    """`write` applied to the integers of an argument, or to its floats."""
    value = b.value(given)
    found = value.quantized
    if found is None or found.params.axis is not None:
        return write(b.float(value))
    return replace(found, name=write(found.name))


def _reshape(b: Builder, given: dict[str, Any]) -> Any:
    return moved(b, given["input"], lambda name: b.op("Reshape", [name, b.shape(b.outputs[0])]))


def _same(b: Builder, given: dict[str, Any]) -> Any:
    return b.value(given["input"])


def _permuted(function: Callable[..., Tensor]) -> Form:
    """The order of dimensions is read off a tensor whose sizes tell them apart."""

    def form(b: Builder, given: dict[str, Any]) -> Any:
        rank = len(b.value(given["input"]).shape)
        rest = {name: each for name, each in given.items() if name != "input"}
        seen = function(torch.empty(tuple(range(2, rank + 2)), device="meta"), **rest)
        order = [size - 2 for size in seen.shape]
        return moved(b, given["input"], lambda name: b.op("Transpose", [name], perm=order))

    return form


def _permute(b: Builder, given: dict[str, Any]) -> Any:
    rank = len(b.value(given["input"]).shape)
    order = [axis % rank for axis in given["dims"]]
    return moved(b, given["input"], lambda name: b.op("Transpose", [name], perm=order))


def _expand(b: Builder, given: dict[str, Any]) -> Any:
    return moved(b, given["input"], lambda name: b.op("Expand", [name, b.ints(b.outputs[0])]))


def _repeat(b: Builder, given: dict[str, Any]) -> Any:
    x, times = b.value(given["input"]), list(given["repeats"] if "repeats" in given else given["dims"])
    lead = len(times) - len(x.shape)
    tall = moved(b, given["input"], lambda name: b.op("Reshape", [name, b.shape((*[1] * lead, *x.shape))]))
    held = Value((), x.kind, *((None, tall) if isinstance(tall, Quantized) else (tall, None)))
    if held.quantized is not None:
        return replace(held.quantized, name=b.op("Tile", [held.quantized.name, b.ints(times)]))
    return b.op("Tile", [b.float(held), b.ints(times)])


def _interleaved(b: Builder, given: dict[str, Any]) -> Any:
    x, times, dim = b.value(given["input"]), given["repeats"], given.get("dim")
    if not isinstance(times, int) or dim is None:
        raise b.fail("repetitions of different number")
    rank = len(x.shape)
    axis = dim % rank + 1

    def write(name: str) -> str:
        tall = b.op("Unsqueeze", [name, b.constant([axis], np.int64, "axes")])
        counts = [times if place == axis else 1 for place in range(rank + 1)]
        return b.op("Reshape", [b.op("Tile", [tall, b.ints(counts)]), b.shape(b.outputs[0])])

    return moved(b, given["input"], write)


def _split(b: Builder, given: dict[str, Any]) -> Any:
    """Chunks, splits: sizes are those of the results."""
    value = b.value(given["input"])
    axis = given.get("dim", 0) % len(value.shape)
    sizes = [shape[axis] for shape in b.outputs]
    if any(isinstance(each, Size) for each in sizes):
        raise b.fail("a split along the batch")
    return _parts(b, value, axis, fixed(sizes))


def _unbind(b: Builder, given: dict[str, Any]) -> Any:
    value = b.value(given["input"])
    axis = given.get("dim", 0) % len(value.shape)
    parts = _parts(b, value, axis, [1] * len(b.outputs)) if len(b.outputs) > 1 else [value.quantized or b.float(value)]
    return [_squeezed(b, part, axis) for part in parts]


def _parts(b: Builder, value: Value, axis: int, sizes: list[int]) -> list[Any]:
    found = value.quantized
    if found is not None and found.params.axis is not None:
        found = None
    name = b.float(value) if found is None else found.name
    if len(sizes) == 1:
        return [name if found is None else found]
    names = b.ops("Split", [name, b.constant(sizes, np.int64, "sizes")], len(sizes), axis=axis)
    return [each if found is None else replace(found, name=each) for each in names]


def _squeezed(b: Builder, part: Any, axis: int) -> Any:
    name = part.name if isinstance(part, Quantized) else part
    out = b.op("Squeeze", [name, b.constant([axis], np.int64, "axes")])
    return replace(part, name=out) if isinstance(part, Quantized) else out


def _select(b: Builder, given: dict[str, Any]) -> Any:
    axis = given["dim"]
    return moved(
        b, given["input"], lambda name: b.op("Gather", [name, b.constant(given["index"], np.int64)], axis=axis)
    )


def _narrow(b: Builder, given: dict[str, Any]) -> Any:
    start, length, axis = given["start"], given["length"], given["dim"]
    return moved(b, given["input"], lambda name: sliced(b, name, axis, (start, start + length, 1)))


def sliced(b: Builder, name: str, axis: int, bounds: tuple[int, int, int]) -> str:
    """From start to stop, in steps."""
    start, stop, step = (b.ints([each]) for each in bounds)
    return b.op("Slice", [name, start, stop, b.constant([axis], np.int64, "axes"), step])


def _getitem(b: Builder, given: dict[str, Any]) -> Any:
    value, index = b.value(given["input"]), given["index"]
    keys = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(key, (Ref, Tensor, list)) for key in keys):
        return _indexed(b, given, keys)
    taken = sum(key is not None and key is not Ellipsis for key in keys)
    if Ellipsis in keys:
        at = keys.index(Ellipsis)
        keys[at : at + 1] = [slice(None)] * (len(value.shape) - taken)

    def write(name: str) -> str:
        axis = 0
        for key in (key for key in keys if key is not None):
            if isinstance(key, slice):
                if key != slice(None):
                    stop = 2**62 if key.stop is None else key.stop
                    name = sliced(b, name, axis, (key.start or 0, stop, key.step or 1))
                axis += 1
            else:
                name = b.op("Gather", [name, b.constant(key, np.int64)], axis=axis)
        return b.op("Reshape", [name, b.shape(b.outputs[0])]) if None in keys else name

    return moved(b, given["input"], write)


def _indexed(b: Builder, given: dict[str, Any], keys: list[Any]) -> Any:
    places = [at for at, key in enumerate(keys) if key != slice(None)] if len(keys) > 1 else [0]
    if any(isinstance(keys[place], (list, slice)) or keys[place] in (None, Ellipsis) for place in places):
        raise b.fail("an index of tensors together with slices")
    if len(places) > 1:
        return _gathered(b, given["input"], keys, places)
    key = b.value(keys[places[0]])
    if key.kind is torch.bool:
        raise b.fail("an index of booleans")
    return moved(b, given["input"], lambda name: b.op("Gather", [name, b.float(key)], axis=places[0]))


def _gathered(b: Builder, given: Any, keys: list[Any], places: list[int]) -> Any:
    """Several tensors of integers for the first dimensions: their places side by side, and GatherND."""
    shapes = [() if isinstance(keys[at], int) else b.value(keys[at]).shape for at in places]
    kinds = [torch.int64 if isinstance(keys[at], int) else b.value(keys[at]).kind for at in places]
    if places != list(range(len(places))) or torch.bool in kinds:
        raise b.fail("an index of several tensors together with slices, or of booleans")
    rank = max(map(len, shapes))
    sizes = b.ints(b.outputs[0][:rank])
    columns = []
    for at, size in zip(places, shapes, strict=True):
        key, length = b.typed(keys[at], torch.int64), b.value(given).shape[at]
        if not isinstance(keys[at], int) and len(size) < rank:
            key = b.op("Reshape", [key, b.shape((*[1] * (rank - len(size)), *size))])
        around = b.op("Add", [key, b.op("Squeeze", [b.ints([length])])])
        key = b.op("Where", [b.op("Less", [key, b.constant(0, np.int64)]), around, key])
        columns.append(b.op("Unsqueeze", [b.op("Expand", [key, sizes]), b.constant([-1], np.int64, "axes")]))
    index = b.op("Concat", columns, axis=-1)
    return moved(b, given, lambda name: b.op("GatherND", [name, index]))


def _joined(b: Builder, given: dict[str, Any]) -> Any:
    values = [b.value(each) for each in given["tensors"]]
    values = [each for each in values if each.shape != (0,)] or values  # torch joins an empty vector to any tensor
    rank = len(values[0].shape)
    axis = given.get("dim", 0) % rank
    found = [value.quantized for value in values]
    first = found[0]
    if first is not None and all(each is not None and same_grid(each.params, first.params) for each in found):
        return replace(first, name=b.op("Concat", [b.integers(value).name for value in values], axis=axis))
    return b.op("Concat", [b.float(value) for value in values], axis=axis)


def _stacked(b: Builder, given: dict[str, Any]) -> Any:
    values = [b.value(each) for each in given["tensors"]]
    axis = given.get("dim", 0) % (len(values[0].shape) + 1)
    axes = b.constant([axis], np.int64, "axes")
    found = [value.quantized for value in values]
    first = found[0]
    if first is not None and all(each is not None and same_grid(each.params, first.params) for each in found):
        names = [b.op("Unsqueeze", [b.integers(value).name, axes]) for value in values]
        return replace(first, name=b.op("Concat", names, axis=axis))
    return b.op("Concat", [b.op("Unsqueeze", [b.float(value), axes]) for value in values], axis=axis)


def same_grid(one: QParams, other: QParams) -> bool:
    """True if both say the same by the same integers."""
    return (
        one.axis is None
        and other.axis is None
        and bool(one.scale == other.scale)
        and bool(one.zero_point == other.zero_point)
        and container(one) is container(other)
    )


_PADDINGS: Final = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _padded(b: Builder, given: dict[str, Any]) -> Any:
    value, pads = b.value(given["input"]), list(given["pad"])
    rank = len(value.shape)
    before, after = [0] * rank, [0] * rank
    for place in range(len(pads) // 2):
        before[rank - 1 - place], after[rank - 1 - place] = pads[2 * place], pads[2 * place + 1]
    written = _pad(b, given, value, before + after)
    plain = written if isinstance(written, str) else None
    found = None if isinstance(written, str) else written
    is_zeros = given.get("mode", "constant") == "constant" and not given.get("value") and min(before + after) >= 0
    return Value((), value.kind, plain, found, None, (value, (*before, *after)) if is_zeros else None)


def _pad(b: Builder, given: dict[str, Any], value: Value, pads: list[int]) -> Any:
    mode, names = given.get("mode", "constant"), _PADDINGS
    ends = b.constant(pads, np.int64, "pads")
    number = float(given.get("value") or 0.0)
    found = value.quantized
    if found is None or found.params.axis is not None or container(found.params) not in (np.uint8, np.int8):
        return b.op("Pad", [b.float(value), ends, b.floats(number)], mode=names[mode])  # no runtime pads 16 bits
    level = round(number / float(found.params.scale)) + int(found.params.zero_point)
    if mode == "constant" and not found.params.low <= level <= found.params.high:
        return b.op("Pad", [b.float(value), ends, b.floats(number)], mode=names[mode])
    filler = [b.constant(level, container(found.params))] if mode == "constant" else []
    return replace(found, name=b.op("Pad", [found.name, ends, *filler], mode=names[mode]))


def _pixel_shuffle(b: Builder, given: dict[str, Any]) -> Any:
    return b.op("DepthToSpace", [b.float(given["input"])], blocksize=given["upscale_factor"], mode="CRD")


def _flip(b: Builder, given: dict[str, Any]) -> Any:
    def write(name: str) -> str:
        for axis in spread_any(given["dims"], 1):
            start, stop = b.constant([-1], np.int64), b.constant([-(2**62)], np.int64)
            axes, step = b.constant([axis], np.int64, "axes"), b.constant([-1], np.int64)
            name = b.op("Slice", [name, start, stop, axes, step])
        return name

    return moved(b, given["input"], write)


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        **dict.fromkeys(
            ("view", "view_as", "reshape", "reshape_as", "flatten", "ravel", "unflatten", "squeeze", "unsqueeze"),
            _reshape,
        ),
        **dict.fromkeys(
            ("contiguous", "clone", "detach", "positive", "cpu", "cuda", "requires_grad_", "data", "alias"), _same
        ),
        "permute": _permute,
        "transpose": _permuted(torch.transpose),
        "swapaxes": _permuted(torch.swapaxes),
        "swapdims": _permuted(torch.swapdims),
        "movedim": _permuted(torch.movedim),
        "t": _permuted(torch.t),
        "T": _permuted(lambda x: x.T),
        "mT": _permuted(lambda x: x.mT),
        **dict.fromkeys(("expand", "expand_as", "broadcast_to"), _expand),
        **dict.fromkeys(("repeat", "tile"), _repeat),
        **dict.fromkeys(("chunk", "split", "split_with_sizes", "tensor_split"), _split),
        "repeat_interleave": _interleaved,
        "unbind": _unbind,
        "__iter__": _unbind,
        "select": _select,
        "narrow": _narrow,
        "getitem": _getitem,
        "cat": _joined,
        "stack": _stacked,
        "pad": _padded,
        "constant_pad_nd": _padded,
        "pixel_shuffle": _pixel_shuffle,
        "flip": _flip,
    }
)
