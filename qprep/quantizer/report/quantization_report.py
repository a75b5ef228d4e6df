"""The cost of quantization, layer by layer, on real data."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qprep.foundation.atomic_write import save
from qprep.foundation.errors import QprepError
from qprep.quantizer.report.graph_picture import draw
from qprep.quantizer.report.report_data import ReportData
from qprep.quantizer.report.report_page import as_fragment, as_html
from qprep.quantizer.report.report_text import as_text, summary


@dataclass(frozen=True, slots=True, repr=False)
class QuantizationReport(ReportData):
    """A report that prints itself: a table as text, a page in a notebook or a file."""

    def __str__(self) -> str:
        return as_text(self)

    def __repr__(self) -> str:
        return f"<QuantizationReport of {summary(self)}>"

    def _repr_html_(self) -> str:
        return as_fragment(self)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return one self-contained page: tables, charts by depth, the module graph and histograms.

        path  a file to write it to as well; QprepError if that is not possible
        """
        page = as_html(self)
        if path is not None:
            save(Path(path), page.encode(), "report")
        return page

    def save(self, path: str | Path) -> None:
        """Write the page (.html), the numbers (.json), the text (.txt) or the graph (.svg); QprepError for others."""
        makers: dict[str, Callable[[], str]] = {
            ".html": self.to_html,
            ".htm": self.to_html,
            ".json": self.to_json,
            ".txt": lambda: f"{self}\n",
            ".svg": lambda: draw(self.graph),
        }
        kind = Path(path).suffix.lower()
        if kind not in makers:
            raise QprepError(f"expected a report that ends in {', '.join(makers)}, found {path}")
        save(Path(path), makers[kind]().encode(), "report")

    def to_json(self) -> str:
        """Return every number; null means not measured, or not finite."""
        return json.dumps(_finite(dataclasses.asdict(self)), indent=1) + "\n"


def _finite(value: Any) -> Any:  # noqa: ANN401  (of any kind)
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
