"""ONNX Runtime joins layers with QuantizeLinear where grids are narrower than 8 bits and of both signs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from qprep.quantizer import LSQQuantizer
from qprep.quantizer.backends.onnx.export import export_onnx
from qprep.quantizer.backends.onnx.export_report import OnnxOptions
from qprep.runtime_modules import EltwiseAdd

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


class Block(nn.Module):
    """Two convolutions, the second without a ReLU, and a way around them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu, self.conv2 = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1)
        self.add = EltwiseAdd()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to (B, 8, H - 2, W - 2)."""
        x = self.relu(self.conv1(x))
        return self.add(x, self.conv2(x))  # type: ignore[no-any-return]


def quantized(images: torch.Tensor) -> Any:
    torch.manual_seed(0)
    quantizer = LSQQuantizer(Block(), bits_weights=4, bits_activations=4)
    quantizer.prepare_model(images[:2])
    quantizer.calibrate([images])
    return quantizer


def kinds_of(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def test_four_bits_of_both_signs_run_on_integers_alone(tmp_path: Path) -> None:
    images = torch.randn(8, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    quantizer = quantized(images)
    quantizer.export_onnx(tmp_path / "small.onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "run.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "small.onnx"), options, providers=["CPUExecutionProvider"])
    run = kinds_of(tmp_path / "run.onnx")
    assert run.count("QLinearConv") == 2
    assert not {"Conv", "FusedConv", "Add", "Relu"}.intersection(run)
    (found,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    wanted = quantizer.convert()(images).detach().numpy()
    step = np.diff(np.unique(wanted)).min()
    assert np.abs(found - wanted).max() <= step * 1.01  # a value between two levels may go to either
    assert (np.abs(found - wanted) > step / 2).mean() < 0.01
    levels = np.unique(np.round(found / step))
    assert len(levels) <= 16


def test_tensorrt_has_its_clips_in_float_and_its_integers_signed(tmp_path: Path) -> None:
    quantizer = quantized(torch.randn(8, 3, 12, 12, generator=torch.Generator().manual_seed(1)))
    export_onnx(quantizer, tmp_path / "trt.onnx", OnnxOptions(float_bias=True))
    graph = onnx.load(tmp_path / "trt.onnx").graph
    makers = {name: node for node in graph.node for name in node.output}
    clips = [node for node in graph.node if node.op_type == "Clip"]
    assert clips
    assert all(makers.get(node.input[0]) is None or makers[node.input[0]].op_type != "QuantizeLinear" for node in clips)
    zeros = {node.input[2] for node in graph.node if node.op_type == "QuantizeLinear"}
    types = {onnx.numpy_helper.to_array(each).dtype for each in graph.initializer if each.name in zeros}
    assert np.dtype(np.int8) in types
