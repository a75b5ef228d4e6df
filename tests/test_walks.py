"""docs/architecture.md lists the files of three walks in the order in which runs enter them."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

import qprep
from scripts.documents import ROOT
from scripts.walk import PACKAGE

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
_FILE = re.compile(r"`([a-z_/]+\.py)`")
_SAMPLE = re.compile(r"`([a-z_/]+\.py)`: ((?:`\w+`(?:, )?)+)")
_PRINT = "import json, sys; from scripts.walk import WALKS; print(json.dumps(list(WALKS[sys.argv[1]]())))"
SECTIONS = {
    "check": ("From a path to a finding", 0),
    "fix": ("From a finding to an edit", 0),
    "model": ("From a model to ONNX", 1),  # the first lines say where else the walk begins
}
OUTSIDE = {"engine/runtime_evidence/equivalence_gate.py", "tracing/model_equality.py"}  # with --verify only


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_the_page_names_files_that_exist() -> None:
    assert [name for name in _FILE.findall(PAGE) if not ((PACKAGE / name).is_file() or (ROOT / name).is_file())] == []


@pytest.mark.parametrize("walk", SECTIONS)
def test_a_walk_is_as_the_page_says(walk: str) -> None:
    if walk == "model":
        for package in ("torch", "onnx", "onnxruntime"):
            pytest.importorskip(package)
    title, skipped = SECTIONS[walk]
    text = section(title).split("\n\n", skipped + 1)[-1] if skipped else section(title)
    listed = [name for name in dict.fromkeys(_FILE.findall(text)) if name not in OUTSIDE]
    done = subprocess.run([sys.executable, "-c", _PRINT, walk], cwd=ROOT, capture_output=True, text=True, check=True)
    entered = json.loads(done.stdout.splitlines()[-1])
    assert len(listed) > 5
    assert [name for name in listed if name not in entered] == []
    assert listed == sorted(listed, key=entered.index)


def test_the_samples_are_where_the_page_says() -> None:
    found = _SAMPLE.findall(section("How the code reads: seven samples"))
    assert len(found) >= 7
    for path, names in found:
        source = (PACKAGE / path).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^(?:class|def) {name}\b|^{name}\b", source, re.MULTILINE), f"{path}: {name}"


def test_the_package_is_this_one() -> None:
    assert PACKAGE == ROOT / "qprep"
    assert qprep.__file__ is not None
