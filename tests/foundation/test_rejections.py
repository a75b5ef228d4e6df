"""Every rejection of qprep has a code of its own kind, and every code is in use and documented."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from pathlib import Path

import qprep
from qprep.cli import main
from qprep.engine.incremental.records import from_record, to_record
from qprep.foundation.findings import Rejection, RejectionCode

PACKAGE = Path(qprep.__file__).parent
SCALED = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x, **rest):
        return torch.cat((self.fc(x), x), **rest)
"""


def made() -> list[tuple[str, ast.Call]]:
    """The calls of `Rejection` and `RejectedError`, with their places."""
    return [
        (f"{path.relative_to(PACKAGE)}:{node.lineno}", node)
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Rejection", "RejectedError"}
    ]


def test_every_rejection_names_a_code() -> None:
    assert [place for place, call in made() if len(call.args) + len(call.keywords) < 2] == []


def test_every_code_is_used() -> None:
    used = Counter(name for _, call in made() for name in re.findall(r"RejectionCode\.([A-Z_]+)", ast.unparse(call)))
    assert set(used) == {code.name for code in RejectionCode} - {RejectionCode.OTHER.name}


def test_every_code_is_documented() -> None:
    page = (PACKAGE.parent / "docs" / "soundness.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == {code.value for code in RejectionCode}


def test_json_and_the_cache_keep_the_code(tmp_path: Path) -> None:
    findings = qprep.check_source(SCALED)
    (rejection,) = [finding.fix for finding in findings if isinstance(finding.fix, Rejection)]
    assert rejection.code is RejectionCode.RUN_ONLY
    assert [from_record(json.loads(json.dumps(to_record(finding)))) for finding in findings] == list(findings)
    path = tmp_path / "net.py"
    path.write_text(SCALED)
    output = tmp_path / "out.json"
    main(["check", "--no-cache", "--isolated", "--output-format", "json", "--output-file", str(output), str(path)])
    (record,) = json.loads(output.read_text())
    assert (record["unfixable_code"], record["unfixable_reason"]) == ("run-only", rejection.reason)
