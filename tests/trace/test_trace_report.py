"""The report: text, HTML, JSON, table and tree."""

from __future__ import annotations

import json

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.tracing import TraceReport
from qprep.tracing import trace as trace_model
from qprep.tracing.text_tables import as_table, as_tree


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()
        self.spare = nn.Linear(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.act(x) + x)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def report() -> TraceReport:
    return trace_model(nn.Sequential(_Block(), nn.Sequential(_Block()), nn.Tanh()), torch.ones(2, 3))


def _printed(shown: object) -> str:
    console = Console(width=400, color_system=None)
    with console.capture() as capture:
        console.print(shown)
    return capture.get()


def test_totals(report: TraceReport) -> None:
    totals = report.totals
    assert (totals.operations, totals.owned, totals.unowned) == (7, 5, 2)
    assert (totals.reused, totals.never_run, totals.modules) == (2, 2, 9)
    assert not report.is_prepared
    assert trace_model(nn.Sequential(nn.ReLU()), torch.ones(1)).is_prepared


def test_json_round_trip(report: TraceReport) -> None:
    assert TraceReport.from_json(report.to_json()) == report
    data = json.loads(report.to_json())
    assert data["is_prepared"] is False
    assert data["totals"]["unowned"] == 2
    assert {event["op"] for event in data["events"]} == {"add", "relu", "tanh"}


@pytest.mark.parametrize("text", ["", "[]", '{"version": 99}', '{"version": 1}'])
def test_json_of_something_else(text: str) -> None:
    with pytest.raises(QprepError, match="expected the JSON of a trace report"):
        TraceReport.from_json(text)


def test_text_puts_instances_together(report: TraceReport) -> None:
    lines = str(report).splitlines()
    assert lines[0] == (
        "Sequential: not prepared; 7 operations (5 owned, 2 unowned), 2 of 9 modules reused, 2 never run"
    )
    assert "add  0 and 1 more (_Block)  float32 2x3 ×2" in lines[1]
    assert "0.act and 1 more (ReLU) ran 2 times each: " in lines[2]
    assert lines[3:] == ["  0.spare never ran", "  1.0.spare never ran"]


def test_html_is_escaped(report: TraceReport) -> None:
    html = report._repr_html_()
    assert html.count("<tr>") == 2
    assert "0 and 1 more (_Block)" in html
    lambda_model = type("A<b>", (nn.Sequential,), {})(nn.ReLU())
    assert "A&lt;b&gt;: prepared" in trace_model(lambda_model, torch.ones(1))._repr_html_()


def test_table(report: TraceReport) -> None:
    shown = _printed(as_table(report))
    assert "add" in shown
    assert "tanh" not in shown
    assert "Modules that never ran\n  0.spare\n  1.0.spare" in shown
    every = _printed(as_table(report, every=True)).splitlines()
    assert next(line for line in every if "tanh" in line).split()[-1] == "yes"
    assert next(line for line in every if "add" in line).split()[-1] == "no"


def test_tree(report: TraceReport) -> None:
    lines = [line.rstrip() for line in _printed(as_tree(report)).splitlines()]
    assert lines[0] == "Sequential  2 unowned"
    assert "├── 1: Sequential  1 unowned" in lines
    assert "│   └── 0: _Block  1 unowned" in lines
    assert "└── 2: Tanh" in lines
    assert len(lines) == 9
