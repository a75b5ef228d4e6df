"""Five models of torchvision before and after `qprep fix` on a copy of the package, in processes of their own."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import qprep
from qprep.cli import main

ROOT = Path(qprep.__file__).parent.parent
MODELS = {"resnet18": 32, "googlenet": 33, "mobilenet_v3_small": 32, "squeezenet1_1": 33, "shufflenet_v2_x0_5": 32}
FIXED = (
    *(f"models/{name}.py" for name in ("_utils", "googlenet", "inception", "mobilenetv3", "resnet", "shufflenetv2")),
    "models/squeezenet.py",
    *(f"ops/{name}.py" for name in ("misc", "stochastic_depth")),
)
"""The files that define these models."""

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None, reason="torchvision is not installed: pip install 'qprep[corpus]'"
)


def copy_package(folder: Path) -> Path:
    """The Python part of the installed torchvision."""
    spec = importlib.util.find_spec("torchvision")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).parent
    target = folder / "torchvision"
    for path in source.rglob("*.py"):
        (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target / path.relative_to(source))
    return target


def observe(folder: Path) -> dict[str, Any]:
    """The observations of `tests.corpus_child` with the package in `folder`."""
    arguments = [part for name, size in MODELS.items() for part in (name, str(size))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}
    command = [sys.executable, "-m", "tests.corpus_child", *arguments]
    outcome = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    seen: dict[str, Any] = json.loads(outcome.stdout)
    assert Path(seen["package"]).is_relative_to(folder)
    models: dict[str, Any] = seen["models"]
    return models


@pytest.fixture(scope="module")
def observations(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    before, after = tmp_path_factory.mktemp("before"), tmp_path_factory.mktemp("after")
    copy_package(before)
    package = copy_package(after)
    part = tmp_path_factory.mktemp("part") / "torchvision"
    for name in FIXED:  # by themselves: the whole package takes minutes
        (part / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(package / name, part / name)
    assert main(["fix", "-q", "--isolated", str(part)]) in (0, 1)
    for name in FIXED:
        shutil.copy(part / name, package / name)
    return observe(before), observe(after)


@pytest.mark.parametrize("name", MODELS)
def test_nothing_changed(name: str, observations: tuple[dict[str, Any], dict[str, Any]]) -> None:
    before, after = (seen[name] for seen in observations)
    assert after["keys"] == before["keys"]
    for key in ("weights", "random state", "eval", "train", "eval buffers", "train buffers"):
        assert after[key] == before[key], key


@pytest.mark.parametrize("name", MODELS)
def test_every_operation_has_a_module(name: str, observations: tuple[dict[str, Any], dict[str, Any]]) -> None:
    before, after = (seen[name] for seen in observations)
    assert before["left"] or before["reused"]
    assert (after["left"], after["reused"]) == ([], [])
