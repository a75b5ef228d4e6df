# ruff: noqa: ANN401 -- values of any kind
"""Puts an ONNX graph together: values in float, or as integers that a slot's scale belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor
from torch.nn import Parameter

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.onnx.export_report import Island
from qprep.quantizer.backends.onnx.run_record import Ref, Step
from qprep.quantizer.backends.onnx.runtime_check import WrittenSlot
from qprep.quantizer.backends.onnx.sizes import Dim, Size, Spread
from qprep.quantizer.formats.affine import QParams
from qprep.quantizer.formats.stored import integers
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer

OPSET: Final = 21
_ONNX: Final = {
    torch.float32: TensorProto.FLOAT,
    torch.float16: TensorProto.FLOAT16,
    torch.bfloat16: TensorProto.BFLOAT16,
    torch.float64: TensorProto.DOUBLE,
    torch.int64: TensorProto.INT64,
    torch.int32: TensorProto.INT32,
    torch.int16: TensorProto.INT16,
    torch.int8: TensorProto.INT8,
    torch.uint8: TensorProto.UINT8,
    torch.bool: TensorProto.BOOL,
}


# Constants of these types are stored as float32, which is what the file computes in.
WIDER: Final = (torch.float64, torch.bfloat16)


def onnx_type(kind: torch.dtype) -> int:
    """ONNX's number of a type."""
    return int(_ONNX[kind])


class NoFormError(QprepError):
    """An operation, or a use of it, that these forms do not cover: `reason` says which."""

    def __init__(self, reason: str, where: str) -> None:
        self.reason = reason
        super().__init__(f"expected operations with an ONNX form, found {reason} in {where}")


@dataclass(frozen=True, slots=True)
class Quantized:
    """Integers in the graph: their name, those of scale and zero point, and the grid."""

    name: str
    scale: str
    zero: str
    params: QParams


@dataclass(slots=True)
class Value:
    """A tensor in the graph; `name` is None until somebody reads it in float.

    layer     the convolution or linear layer that gives it, so that a BatchNorm behind can be folded into it
    unpadded  where it is another value with zeros around it: that, and how many before and behind each dimension
    """

    shape: tuple[Dim, ...]
    kind: torch.dtype
    name: str | None = None
    quantized: Quantized | None = None
    layer: WrittenLayer | None = None
    unpadded: tuple[Value, tuple[int, ...]] | None = None


@dataclass(frozen=True, slots=True)
class WrittenLayer:
    """A layer with weights as it was written: what makes it again with other integers, scales and bias.

    axis  the dimension of its weight that its channels, dimension 1 of what it gives, are along
    """

    ints: Tensor
    params: QParams
    axis: int
    bias: Tensor | None
    write: Callable[[Value, Tensor | None], str]


class Builder:
    """Collects nodes and initializers; `slots` quantize parameters.

    outer       where this is the body of a loop: the graph around it, which holds all constants
    float_bias  whether biases are stored in float; TensorRT's files
    unsigned    whether grids of activations in int8 are written as uint8: runtimes join operators on integers whose
                activations are all of one type
    """

    def __init__(self, slots: dict[Parameter, TensorQuantizer], outer: Builder | None = None) -> None:
        self.outer = outer
        self.float_bias: bool = False if outer is None else outer.float_bias
        self.unsigned: bool = False if outer is None else outer.unsigned
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {} if outer is None else outer.initializers
        self.values: dict[int, Value] = {}
        self.slots = slots
        self.readers: Counter[int] = Counter()
        self.step: Step | None = None
        self.islands: list[Island] = [] if outer is None else outer.islands  # what torch.onnx.export wrote
        self.free: dict[str, tuple[str, int]] = {} if outer is None else outer.free  # inputs that have free sizes
        self.written: list[WrittenSlot] = []
        self._constants: dict[int, tuple[Tensor, Value]] = {}
        self._grids: dict[tuple[float, int, str], tuple[str, str]] = {}
        self._sizes: dict[str, str] = {}

    @property
    def outputs(self) -> tuple[tuple[Dim, ...], ...]:
        """The shapes that the step gives."""
        return () if self.step is None else self.step.shapes

    @property
    def kinds(self) -> tuple[torch.dtype, ...]:
        """Their types."""
        return () if self.step is None else self.step.kinds

    def op(self, kind: str, inputs: Sequence[str], /, *, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output; returns its name."""
        return self.ops(kind, inputs, 1, domain=domain, **attributes)[0]

    def ops(
        self, kind: str, inputs: Sequence[str], outputs: int, /, *, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node; returns the names of its outputs."""
        where = self.step.path if self.step is not None and self.step.path else "model"
        name = self.unique(f"{where}/{kind}")
        names = [name if outputs == 1 else f"{name}:{index}" for index in range(outputs)]
        given = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=name, domain=domain, **given))
        return names

    def unique(self, name: str) -> str:
        """A name that no other node has, in the graph around neither."""
        inside = "" if self.outer is None else f"loop{len(self.outer.nodes)}/"
        return f"{inside}{name}_{len(self.nodes)}"

    def constant(self, array: Any, kind: Any = None, name: str = "constant") -> str:
        """An initializer of these numbers."""
        values = np.asarray(array, dtype=kind, order="C")
        made = f"{name}_{len(self.initializers)}"
        self.initializers[made] = numpy_helper.from_array(values, made)
        return made

    def floats(self, *numbers: float) -> str:
        """One number as a scalar, several as a vector."""
        return self.constant(numbers[0] if len(numbers) == 1 else numbers, np.float32)

    def ints(self, numbers: Sequence[Dim]) -> str:
        """A vector of int64: a constant, or computed where it follows the batch."""
        if all(isinstance(each, int) for each in numbers):
            return self.constant(list(numbers), np.int64, "sizes")
        parts = [self._size(each) for each in numbers]
        return parts[0] if len(parts) == 1 else self.op("Concat", parts, axis=0)

    def shape(self, dims: Sequence[Dim]) -> str:
        """A shape to reshape to: at most one size that follows the batch is left to the runtime."""
        if sum(isinstance(each, Size) for each in dims) == 1 and 0 not in dims:
            return self.constant([-1 if isinstance(each, Size) else each for each in dims], np.int64, "shape")
        return self.ints(dims)

    def value(self, given: Any) -> Value:
        """The name of an argument in the graph; constants become initializers, parameters with a slot integers."""
        if isinstance(given, Ref):
            return self.values[given.number]
        if isinstance(given, Spread):
            return self._spread(given)
        if not isinstance(given, Tensor):
            return Value((), torch.float32, self.floats(float(given)))
        if self.outer is not None:
            value = self.outer.value(given)
            self.outer.float(value)  # scaled once, not in each turn of the loop
            return value
        if id(given) not in self._constants:
            self._constants[id(given)] = (given, self._constant(given))
        return self._constants[id(given)][1]

    def _spread(self, given: Spread) -> Value:
        found = self.op("Expand", [self.constant(given.value.numpy()), self.ints(given.shape)])
        for axis, step in given.slopes:
            ends = [self.constant(0, np.int64), self.op("Squeeze", [self.ints(given.shape[axis : axis + 1])])]
            places = self.op("Range", [*ends, self.constant(1, np.int64)])
            kind = onnx_type(given.value.dtype)
            rising = self.op("Mul", [self.op("Cast", [places], to=kind), self.typed(step, given.value.dtype)])
            tall = self.constant([-1, *[1] * (len(given.shape) - axis - 1)], np.int64, "shape")
            found = self.op("Add", [found, self.op("Reshape", [rising, tall])])
        return Value(given.shape, given.value.dtype, found)

    def float(self, given: Any) -> str:
        """The name of an argument's float values (or of its integers, where it is an integer tensor)."""
        value = given if isinstance(given, Value) else self.value(given)
        if value.name is None:
            found = self.integers(value)
            value.name = self.dequantized(found)
            if found.params.group_size and len(value.shape) != 2:
                value.name = self.op("Reshape", [value.name, self.shape(value.shape)])
        return value.name

    def typed(self, given: Any, kind: torch.dtype) -> str:
        """The name of an argument's values in the type `kind`, cast where they are of another."""
        if isinstance(given, bool | int | float):
            number = torch.tensor(given, dtype=torch.float32 if kind in WIDER else kind)
            return self.constant(number.numpy())
        value = given if isinstance(given, Value) else self.value(given)
        name = self.float(value)
        return name if value.kind is kind else self.op("Cast", [name], to=onnx_type(kind))

    def integers(self, value: Value) -> Quantized:
        """The integers of a value that has them."""
        if value.quantized is None:
            raise ValueError("a value in float has no integers")
        return value.quantized

    def dequantized(self, given: Quantized) -> str:
        """DequantizeLinear."""
        axis, group = given.params.axis, given.params.group_size
        extra = {"axis": 1, "block_size": group} if group else {"axis": axis}
        return self.op("DequantizeLinear", [given.name, given.scale, given.zero], **extra)

    def quantized(self, name: str, params: QParams) -> Quantized:
        """QuantizeLinear, and a Clip where the grid is narrower than its type.

        In 8 bits the Clip is behind it, on integers, so that ONNX Runtime joins the layer before it with
        QuantizeLinear to one operator on integers. TensorRT clips nothing but floats, ONNX Runtime no 16 bits.
        """
        params = self.activation_grid(params)
        kind, names = container(params), self.grid(params)
        bounds = (params.low, params.high)
        if bounds == (np.iinfo(kind).min, np.iinfo(kind).max):
            return Quantized(self.op("QuantizeLinear", [name, *names]), *names, params)
        if self.float_bias or kind not in (np.int8, np.uint8):
            zero, scale = int(params.zero_point), float(params.scale)
            name = self.op("Clip", [name, *(self.floats((bound - zero) * scale) for bound in bounds)])
            return Quantized(self.op("QuantizeLinear", [name, *names]), *names, params)
        name = self.op("QuantizeLinear", [name, *names])
        ends = [self.constant(bound, kind, "limit") for bound in bounds]
        return Quantized(self.op("Clip", [name, *ends]), *names, params)

    def activation_grid(self, params: QParams) -> QParams:
        """The grid that a slot's integers are written in: in uint8 rather than int8 where `unsigned` says so."""
        if not self.unsigned or container(params) is not np.int8:
            return params
        shift = 2**7
        return replace(params, zero_point=params.zero_point + shift, low=params.low + shift, high=params.high + shift)

    def reshaped(self, value: Value, shape: tuple[Dim, ...]) -> Value:
        """A value in another shape, on its integers where it has some."""
        found = value.quantized
        if found is None or found.params.axis is not None:
            return Value(shape, value.kind, self.op("Reshape", [self.float(value), self.shape(shape)]))
        name = self.op("Reshape", [found.name, self.shape(shape)])
        return Value(shape, value.kind, None, replace(found, name=name))

    def array(self, name: str) -> Any:
        """The numbers of an initializer."""
        return numpy_helper.to_array(self.initializers[name])

    def grid(self, params: QParams) -> tuple[str, str]:
        """The names of scale and zero point of a grid with one scale, once for all that share it."""
        kind = container(params)
        key = (float(params.scale), int(params.zero_point), kind.__name__)
        if key not in self._grids:
            scale = self.constant(key[0], np.float32, "scale")
            self._grids[key] = (scale, self.constant(key[1], kind, "zero_point"))
        return self._grids[key]

    def fail(self, reason: str) -> NoFormError:
        """An error that names the module that runs, and the line of the model's code that calls."""
        return NoFormError(reason, "the model" if self.step is None else self.step.where)

    def _size(self, size: Dim) -> str:
        if isinstance(size, int):
            return self.constant([size], np.int64, "size")
        found = ""
        for names, factor in size.terms:
            factors = [self._free_size(name) for name in names]
            if factor != 1 or not names:
                factors.append(self.constant([factor], np.int64, "size"))
            product = factors[0]
            for each in factors[1:]:
                product = self.op("Mul", [product, each])
            found = self.op("Add", [found, product]) if found else product
        return found

    def _free_size(self, name: str) -> str:
        if name not in self._sizes:
            given, axis = self.free[name]
            self._sizes[name] = self.op("Shape", [given], start=axis, end=axis + 1)
        return self._sizes[name]

    def _constant(self, tensor: Tensor) -> Value:
        found = self._stored(tensor)
        if found is not None:
            return Value(tuple(tensor.shape), tensor.dtype, None, found)
        kind = tensor.detach().float() if tensor.dtype in WIDER else tensor.detach()
        return Value(tuple(tensor.shape), kind.dtype, self.constant(kind.cpu().numpy()))

    def _stored(self, tensor: Tensor) -> Quantized | None:
        """The integers of a parameter with a slot, or of successive rows of it."""
        whole = tensor if isinstance(tensor, Parameter) else tensor._base  # noqa: SLF001
        slot = self.slots.get(whole) if isinstance(whole, Parameter) else None
        if slot is None or whole is None or slot.spec.is_float:
            return None
        ints, params = integers(slot, whole)
        if whole is tensor:
            return self.store(ints, params, slot.name)
        row = whole[0].numel()
        first = (tensor.storage_offset() - whole.storage_offset()) // row
        if not tensor.is_contiguous() or tensor.shape[1:] != whole.shape[1:] or params.axis not in (None, 0):
            return None
        here = slice(first, first + tensor.shape[0])
        if params.axis == 0 and not params.group_size:
            params = replace(params, scale=params.scale[here], zero_point=params.zero_point[here])
        return None if params.group_size else self.store(ints[here], params, f"{slot.name}.{first}")

    def store(self, ints: Tensor, params: QParams, name: str) -> Quantized:
        """Integers as initializers, with their scales and zero points."""
        kind = container(params)
        scale, zero = params.scale, params.zero_point
        if params.group_size:
            if params.axis != 0:
                raise self.fail(f"groups along dimension {params.axis} of {name}")
            rows = (ints.shape[0], -1)
            ints, scale, zero = ints.reshape(rows), scale.reshape(rows), zero.reshape(rows)
        names = (
            self.constant(scale.detach().cpu().numpy(), np.float32, f"{name}.scale"),
            self.constant(zero.detach().cpu().numpy(), kind, f"{name}.zero_point"),
        )
        return Quantized(self.constant(ints.cpu().numpy(), kind, name), *names, params)


def container(params: QParams) -> Any:
    """The numpy type that stores a grid's integers."""
    if params.low >= 0:
        return np.uint8 if params.high < 2**8 else np.uint16
    return np.int8 if params.low >= -(2**7) and params.high < 2**7 else np.int16
