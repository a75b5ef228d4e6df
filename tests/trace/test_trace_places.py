"""An event's range is that of the expression's syntax node."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libcst
import pytest
import torch
from libcst.metadata import MetadataWrapper, PositionProvider
from torch import nn

from qprep.tracing import trace as trace_model

Build = Callable[[str], nn.Module]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Import a model whose forward has the given lines."""

    def make(body: str, newline: str = "\n", prefix: str = "") -> nn.Module:
        lines = ["import torch", "from torch import nn", "import torch.nn.functional as F", ""]
        lines += ["class Model(nn.Module):", "    def forward(self, x):"]
        lines += [f"        {line}" for line in body.splitlines()] + ["        return x", ""]
        path = tmp_path / "model.py"
        path.write_bytes((prefix + newline.join(lines)).encode())
        spec = importlib.util.spec_from_file_location("model_under_trace", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        model = module.Model()
        assert isinstance(model, nn.Module)
        return model

    return make


def _texts(model: nn.Module, *inputs: torch.Tensor) -> list[str]:
    """The source text of each event."""
    report = trace_model(model, *inputs)
    source = Path(report.events[0].path or "").read_text(encoding="utf-8-sig").splitlines(keepends=True)
    texts = []
    for event in report.events:
        lines = source[event.line - 1 : event.end_line]
        tail = len(lines[-1]) - (event.end_column - 1)
        texts.append("".join(lines)[event.column - 1 : -tail or None])
    return texts


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x = torch.relu(x) + 1", ["torch.relu(x)", "torch.relu(x) + 1"]),
        ("x += 1", ["x += 1"]),
        ("x = -(x * 2)", ["-(x * 2)", "x * 2"]),
        ("x = 1 - (x / 2)", ["1 - (x / 2)", "x / 2"]),
        ("x = sum([x, x])", ["sum([x, x])"]),
        ("x = x.relu().exp()", ["x.relu()", "x.relu().exp()"]),
        ("x = (x\n     .relu()\n     .exp(\n     ))", ["x\n             .relu()",
                                                        "x\n             .relu()\n             .exp(\n             )"]),
        ("s = 'größe → 漢字'; x = x + len(s); x = F.relu(x)", ["x + len(s)", "F.relu(x)"]),
        ("x = [y * 2 for y in (x,)][0]", ["y * 2"]),
        ("x = (lambda y: y @ y)(x)", ["y @ y"]),
        ("x = (z := x.abs()) if True else x", ["x.abs()"]),
        ("x = torch.cat([x.sin(), x.cos()], dim=1)", ["torch.cat([x.sin(), x.cos()], dim=1)", "x.sin()", "x.cos()"]),
    ],
)  # fmt: skip
def test_range_is_the_expression(build: Build, body: str, expected: list[str]) -> None:
    assert _texts(build(body), torch.ones(2, 2)) == expected


@pytest.mark.parametrize(("newline", "prefix"), [("\r\n", ""), ("\n", "\ufeff")])
def test_range_in_odd_files(build: Any, newline: str, prefix: str) -> None:
    assert _texts(build("y = 'ä'; x = x + 1\nx = x.relu()", newline, prefix), torch.ones(2)) == ["x + 1", "x.relu()"]


def test_range_equals_libcst(build: Build) -> None:
    body = "x = F.relu(\n    x + 1\n)\nx = (x * 2)\nx = (x\n     .sin()\n     .cos())\nx -= 1"
    report = trace_model(build(body), torch.ones(2))
    wrapper = MetadataWrapper(libcst.parse_module(Path(report.events[0].path or "").read_text()))
    nodes = {
        (place.start.line, place.start.column + 1, place.end.line, place.end.column + 1)
        for node, place in wrapper.resolve(PositionProvider).items()
        if isinstance(node, (libcst.BaseExpression, libcst.AugAssign))
    }
    ranges = [(event.line, event.column, event.end_line, event.end_column) for event in report.events]
    assert len(ranges) == 6
    assert set(ranges) <= nodes


def test_traceback_line_of_a_chain(build: Build) -> None:
    report = trace_model(build("x = (x\n     .sin()\n     .cos())"), torch.ones(2))
    assert [(event.op, event.line, event.lineno) for event in report.events] == [("sin", 7, 8), ("cos", 7, 9)]


def test_code_without_a_file() -> None:
    namespace: dict[str, Any] = {"nn": nn}
    exec("class Model(nn.Module):\n    def forward(self, x):\n        return x + 1 - x", namespace)
    report = trace_model(namespace["Model"](), torch.ones(2))
    assert [(event.path, event.line, event.column) for event in report.unowned] == [("<string>", 3, 16)] * 2
