"""Files that are odd in one way each: they survive reading, the gates, and runs of the command line."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import qprep
from qprep.foundation.deep_recursion import run_with_large_stack
from qprep.foundation.source import SourceError, SourceFile
from qprep.rewriting.gates import reject_rewrite, reject_source

ROOT = Path(qprep.__file__).parent.parent


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_nasty", ROOT / "scripts" / "make_nasty.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = generator()
# LibCST gives back neither a form feed before a token nor a lone carriage return: such files are checked, never fixed.
NOT_ROUND_TRIPPABLE = {"form_feed.py", "lone_cr.py"}


@pytest.mark.parametrize("folder", ["LEGAL", "BROKEN"])
def test_files_are_those_that_the_script_makes(folder: str) -> None:
    at = MAKER.ROOT if folder == "LEGAL" else MAKER.ROOT / "broken"
    on_disk = {path.name: path.read_bytes() for path in at.iterdir() if path.is_file()}
    assert on_disk == getattr(MAKER, folder)


@pytest.mark.parametrize("name", sorted(MAKER.LEGAL))
def test_legal_files_give_back_their_bytes(name: str) -> None:
    source = SourceFile.read(MAKER.ROOT / name)
    assert source.encode(source.text) == MAKER.LEGAL[name]
    assert source.parse() is not None
    for token in source.tokens():
        line, column = token.start
        start = source.starts[line - 1] + column if line <= len(source.starts) else len(source.text)
        assert "\n" in token.string or source.text.startswith(token.string, start)


@pytest.mark.parametrize("name", sorted(MAKER.LEGAL))
def test_legal_files_pass_the_gates(name: str) -> None:
    source = SourceFile.read(MAKER.ROOT / name)
    finding = run_with_large_stack(lambda: reject_source(source))
    assert (finding.code if finding else None) == ("QP002" if name in NOT_ROUND_TRIPPABLE else None)
    if finding is None:
        assert run_with_large_stack(lambda: reject_rewrite(source, source.text)) is None


@pytest.mark.parametrize("name", sorted(MAKER.BROKEN))
def test_broken_files_have_one_finding_with_a_place(name: str) -> None:
    path = MAKER.ROOT / "broken" / name
    try:
        finding = reject_source(SourceFile.read(path))
    except SourceError as error:
        finding = error.finding
    assert finding is not None
    assert finding.code in {"QP001", "QP002", "QP003"}
    assert finding.start.line >= 1
    assert "\n" not in finding.message
