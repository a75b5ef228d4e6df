"""The script behind `make demo`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import qprep

ROOT = Path(qprep.__file__).parent.parent


def test_the_demonstration_fits_one_screen_and_ends_with_a_file_and_a_picture() -> None:
    pytest.importorskip("onnxruntime")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "scripts" / "demo.py")]
    outcome = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    models = list((ROOT / "fixtures" / "before").glob("*.py"))
    assert outcome.stdout.count("→ 0 ") == outcome.stdout.count(" equal") == len(models) > 0
    lines = outcome.stdout.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 120
    onnx, page = (ROOT / "build" / "demo" / name for name in ("resnet.onnx", "resnet.html"))
    assert onnx.stat().st_size > 1000
    assert 'class="qgraph"' in page.read_text(encoding="utf-8")
