"""Report of a compression: sparsity by layer and over time, losses, removed channels, notes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

import torch

from qprep.compression.history import MACS, History
from qprep.compression.logs.record import Event
from qprep.compression.pictures import bars, lines
from qprep.compression.sparsity import kernel_sparsity, sparsity_of, total_sparsity, weights_of
from qprep.compression.training import Training
from qprep.compression.windows import Epochs, Steps, Window
from qprep.foundation.atomic_write import save
from qprep.quantizer.report.report_page import STYLE, page


@dataclass(frozen=True, slots=True)
class WeightRow:
    """One weight: shape, number of values, those that are not 0, shares of zeros of values and of kernels."""

    name: str
    shape: tuple[int, ...]
    number: int
    left: int
    sparsity: float
    kernel_sparsity: float


@dataclass(frozen=True, slots=True, repr=False)
class CompressionReport:
    """All weights as they are, policies with their windows, what was removed, values over time, notes.

    macs    multiply-accumulates of one run before anything was removed and now, None if they are not known
    times   by policy, in the order of `policies`, its name and the epochs that it runs in, each as (first, end)
    frozen  a sentence for each weight whose channels cannot be removed, where a policy removes some

    `str` is the text; `_repr_html_` shows the page in a notebook.
    """

    model_class: str
    sparsity: float
    rows: tuple[WeightRow, ...]
    policies: tuple[str, ...]
    changes: tuple[str, ...]
    notes: tuple[str, ...]
    events: tuple[Event, ...]
    macs: tuple[int, int] | None = None
    frozen: tuple[str, ...] = ()
    times: tuple[tuple[str, tuple[tuple[float, float], ...]], ...] = ()

    def __str__(self) -> str:
        wide = max((len(row.name) for row in self.rows), default=4)
        head = f"{self.model_class}: sparsity {self.sparsity:.2%} of {sum(row.number for row in self.rows):,} weights"
        table = [f"{'weight':{wide}}  {'shape':>16}  {'values':>10}  {'left':>10}  sparsity  kernels"]
        table += [
            f"{row.name:{wide}}  {'x'.join(map(str, row.shape)):>16}  {row.number:>10,}  {row.left:>10,}  "
            f"{row.sparsity:>8.2%}  {row.kernel_sparsity:>7.2%}"
            for row in self.rows
        ]
        macs = [] if self.macs is None else [f"multiply-accumulates: {self.macs[1]:,} of {self.macs[0]:,}"]
        policies, notes = [f"policy: {each}" for each in self.policies], [f"note: {each}" for each in self.notes]
        stay = [f"stays: {each}" for each in self.frozen]
        return "\n".join([head, *macs, *table, *policies, *self.changes, *stay, *notes])

    def _repr_html_(self) -> str:
        return self.fragment()

    def fragment(self) -> str:
        """The page's body."""
        cards = [
            (f"{self.sparsity:.1%}", "of the weights are 0"),
            (f"{sum(row.left for row in self.rows):,}", f"weights left of {sum(row.number for row in self.rows):,}"),
            (str(len(self.policies)), "policies"),
        ]
        if self.macs is not None:
            cards.append((f"{self.macs[1]:,}", f"multiply-accumulates, {self.macs[0]:,} before"))
        shown = "".join(f'<div class="card"><b>{value}</b>{what}</div>' for value, what in cards)
        pictures = "".join(self._picture(*each) for each in _PICTURES)
        return (
            f'<style>{STYLE}</style><div class="qprep"><h1>{escape(self.model_class)}, compressed</h1>'
            f'<div class="cards">{shown}</div>{pictures}{self._table()}'
            f"{_list('Schedule', self.policies)}{self._schedule()}{_list('Changes of the model', self.changes)}"
            f"{_list('Channels that stay', self.frozen) if self.frozen else ''}{_list('Notes', self.notes)}</div>"
        )

    def to_html(self, path: str | Path) -> None:
        """Write the page: one file that loads nothing."""
        save(Path(path), page(f"{self.model_class}, compressed", self.fragment()).encode(), "report")

    def save(self, path: str | Path) -> None:
        """Write the report: a page for .html, data for .json, text for anything else."""
        suffix = Path(path).suffix.lower()
        if suffix in (".html", ".htm"):
            self.to_html(path)
        elif suffix == ".json":
            save(Path(path), (json.dumps(dataclasses.asdict(self), indent=1) + "\n").encode(), "report")
        else:
            save(Path(path), f"{self}\n".encode(), "report")

    def _picture(self, title: str, prefix: str, says: str) -> str:
        series: dict[str, list[tuple[float, float]]] = {}
        for each in self.events:
            if each.name.startswith(prefix):
                series.setdefault(each.name.removeprefix("sparsity/weights/"), []).append((each.epoch, each.value))
        return f"<h2>{title}</h2><p>{says}</p><div class='wide'>{lines(series)}</div>" if series else ""

    def _schedule(self) -> str:
        shown = bars(self.times)
        return f"<p>Epochs of each policy.</p><div class='wide'>{shown}</div>" if shown else ""

    def _table(self) -> str:
        rows = "".join(
            f'<tr><td class="t">{escape(row.name)}</td><td>{"×".join(map(str, row.shape))}</td><td>{row.number:,}</td>'
            f"<td>{row.left:,}</td><td>{row.sparsity:.2%}</td><td>{row.kernel_sparsity:.2%}</td></tr>"
            for row in self.rows
        )
        head = '<th class="t">weight</th><th>shape</th><th>values</th><th>left</th><th>sparsity</th><th>kernels</th>'
        return f"<h2>Weights</h2><div class='wide'><table><tr>{head}</tr>{rows}</table></div>"


_SINGLY: Final = 200  # epochs with a bar each
_PICTURES: Final = (
    ("Sparsity", "sparsity/weights/", "Share of zeros at the end of each epoch."),
    ("Multiply-accumulates", MACS, "Of one run on the example inputs, at the end of each epoch."),
    ("Loss", "loss", "Mean over each epoch: all, and what each policy adds."),
    ("Learning rate", "lr/", "By group of the optimizer."),
    ("Metrics", "metrics/", "As given to on_epoch_end."),
)


def report_of(
    training: Training, history: History, policies: Sequence[tuple[str, Window]], frozen: tuple[str, ...] = ()
) -> CompressionReport:
    """The report of a training as it is now."""
    rows = tuple(
        WeightRow(
            name,
            tuple(each.shape),
            each.numel(),
            int(torch.count_nonzero(each)),
            sparsity_of(each),
            kernel_sparsity(each),
        )
        for name, each in weights_of(training.names)
    )
    changes = tuple(
        "channels were removed" if each["kind"] == "thinning" else f"quantizers of {each['policy']} were put in"
        for each in training.records
    )
    shown = tuple(f"{name}, {when_of(window)}" for name, window in policies)
    total = total_sparsity(training.names)
    counts = [round(each.value) for each in history.events if each.name == MACS]
    macs = (counts[0], counts[-1]) if counts else None
    name, notes = type(training.model).__name__, tuple(training.notes)
    times = tuple((name, spans_of(window, training.clock.minibatches)) for name, window in policies)
    return CompressionReport(name, total, rows, shown, changes, notes, tuple(history.events), macs, frozen, times)


def spans_of(window: Window, minibatches: int | None) -> tuple[tuple[float, float], ...]:
    """The epochs of a window as (first, end); of one by steps none as long as their number in an epoch is not known."""
    if isinstance(window, Epochs):
        if window.frequency == 1 and isinstance(window.values, range):
            return ((window.values[0], window.end),)
        if len(window.values) <= _SINGLY:
            return tuple((each, each + 1) for each in window.values)
        return ((window.values[0], window.values[-1] + 1),)
    start, end = (float(getattr(window, name)) for name in ("start", "end"))
    if not isinstance(window, Steps):
        return ((start, end),)
    return ((start / minibatches, end / minibatches),) if minibatches else ()


def when_of(window: Window) -> str:
    """A window in words."""
    values = getattr(window, "values", None)
    if values is None:
        unit = "steps" if type(window).__name__ == "Steps" else "epochs"
        start, end, step = (getattr(window, name) for name in ("start", "end", "frequency"))
        return f"{unit} {start:g} to {end:g}, every {step:g}"
    return f"epoch {values[0]}" if len(values) == 1 else f"epochs {values[0]} to {values[-1]} ({len(values)} epochs)"


def _list(title: str, sentences: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(each)}</li>" for each in sentences)
    return f"<h2>{title}</h2><ul>{items or '<li>none</li>'}</ul>"
