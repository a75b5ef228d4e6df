"""Tables of a model: how sparse its weights are, what its layers compute, what its modules hold."""

from __future__ import annotations

import enum
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from torch import Tensor, nn

from qprep.compression.structure import Product, StructureError, products
from qprep.compression.structure.running import plain
from qprep.quantizer.report.report_page import STYLE, page

Cell = str | int | float


class What(enum.Enum):
    """A table of a summary."""

    SPARSITY = "sparsity"
    COMPUTE = "compute"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; the last row holds totals, "" if there are none."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def records(self) -> list[dict[str, Cell]]:
        """Each row by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def __str__(self) -> str:
        cells = [self.columns, *(tuple(map(_text, row)) for row in self.rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(self.columns))]
        left = [all(isinstance(row[column], str) for row in self.rows) for column in range(len(self.columns))]
        lines = [_line(row, widths, left) for row in cells]
        rule = "  ".join("-" * width for width in widths)
        return "\n".join([self.title, lines[0], rule, *lines[1:-1], rule, lines[-1]])

    def html(self) -> str:
        """A table element; its numbers are aligned to the right."""
        head = "".join(f"<th>{escape(column)}</th>" for column in self.columns)
        body = "".join(f"<tr>{''.join(map(_html, row))}</tr>" for row in self.rows)
        return f"<table><caption>{escape(self.title)}</caption><tr>{head}</tr>{body}</table>"


@dataclass(frozen=True, slots=True)
class Summary:
    """The tables that were wanted: text with `str`, HTML in a notebook, plain data for JSON."""

    tables: tuple[Table, ...]

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.tables))

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables)

    def to_html(self) -> str:
        """Return a self-contained page of the tables."""
        tables = "".join(f"<div class='wide'>{table.html()}</div>" for table in self.tables)
        return page("Summary", f"<style>{STYLE}</style><div class='qprep'>{tables}</div>")

    def __getitem__(self, what: str | What) -> Table:
        """The table called `what`; KeyError where it was not wanted."""
        return {table.title: table for table in self.tables}[what if isinstance(what, str) else what.value]

    def to_dict(self) -> dict[str, list[dict[str, Cell]]]:
        """By table, its rows by column; the last one holds totals."""
        return {table.title: table.records() for table in self.tables}

    def to_json(self) -> str:
        """`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=2) + "\n"


def summary(model: nn.Module, *example_inputs: Any, what: Iterable[str] | None = None) -> Summary:
    """Tables of `model`: "sparsity", "compute", "model"; all of them, "compute" only with example inputs.

    sparsity  for each weight of two dimensions or more, Distiller's columns: elements, those that are not 0, and the
              percentage of columns, rows, input channels, kernels (2D), filters (3D) and elements (Fine) that are 0
    compute   for each call of a layer, shapes of input and output, elements of its weight, multiply-accumulates
    model     for each module with parameters of its own, their number and their bytes

    Raises StructureError for a table of another name, for "compute" without inputs, and where the model does not run.
    """
    inner = plain(model)
    wanted = _wanted(what, has_inputs=bool(example_inputs))
    makers: dict[What, Callable[[], Table]] = {
        What.SPARSITY: lambda: _sparsity(inner),
        What.COMPUTE: lambda: _compute(inner, products(inner, *example_inputs)),
        What.MODEL: lambda: _model(inner),
    }
    return Summary(tuple(makers[each]() for each in wanted))


def _wanted(what: Iterable[str] | None, *, has_inputs: bool) -> list[What]:
    if what is None:
        return [each for each in What if has_inputs or each is not What.COMPUTE]
    known = {each.value: each for each in What}
    names = list(dict.fromkeys([what] if isinstance(what, str) else what))
    wrong = next((name for name in names if name not in known), None)
    if wrong is not None or not names:
        raise StructureError(f"expected tables out of {', '.join(known)}, found {wrong!r}")
    if "compute" in names and not has_inputs:
        raise StructureError("expected example inputs for the compute table, found none")
    return [known[name] for name in names]


_SPARSITY = (
    *("Name", "Shape", "NNZ (dense)", "NNZ (sparse)"),
    *("Cols (%)", "Rows (%)", "Ch (%)", "2D (%)", "3D (%)", "Fine (%)", "Std", "Mean", "Abs-Mean"),
)


def _sparsity(model: nn.Module) -> Table:
    weights = [(name, each.detach()) for name, each in model.named_parameters() if each.dim() > 1]
    rows = [_sparsity_row(name, each) for name, each in weights]
    dense, sparse = sum(each.numel() for _, each in weights), sum(int(each.count_nonzero()) for _, each in weights)
    blank = ("",) * 3
    total = ("Total", "", dense, sparse, *blank, "", "", _percent(dense - sparse, dense), *blank)
    return Table(What.SPARSITY.value, _SPARSITY, (*rows, total))


def _sparsity_row(name: str, weight: Tensor) -> tuple[Cell, ...]:
    """Matrices have rows and columns, convolutions channels, kernels and filters; the others are 0."""
    zero = weight == 0
    matrix, size = weight.dim() == 2, weight.numel()
    spatial = zero.flatten(2).all(2) if not matrix else zero
    structures = (
        (spatial.all(0) if matrix else spatial.new_zeros(1)),
        (spatial.all(1) if matrix else spatial.new_zeros(1)),
        (spatial.new_zeros(1) if matrix else spatial.all(0)),
        (spatial.new_zeros(1) if matrix else spatial),
        (spatial.new_zeros(1) if matrix else spatial.all(1)),
        zero,
    )
    shares = [_percent(int(each.count_nonzero()), each.numel()) for each in structures]
    values = weight.double()
    spread = float(values.std()) if size > 1 else 0.0
    moments = (spread, float(values.mean()), float(values.abs().mean())) if size else (0.0, 0.0, 0.0)
    return (name, _shape(weight.shape), size, int(weight.count_nonzero()), *shares, *moments)


_COMPUTE = ("Name", "Type", "Attrs", "IFM", "IFM volume", "OFM", "OFM volume", "Weights volume", "MACs")


def _compute(model: nn.Module, calls: tuple[Product, ...]) -> Table:
    rows = [_compute_row(model, call) for call in calls]
    sums = [sum(int(row[column]) for row in rows) for column in (7, 8)]
    return Table(What.COMPUTE.value, _COMPUTE, (*rows, ("Total", "", "", "", "", "", "", *sums)))


def _compute_row(model: nn.Module, call: Product) -> tuple[Cell, ...]:
    module = model.get_submodule(call.module)
    attributes = f"k={tuple(kernel)}" if isinstance(kernel := getattr(module, "kernel_size", None), tuple) else ""
    return (
        *(call.module or "the model", type(module).__name__, attributes),
        *(_shape(call.input), math.prod(call.input), _shape(call.output), math.prod(call.output)),
        *(call.size, call.macs),
    )


_MODEL = ("Name", "Type", "Parameters", "Trainable", "Bytes")


def _model(model: nn.Module) -> Table:
    rows = list(_model_rows(model))
    sums = [sum(int(row[column]) for row in rows) for column in (2, 3, 4)]
    return Table(What.MODEL.value, _MODEL, (*rows, ("Total", "", *sums)))


def _model_rows(model: nn.Module) -> Iterator[tuple[Cell, ...]]:
    """Parameters that several modules share count in the first."""
    seen: Counter[Tensor] = Counter()
    for path, module in model.named_modules():
        own = [each for each in module.parameters(recurse=False) if not seen[each]]
        seen.update(own)
        if own:
            trained = sum(each.numel() for each in own if each.requires_grad)
            size = sum(each.numel() * each.element_size() for each in own)
            yield path or "the model", type(module).__name__, sum(each.numel() for each in own), trained, size


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _shape(sizes: Iterable[int]) -> str:
    return f"({', '.join(map(str, sizes))})"


def _text(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:.5f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _html(cell: Cell) -> str:
    align = "" if isinstance(cell, str) else ' style="text-align: right"'
    return f"<td{align}>{escape(_text(cell))}</td>"


def _line(row: tuple[str, ...], widths: list[int], left: list[bool]) -> str:
    cells = (
        text.ljust(width) if to_left else text.rjust(width)
        for text, width, to_left in zip(row, widths, left, strict=True)
    )
    return "  ".join(cells).rstrip()
