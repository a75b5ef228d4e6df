"""The script behind `make demo`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import qprep

ROOT = Path(qprep.__file__).parent.parent


def test_the_demonstration_finds_fixes_and_compares() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "scripts" / "demo.py")]
    outcome = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    models = list((ROOT / "fixtures" / "before").glob("*.py"))
    assert outcome.stdout.count("bit for bit the same") == len(models) > 0
    assert "$ qprep fix --diff\n--- a/" in outcome.stdout
