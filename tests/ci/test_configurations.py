"""The configurations in docs/continuous-integration.md: read as their services read them, their commands run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import qprep
from tests.cli.conftest import Outcome

ROOT = Path(qprep.__file__).parent.parent
DOCS = (ROOT / "docs" / "continuous-integration.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", DOCS, re.DOTALL))
MODEL = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) + x
"""


def shell(command: str, folder: Path) -> Outcome:
    """Run a line of a job as the service's shell would, with this qprep."""
    program, *arguments = shlex.split(command)
    assert program == "qprep"
    done = subprocess.run(
        [sys.executable, "-m", "qprep", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "model.py").write_text(MODEL)
    return tmp_path


def test_the_github_workflow(tree: Path) -> None:
    workflow: dict[Any, Any] = yaml.safe_load(BLOCKS[".github/workflows/qprep.yml"])
    assert workflow[True] == ["push", "pull_request"]  # YAML 1.1 reads `on` so, GitHub knows
    assert workflow["permissions"]["security-events"] == "write"
    steps = workflow["jobs"]["qprep"]["steps"]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    install, annotate, scan = (step["run"] for step in steps if "run" in step)
    assert install == "pip install qprep"
    annotated = shell(annotate, tree)
    assert annotated.code == 1
    assert re.search(r"^::(warning|error) title=.*file=model\.py,line=10,col=16,", annotated.out, re.MULTILINE)
    scanned = shell(scan, tree)
    assert (scanned.code, scanned.out) == (0, "")
    upload = next(step for step in steps if "upload-sarif" in step.get("uses", ""))
    document = json.loads((tree / upload["with"]["sarif_file"]).read_text())
    assert len(document["runs"][0]["results"]) == 1
    cache = next(step for step in steps if step.get("uses", "").startswith("actions/cache"))
    assert (tree / cache["with"]["path"]).is_dir()


def test_the_gitlab_job(tree: Path) -> None:
    job = yaml.safe_load(BLOCKS[".gitlab-ci.yml"])["qprep"]
    install, check = job["script"]
    assert install == "pip install qprep"
    outcome = shell(check, tree)
    assert (outcome.code, outcome.out) == (1, "")
    report = json.loads((tree / job["artifacts"]["reports"]["codequality"]).read_text())
    assert [entry["location"]["path"] for entry in report] == ["model.py"]
    assert job["artifacts"]["when"] == "always"
    assert (tree / job["cache"]["paths"][0]).is_dir()


def test_the_pre_commit_configurations(tree: Path) -> None:
    pytest.importorskip("pre_commit")
    blocks = re.findall(r"```yaml\n# \.pre-commit-config\.yaml\n(.*?)```", DOCS, re.DOTALL)
    assert len(blocks) == 2
    for number, text in enumerate(blocks):
        path = tree / f"{number}.yaml"
        path.write_text(text)
        command = [sys.executable, "-m", "pre_commit", "validate-config", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
