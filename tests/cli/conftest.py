"""Run the command line in an empty folder, against the small engine of `tests.fake_engine`."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from qprep.cli import main
from tests import fake_engine


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("QPREP_OUTPUT_FORMAT", "NO_COLOR", "QPREP_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Call `main` with arguments, and bytes for standard input."""
    assert folder.is_dir()
    for module in ("check", "fix"):
        monkeypatch.setattr(f"qprep.cli.commands.{module}.load_engine", lambda: fake_engine)
    for module in ("session", "commands.rule", "commands.config"):
        monkeypatch.setattr(f"qprep.cli.{module}.all_rules", lambda: fake_engine.RULES)

    def call(*args: str, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main(args)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Outcome(code, out.decode(), err.decode())

    return call
