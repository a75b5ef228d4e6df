from __future__ import annotations

import io

import pytest

from qprep.cli import status_line
from qprep.cli.status_line import StatusLine


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
