from __future__ import annotations

import io
import time

import pytest

from qprep.cli import progress, status_line
from qprep.cli.run_models import _announcement
from qprep.cli.status_line import StatusLine
from qprep.tracing.request import Request


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_late_on_one_line_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    line = StatusLine.of(quiet=False)
    assert line is not None
    line(0, 9, "a.py")
    line.clear()
    assert terminal.getvalue() == ""
    monkeypatch.setattr(status_line, "_WAIT", 0.0)
    line(1, 9, "a" * 99)
    line(2, 9, "b.py")
    line.clear()
    first, second, blank, end = terminal.getvalue().split("\r")[1:]
    assert first == "1/9 files  …" + "a" * 59
    assert second.rstrip() == "2/9 files  b.py"
    assert len(second) == len(first)
    assert (blank.strip(), end) == ("", "")


def test_nobody_is_told_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    assert StatusLine.of(quiet=True) is None
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert StatusLine.of(quiet=False) is None


def test_each_verified_model_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    announce = _announcement()
    assert announce is not None
    for _ in range(2):
        announce(Request("net.py:make", timeout=60.0))
    expected = "verifying net.py:make: the original and the rewritten model run, at most 60 seconds for each run\n"
    assert terminal.getvalue() == expected
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert _announcement() is None


def test_a_bar_shows_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(progress, "_PATIENCE", 0.0)
    with progress.bars() as watch:
        watch("searching", 1, 4)
        time.sleep(0.3)
        watch("searching", 2, 4)
    text = terminal.getvalue()
    assert "searching" in text
    assert "left: " in text
