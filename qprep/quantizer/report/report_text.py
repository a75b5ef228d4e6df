"""The report on a terminal."""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import Final

from qprep.quantizer.report.report_data import LayerReport, ReportData, SlotReport

_HEADER: Final = (
    *("layer", "module", "weights", "SNR dB"),
    *("activations", "range", "clipped", "SNR dB", "sensitivity dB", "bytes"),
)
_LEFT: Final = (0, 1, 2, 4, 5)


def as_text(report: ReportData) -> str:
    """A table of the layers, the sums, what to widen first, what stayed in float."""
    rows = [_HEADER, *(row for layer in report.layers for row in _rows(layer))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    table = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    table.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([summary(report), *table, advice(report), *[f"in float: {each}" for each in report.in_float]])


def summary(report: ReportData) -> str:
    """One line of the model as a whole."""
    ratio = report.float_size / report.size if report.size else 1.0
    size = f"{report.size:,.0f} bytes of parameters ({ratio:.2f} times smaller than float)"
    return f"{report.model_class}: {report.output_snr:.1f} dB at the output, {size}"


def advice(report: ReportData) -> str:
    """One line on what to widen."""
    if not report.slots:
        return "nothing is quantized"
    if not report.layers_to_widen:
        return "the sensitivity of single layers was not measured (--sensitivity, or sensitivity=True)"
    found = ", ".join(f"{layer.path or 'the model'} ({layer.sensitivity:.1f} dB)" for layer in report.layers_to_widen)
    return f"give more bits first: {found}"


def numeric(value: float, digits: int = 1) -> str:
    """Nothing for what was not measured."""
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def span(slot: SlotReport) -> str:
    """The range of the values seen."""
    return f"[{slot.low:.4g}, {slot.high:.4g}]" if slot.ran else "never run"


def label(slot: SlotReport) -> str:
    """An input of the model by its name, another slot by its format alone."""
    return f"{slot.format}, {slot.name}" if slot.name.startswith("input ") else slot.format


def _rows(layer: LayerReport) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for number, (weight, activation) in enumerate(zip_longest(layer.weights, layer.activations)):
        present = [each for each in (weight, activation) if each is not None]
        head = (layer.path or "the model", layer.module_class, numeric(layer.sensitivity)) if number == 0 else ("",) * 3
        rows.append(
            (
                *head[:2],
                *(("", "") if weight is None else (weight.format, numeric(weight.snr))),
                *(("", "") if activation is None else (label(activation), span(activation))),
                f"{max(each.clipped for each in present):.3%}",
                "" if activation is None or not activation.ran else numeric(activation.snr),
                head[2],
                "" if weight is None else f"{weight.size:,.0f}",
            )
        )
    return rows


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        cell.ljust(width) if column in _LEFT else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
