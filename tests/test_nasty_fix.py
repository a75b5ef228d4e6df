"""`qprep fix` on the odd files: same results, nothing else changed, a second run changes nothing."""

from __future__ import annotations

import importlib.util
import re
import shutil
import warnings
from pathlib import Path

import pytest
import torch

import qprep
from qprep.cli import main

NASTY = Path(qprep.__file__).parent.parent / "fixtures" / "nasty"
LEGAL = sorted(path.name for path in NASTY.glob("*.py"))
MODELS = [name for name in LEGAL if name not in ("empty.py", "only_comments.py")]
# LibCST does not give these back byte for byte, so that they are never rewritten.
LEFT_ALONE = {"form_feed.py", "lone_cr.py", "empty.py", "only_comments.py"}


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(NASTY / request.param, tmp_path))


def results(path: Path) -> tuple[list[str], torch.Tensor]:
    """The keys of state_dict, and the output of the file's Block on one input."""
    spec = importlib.util.spec_from_file_location(f"nasty_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
    torch.manual_seed(0)
    block = module.Block()
    torch.manual_seed(1)
    output = block(torch.rand(1, 3, 4, 4))
    assert isinstance(output, torch.Tensor)
    return list(block.state_dict()), output


@pytest.mark.parametrize("copy", MODELS, indirect=True)
def test_results_stay(copy: Path) -> None:
    keys, before = results(copy)
    assert main(["fix", "-q", copy.name]) in (0, 1)
    new_keys, after = results(copy)
    assert new_keys == keys
    assert torch.equal(before, after)


@pytest.mark.parametrize("copy", LEGAL, indirect=True)
def test_a_second_run_changes_nothing(copy: Path) -> None:
    old = copy.read_bytes()
    main(["fix", "-q", copy.name])
    once = copy.read_bytes()
    assert main(["fix", "-q", "--diff", copy.name]) in (0, 1)
    main(["fix", "-q", copy.name])
    assert copy.read_bytes() == once
    if copy.name in LEFT_ALONE:
        assert once == old


@pytest.mark.parametrize("copy", LEGAL, indirect=True)
def test_bytes_keep_their_form(copy: Path) -> None:
    """The BOM, the newlines in use, the final newline and every line that is not rewritten."""
    old = copy.read_bytes()
    main(["fix", "-q", copy.name])
    new = copy.read_bytes()
    assert new.startswith(b"\xef\xbb\xbf") == old.startswith(b"\xef\xbb\xbf")
    assert set(re.findall(rb"\r\n|\r|\n", new)) <= set(re.findall(rb"\r\n|\r|\n", old))
    assert new.endswith((b"\n", b"\r")) == old.endswith((b"\n", b"\r"))
    comments = re.findall(rb"# [a-z ]+", old)
    assert [comment for comment in comments if comment not in new] == []


def test_most_of_them_are_rewritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in LEGAL:
        shutil.copy(NASTY / name, tmp_path)
    main(["fix", "-q", "."])
    same = [name for name in LEGAL if (tmp_path / name).read_bytes() == (NASTY / name).read_bytes()]
    assert set(same) >= LEFT_ALONE
    assert len(same) <= 12, same
