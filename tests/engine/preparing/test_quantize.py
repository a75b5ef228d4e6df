"""`qprep quantize --prepare`: from a package to an INT8 file in one command."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from tests.engine.preparing.conftest import Child
from tests.torchvision_operators import define_operators

pytest.importorskip("torch")
pytest.importorskip("yaml")
onnx = pytest.importorskip("onnx")

DATA = """
import torch


def batches():
    torch.manual_seed(0)
    return [torch.randn(2, 3, {size}, {size}) for _ in range(2)]
"""


def command(*arguments: str) -> str:
    return f"import sys\nfrom qprep.cli import main\nsys.exit(main({list(arguments)!r}))"


def kinds(path: Path) -> set[str]:
    return {node.op_type for node in onnx.load(path).graph.node}


def test_a_model_of_a_package(package: Path, child: Child, tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(DATA.format(size=8))
    arguments = ("quantize", "zoo:small", "--calibrate", "data.py:batches", "--onnx", "small.onnx", "-q")
    out = child(command(*arguments), code=1)
    assert "error: expected a prepared model, found " in out
    assert not (tmp_path / "small.onnx").exists()
    out = child(command(*arguments[:-1], "--prepare"))
    lines = out.splitlines()
    assert re.fullmatch(r"zoo:small: prepared; 3 findings fixed in 1 file, verified: \d+ tensors equal", lines[0])
    assert lines[1].startswith("Block: ")
    assert lines[-1] == "wrote small.onnx"
    assert {"QuantizeLinear", "DequantizeLinear", "Conv", "Concat"} <= kinds(tmp_path / "small.onnx")


def test_a_model_that_does_not_run(package: Path, child: Child, tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text(DATA.replace("3, {", "7, {").format(size=8))
    out = child(command("quantize", "zoo:small", "--prepare", "--calibrate", "data.py:batches"), code=1)
    assert out.startswith("error: zoo:small failed in its forward pass: RuntimeError")
    assert "Traceback" not in out


def test_a_model_of_torchvision_from_an_empty_folder(child: Child, tmp_path: Path) -> None:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or not define_operators(tmp_path):
        pytest.skip("torchvision is not installed: pip install 'qprep[corpus]'")
    (tmp_path / "data.py").write_text(DATA.format(size=64))
    original = Path(spec.origin).parent / "models" / "resnet.py"
    before = original.read_bytes()
    out = child(
        command(
            *("quantize", "torchvision.models:resnet18", "--prepare"),
            *("--calibrate", "data.py:batches", "--onnx", "resnet18.onnx"),
        )
    )
    lines = out.splitlines()
    assert lines[0].startswith("torchvision.models:resnet18: prepared; 5 findings fixed in 1 file, verified: ")
    assert lines[1].startswith("ResNet: ")
    assert lines[-1] == "wrote resnet18.onnx"
    assert {"QuantizeLinear", "DequantizeLinear", "Add"} <= kinds(tmp_path / "resnet18.onnx")
    assert (tmp_path / "resnet18.onnx").stat().st_size < 13_000_000, "eight bits a weight"
    assert original.read_bytes() == before
