"""The report on a terminal."""

from __future__ import annotations

from qprep.quantizer.report import QuantizationReport, SlotReport


def as_text(report: QuantizationReport) -> str:
    """A table of the slots, the sums, what to widen first, what stayed in float."""
    rows = [("slot", "kind", "format", "range", "clipped", "SNR dB", "alone dB"), *map(_row, report.slots)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    table.insert(1, "  ".join("-" * width for width in widths))
    widest = ", ".join(slot.name for slot in report.first_to_widen)
    ratio = report.float_size / report.size if report.size else 1.0
    size = f"{report.size:,.0f} bytes of parameters ({ratio:.2f} times smaller than float)"
    lines = [
        f"{report.model_class}: {report.output_snr:.1f} dB at the output, {size}",
        *table,
        f"give more bits first: {widest or 'nothing is quantized'}",
        *[f"in float: {note}" for note in report.notes],
    ]
    return "\n".join(lines)


def _row(slot: SlotReport) -> tuple[str, ...]:
    kind = slot.scheme if slot.bits is None else f"{slot.bits} bit {slot.scheme}"
    span = f"[{slot.low:.4g}, {slot.high:.4g}]" if slot.low <= slot.high else "never run"
    numbers = (f"{slot.clipped:.3%}", f"{slot.snr:.1f}", f"{slot.sensitivity:.1f}")
    return slot.name, slot.kind, kind, span, *numbers


def _aligned(row: tuple[str, ...], widths: list[int]) -> list[str]:
    return [
        cell.ljust(width) if column < 4 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
