"""Options of the ONNX exporter, and its report about the file."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qprep.foundation.errors import QprepError


class Recurrent(enum.Enum):
    """The form of recurrent layers in the file."""

    OPERATOR = "operator"  # as one operator of ONNX in float, with the weights' integers; slots inside are left out
    LOOP = "loop"  # as a Scan over a time step with all its slots
    UNROLLED = "unrolled"  # each time step of the example's length apart


def recurrent_named(name: Recurrent | str | None) -> Recurrent | None:
    """The way to write that `name` names, None if it is left open; QprepError for an unknown one."""
    try:
        return None if name is None else Recurrent(name)
    except ValueError as error:
        known = ", ".join(repr(each.value) for each in Recurrent)
        raise QprepError(f"expected recurrent layers to be written as {known}, found {name!r}") from error


class Style(enum.Enum):
    """The form of quantized operations in the file."""

    QDQ = "qdq"  # float operators between DequantizeLinear and QuantizeLinear
    QOPERATOR = "qoperator"  # QLinearConv and QLinearMatMul, where ONNX has them


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """The options of an export.

    dynamic_batch  whether the inputs' first dimension is free where the model allows it
    recurrent      the form of recurrent layers; None for one operator each, or loops if a trained model needs them
    free           by input and dimension the names of sizes that are free, in place of that
    opset          of the operators, None for the one that the forms are written in
    float_bias     whether biases are stored in float rather than at the product of two scales
    style          whether integers flow between QuantizeLinear and DequantizeLinear, or through operators on integers
    check          whether ONNX Runtime, where it is installed, has to agree with the simulation
    """

    dynamic_batch: bool = True
    recurrent: Recurrent | None = None
    check: bool = True
    free: Mapping[str, Mapping[int, str]] | None = None
    opset: int | None = None
    style: Style = Style.QDQ
    float_bias: bool = False


def style_named(name: Style | str) -> Style:
    """The style that `name` names; QprepError for an unknown one."""
    try:
        return Style(name)
    except ValueError as error:
        known = ", ".join(repr(each.value) for each in Style)
        raise QprepError(f"expected a style of quantized operations, {known}, found {name!r}") from error


class FixedSizesError(Exception):
    """A part that torch.onnx.export writes reads a size that follows the batch: the file needs fixed sizes."""


@dataclass(frozen=True, slots=True)
class Island:
    """An operation in float that torch.onnx.export wrote, where it is, and why."""

    operation: str
    where: str
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.operation} in {self.where}: in float in the ONNX file, written by torch.onnx.export ({self.reason})"
        )


@dataclass(frozen=True, slots=True)
class ExportReport:
    """One file.

    path     where it is; None if the export was only tried
    opset    of its operators
    free     names of sizes that are free, by input and dimension: {"x": {0: "batch"}}
    islands  operations that torch.onnx.export wrote
    notes    what else is to be known: numbers of the example that the file keeps, slots that are left out
    wholes   paths of recurrent layers that are one operator, without the slots inside
    """

    path: Path | None
    opset: int
    free: dict[str, dict[int, str]]
    islands: tuple[Island, ...] = ()
    notes: tuple[str, ...] = ()
    wholes: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """Islands and notes, a sentence each."""
        return [*map(str, self.islands), *self.notes]
