"""The report as one page that loads nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import Final

from qprep.quantizer.report import charts as svg
from qprep.quantizer.report.charts import ChartColumn
from qprep.quantizer.report.graph_picture import draw
from qprep.quantizer.report.graph_view import BoxKind
from qprep.quantizer.report.report_data import LayerReport, ReportData, SlotReport
from qprep.quantizer.report.report_text import label, numeric, span

STYLE: Final = """
.qprep{--ink:#1c2733;--dim:#66727f;--line:#dde3e9;--card:#f5f7f9;--paper:#fff;--a:#2f6fb0;--w:#c27b17;--bad:#c0392b}
@media(prefers-color-scheme:dark){.qprep{--ink:#e3e8ed;--dim:#93a0ad;--line:#323c46;--card:#1e262e;--paper:#151b21;
--a:#6aa9e6;--w:#e0a24a;--bad:#ee7566}}
.qprep{font:14px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:94em;margin:0 auto;
padding:1.5em}
.qprep h1{font-size:1.5em;margin:0}.qprep h2{font-size:1.1em;margin:2em 0 .4em}.qprep p{margin:.3em 0;color:var(--dim)}
.qprep .cards{display:flex;flex-wrap:wrap;gap:.8em;margin:1em 0}
.qprep .card{background:var(--card);border-radius:6px;padding:.6em 1em}.qprep .card b{display:block;font-size:1.35em}
.qprep .wide{overflow-x:auto}.qprep table{border-collapse:collapse;font-variant-numeric:tabular-nums}
.qprep td,.qprep th{padding:.25em .55em;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}
.qprep th{color:var(--dim);font-weight:600;position:sticky;top:0;background:var(--paper)}
.qprep .t{text-align:left;overflow-wrap:break-word}.qprep .costly td:first-child{box-shadow:inset 3px 0 var(--bad)}
.qprep .dim{color:var(--dim)}.qprep .full{width:100%}.qprep .slot span{white-space:nowrap}
.qprep summary,.qprep li,.qprep figcaption,.qprep h1{overflow-wrap:anywhere}
.qprep svg{max-width:100%;height:auto}.qprep .wide svg.long{max-width:none}
.qprep .graph{max-height:80vh;overflow:auto}.qprep .graph svg{max-width:none}
.qprep .facts{display:grid;grid-template-columns:max-content 1fr;gap:.1em 1em;margin:.8em 0}
.qprep caption{text-align:left;font-weight:600;padding:1.2em 0 .3em}
.qprep .facts dt{color:var(--dim)}.qprep .facts dd{margin:0;overflow-wrap:anywhere}
@media(max-width:640px){.qprep{padding:.8em}.qprep .facts{grid-template-columns:1fr}.qprep td,.qprep th{padding:.25em}}
.qprep pre{background:var(--card);border-radius:6px;padding:.7em 1em;margin:.5em 0;overflow-x:auto}
.qprep figure svg{margin-right:1em}
.qprep figure{display:inline-block;margin:.4em 1.2em .4em 0}.qprep figcaption{font-size:.85em;color:var(--dim)}
.qprep summary{cursor:pointer;padding:.25em 0}.qprep li{margin:.15em 0}
.qprep .key{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin:0 .35em 0 1em}
.qprep svg .activation,svg .values{fill:var(--a)}.qprep svg .weight{fill:var(--w)}.qprep svg .lost{fill:var(--bad)}
.qprep svg .grid{stroke:var(--line)}.qprep svg text{font:10px system-ui,sans-serif;fill:var(--dim)}
.qprep svg .tick{text-anchor:end}.qprep svg .place{text-anchor:middle}
"""
_KEYS: Final = (
    '<span class="key" style="background:var(--w)"></span>weights'
    '<span class="key" style="background:var(--a)"></span>activations'
)
_COLUMNS: Final = ("#", "layer", "weights", "activations", "clipped", "sensi&shy;tivity dB", "bytes")
_TEXTS: Final = (1, 2, 3)
_ROUND: Final = (
    "<style>:root{color-scheme:light dark}body{margin:0;background:#fff}"
    "@media(prefers-color-scheme:dark){body{background:#151b21}}</style>"
)


def as_html(report: ReportData) -> str:
    """The whole page."""
    return page(f"{report.model_class}, quantized", as_fragment(report))


def page(title: str, fragment: str) -> str:
    """A page around a fragment of class `qprep`; it loads nothing, and follows the mode of the browser."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{_ROUND}</head>'
        f"<body>{fragment}</body></html>\n"
    )


def as_fragment(report: ReportData) -> str:
    """The page's content: results, settings, advice, charts by depth, layers, graph, histograms, layers in float."""
    parts = (_head, _scores, _facts, _advice, _pictures, _table, _graph, _details, _float)
    return f'<style>{STYLE}</style><div class="qprep">{"".join(part(report) for part in parts)}</div>'


def _head(report: ReportData) -> str:
    ratio = report.float_size / report.size if report.size else 1.0
    cards = (
        (f"{report.output_snr:.1f} dB", "signal to noise at the output"),
        (_bytes(report.size), f"of parameters, {_bytes(report.float_size)} in float"),
        (f"{ratio:.2f} ×", "smaller"),
        (str(len(report.layers)), f"layers, {len(report.slots)} tensors quantized"),
        (str(len(report.in_float)), "left in float"),
    )
    shown = "".join(f'<div class="card"><b>{value}</b>{what}</div>' for value, what in cards)
    return f"<h1>{escape(report.model_class)}</h1><p>{escape(report.method)}</p><div class='cards'>{shown}</div>"


def _scores(report: ReportData) -> str:
    if not report.scores:
        return ""
    rows = "".join(
        f'<tr><td class="t">{escape(each.name)}</td><td>{each.before:.6g}</td><td>{each.after:.6g}</td></tr>'
        for each in report.scores
    )
    return f"<h2>Evaluation</h2><table><tr><th class='t'></th><th>float</th><th>quantized</th></tr>{rows}</table>"


def _facts(report: ReportData) -> str:
    rows = "".join(f"<dt>{escape(each.name)}</dt><dd>{escape(each.value)}</dd>" for each in report.facts)
    return f"<dl class='facts'>{rows}</dl>" if rows else ""


def _advice(report: ReportData) -> str:
    layers, shares = report.layers_to_widen, report.noise_shares
    if not layers:
        return "<h2>Give more bits first</h2><p>The sensitivity of single layers was not measured.</p>"
    rows = "".join(
        f'<tr class="{_mark(report, layer)}"><td class="t">{_name(layer)}</td><td>{layer.sensitivity:.1f}</td>'
        f"<td>{shares.get(layer.path, 0.0):.0%}</td></tr>"
        for layer in layers
    )
    worst = next((layer for layer in layers if layer.path), None)
    line = "" if worst is None else f"overrides:\n  {escape(_quoted(worst.path))}: {{{_wider(worst)}}}"
    hint = f"<p>To give the first of them 16 bits, write in quant.yaml:</p><pre>{line}</pre>" if line else ""
    return (
        "<h2>Give more bits first</h2><p>Sensitivity is the signal-to-noise ratio at the model's output if only this "
        "layer is quantized. A layer is red if it causes more than a tenth of the noise of all layers.</p>"
        f"<table><tr><th class='t'>layer</th><th>sensitivity dB</th><th>share of noise</th></tr>{rows}</table>{hint}"
    )


def _mark(report: ReportData, layer: LayerReport) -> str:
    return "costly" if layer.path in report.costly_layers else ""


def _wider(layer: LayerReport) -> str:
    asked = (("bits_weights", layer.weights), ("bits_activations", layer.activations))
    return ", ".join(f"{name}: 16" for name, slots in asked if slots)


def _pictures(report: ReportData) -> str:
    layers, names = report.layers, [layer.path for layer in report.layers]
    noise = [[_snr(layer, "weight", layer.weight_snr), _snr(layer, "activation", layer.output_snr)] for layer in layers]
    pictures = [
        (
            "Signal to noise by depth",
            f"The signal-to-noise ratio of weights, and of outputs with all earlier layers quantized. {_KEYS}",
            svg.columns([_present(group) for group in noise], names, svg.decibels(_highs(noise))),
        )
    ]
    if report.layers_to_widen:
        kinds = ["lost" if layer.path in report.costly_layers else "values" for layer in layers]
        alone = [
            [ChartColumn(layer.sensitivity, f"{_plain(layer)}: {layer.sensitivity:.1f} dB", kind)]
            for layer, kind in zip(layers, kinds, strict=True)
        ]
        pictures.append(
            (
                "Sensitivity",
                "The ratio at the output if only this layer is quantized. Red bars cause over a tenth of the noise.",
                svg.columns(alone, names, svg.decibels(_highs(alone))),
            )
        )
    spans = [[_span(slot) for slot in layer.slots if slot.ran] for layer in layers]
    bounds = [end for group in spans for mark in group for end in (mark.low, mark.high)]
    pictures.append(
        (
            "Ranges by depth",
            f"The observed values, on a logarithmic scale around zero. {_KEYS}",
            svg.columns(spans, names, svg.magnitudes(bounds)),
        )
    )
    return "".join(f"<h2>{title}</h2><p>{text}</p><div class='wide'>{made}</div>" for title, text, made in pictures)


def _table(report: ReportData) -> str:
    header = "".join(f'<th class="{"t" if at in _TEXTS else ""}">{title}</th>' for at, title in enumerate(_COLUMNS))
    rows = "".join(_row(number, layer, _mark(report, layer)) for number, layer in enumerate(report.layers, 1))
    return (
        "<h2>Layers</h2><p>The table shows the format of each tensor, its signal-to-noise ratio and the range of its "
        "values. The column <i>clipped</i> has the largest share of values outside the range of the integers.</p>"
        f"<div class='wide'><table class='full'><tr>{header}</tr>{rows}</table></div>"
    )


def _row(number: int, layer: LayerReport, mark: str) -> str:
    cells = (
        str(number),
        f"{_breakable(_name(layer))}<div class='dim'>{escape(layer.module_class)}</div>",
        "".join(_slot(slot, slot.format) for slot in layer.weights),
        "".join(_slot(slot, label(slot)) for slot in layer.activations),
        f"{layer.clipped:.3%}",
        numeric(layer.sensitivity),
        f"{layer.size:,.0f}" if layer.weights else "",
    )
    made = "".join(f'<td class="{"t" if at in _TEXTS else ""}">{cell}</td>' for at, cell in enumerate(cells))
    return f'<tr class="{mark}">{made}</tr>'


def _slot(slot: SlotReport, text: str) -> str:
    ratio = f", {slot.snr:.1f} dB" if slot.ran and not math.isnan(slot.snr) else ""
    return f"<div class='slot'>{escape(text)}<span>{ratio}</span> <span class='dim'>{span(slot)}</span></div>"


def _graph(report: ReportData) -> str:
    if not report.graph.boxes:
        return ""
    count = sum(box.kind in (BoxKind.OPERATION, BoxKind.FLOAT) for box in report.graph.boxes)
    return (
        f"<h2>Graph</h2><details><summary>{count} operations in the order in which they run; lines are tensors with "
        f"their bits</summary><div class='graph'>{draw(report.graph)}</div></details>"
    )


def _details(report: ReportData) -> str:
    shown = "".join(
        f"<details{' open' if layer.path in report.costly_layers else ''}>"
        f"<summary>{number}. {_name(layer)} {escape(layer.module_class)}</summary>"
        f"{''.join(map(_figures, layer.slots))}</details>"
        for number, layer in enumerate(report.layers, 1)
    )
    return (
        "<h2>Histograms</h2><p>The float values, with counts on a logarithmic scale. Red values are outside "
        "the range of the integers. "
        f"For weights, the second picture shows the largest magnitude of each channel.</p>{shown}"
    )


def _figures(slot: SlotReport) -> str:
    if not slot.histogram:
        return f"<figure><figcaption>{escape(slot.name)}: never run</figcaption></figure>"
    text = f"{escape(slot.name)} ({slot.kind}, {slot.format}), {slot.clipped:.3%} clipped, {slot.snr:.1f} dB"
    pictures = svg.histogram(slot.histogram, slot.edges, slot.reach, slot.kind)
    if slot.channels:
        pictures += svg.channels(slot.channels)
    return f"<figure>{pictures}<figcaption>{text}</figcaption></figure>"


def _float(report: ReportData) -> str:
    found = "".join(f"<li>{escape(str(each))}</li>" for each in report.in_float)
    return f"<h2>In float</h2><ul>{found or '<li>nothing</li>'}</ul>"


def _snr(layer: LayerReport, kind: str, value: float) -> ChartColumn:
    return ChartColumn(value, f"{_plain(layer)}, {kind}s: {value:.1f} dB", kind)


def _present(group: list[ChartColumn]) -> list[ChartColumn]:
    return [mark for mark in group if not math.isnan(mark.high)]


def _highs(groups: list[list[ChartColumn]]) -> Iterator[float]:
    return (mark.high for group in groups for mark in group)


def _span(slot: SlotReport) -> ChartColumn:
    return ChartColumn(slot.high, f"{slot.name}: {span(slot)}", slot.kind, slot.low)


def _plain(layer: LayerReport) -> str:
    return layer.path or "the model"


def _name(layer: LayerReport) -> str:
    return escape(_plain(layer))


def _breakable(name: str) -> str:
    """An escaped module path that may wrap behind its dots and underscores."""
    return name.replace(".", ".<wbr>").replace("_", "_<wbr>")


def _quoted(path: str) -> str:
    return '"' + path.replace(".", r"\\.") + '"'


def _bytes(number: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.2f} {unit}"
        number /= 1000
    return f"{number:.2f} GB"
