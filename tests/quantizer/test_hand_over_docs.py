"""docs/hand-over.md: every snippet runs, in order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

import qprep
from qprep.quantizer import BACKENDS, EXPORTERS
from qprep.quantizer.graph.pass_registry import unregister_pass

TEXT = (Path(qprep.__file__).parent.parent / "docs" / "hand-over.md").read_text(encoding="utf-8")


def test_every_snippet_runs() -> None:
    names: dict[str, Any] = {}
    try:
        for snippet in re.findall(r"```python\n(.*?)```\n", TEXT, re.DOTALL):
            exec(snippet, names)
    finally:
        unregister_pass("one-scale-for-sums")
    assert [len(part.nodes) for part in names["parts"]] == [2, 1, 1]
    assert names["small"](torch.randn(3, 8)).shape == (3, 4)


def test_every_backend_and_runtime_has_a_row() -> None:
    rows = set(re.findall(r"^\| `([\w-]+)` \|", TEXT, re.MULTILINE))
    assert rows == set(BACKENDS) | set(EXPORTERS)
