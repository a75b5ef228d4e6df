"""`--watch`, in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import qprep
from tests.cli.conftest import Run

ROOT = Path(qprep.__file__).parent.parent


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_change_is_checked_and_ctrl_c_ends(folder: Path) -> None:
    path = folder / "a.py"
    path.write_text("x = (\n")
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job ignores it
        "from qprep.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "check", "--watch", "--output-format", "concise", "--isolated"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        limit = threading.Timer(60, process.kill)
        limit.start()
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "a.py:1:5: QP001 '(' was never closed\n"
            assert process.stdout.readline() == "Found 1 finding.\n"
            path.write_text("x = 1\n")
            assert process.stdout.readline() == "All checks passed!\n"
            process.send_signal(signal.SIGINT)
            _, error = process.communicate()
        finally:
            limit.cancel()
    assert process.returncode == 130
    assert "watching 1 file; Ctrl-C ends it" in error
    assert "Traceback" not in error


def test_what_reports_nothing_is_not_watched(run: Run, folder: Path) -> None:
    (folder / "a.py").write_text("x = 1\n")
    outcome = run("check", "--watch", "--write-baseline")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--watch: expected files to report on" in outcome.err
