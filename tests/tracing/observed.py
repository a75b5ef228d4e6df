"""Runs a model of a file in this process, as a child process would, and looks at the file with what it saw."""

from __future__ import annotations

import importlib.util
import itertools
import textwrap
from pathlib import Path

import torch

import qprep
from qprep.engine.config.settings import SettingsResolver
from qprep.engine.config.settings_file import Options
from qprep.engine.rule_registry import all_rules
from qprep.engine.runtime_evidence.observations import Witness
from qprep.engine.runtime_evidence.run_lookup import Run
from qprep.engine.snapshot import Survey
from qprep.foundation.findings import Finding
from qprep.tracing.executed import Executed

_NUMBER = itertools.count()


def write(folder: Path, source: str) -> Path:
    path = folder / "model.py"
    path.write_text("import torch\nfrom torch import nn\nimport torch.nn.functional as F\n" + textwrap.dedent(source))
    return path


def run(path: Path, *inputs: object) -> Run:
    """Build `Net` of the file and trace it once."""
    spec = importlib.util.spec_from_file_location(f"observed_{next(_NUMBER)}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    building, running = Executed({str(path)}), Executed({str(path)})
    with building.watch():
        model = module.Net().eval()
    with running.watch():
        report = qprep.trace(model, *inputs)
    return Run("model:Net", report, running.places(), building.places())


def findings(path: Path, *runs: Run) -> list[Finding]:
    """The findings in the file after the runs confirmed or refuted them."""
    witness = Witness(runs) if runs else None
    settings = SettingsResolver(all_rules(), Options(), isolated=True)
    survey = Survey([path], settings, {}, lambda _sources: witness)
    return [reported.finding for reported in survey.reported]


def shown(path: Path, *runs: Run) -> list[tuple[str, str, str]]:
    """Code, source text and last note of each finding, in order."""
    lines = path.read_text().splitlines()
    found = sorted(findings(path, *runs), key=lambda finding: finding.sort_key)
    return [
        (each.code, lines[each.start.line - 1][each.start.column - 1 : each.end.column - 1], (each.notes or ("",))[-1])
        for each in found
    ]
