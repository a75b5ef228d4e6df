"""How a report was made: versions, date, settings and data, so that the page can be read without its makers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import torch

from qprep.foundation.version import __version__
from qprep.quantizer.config.config_settings import LayerSettings
from qprep.quantizer.prepared_model import PreparedModel
from qprep.quantizer.report.report_data import Fact


def facts_of(quantizer: PreparedModel, batches: int) -> Iterator[Fact]:
    """Versions, the time in UTC, settings that differ from the defaults, overrides, passes, number of batches."""
    found = quantizer.settings.to_data()
    usual = LayerSettings().to_data()
    changed = {name: value for name, value in found["settings"].items() if value != usual[name]}
    yield Fact("made with", f"qprep {__version__}, torch {torch.__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    yield Fact("settings", _shown(changed) or "none")
    for pattern, values in found["overrides"].items():
        yield Fact("override", f"{pattern}: {_shown(values)}")
    if found["types"]:
        yield Fact("only classes", ", ".join(found["types"]))
    yield Fact("passes", ", ".join(quantizer.passes.names))
    yield Fact("compared on", f"{batches} {'batch' if batches == 1 else 'batches'}")


def _shown(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in values.items())
