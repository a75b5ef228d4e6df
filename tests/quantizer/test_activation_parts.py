"""SiLU for a runtime that has kernels for its parts; ReLU behind an operation in float."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.quantizer import LSQQuantizer, PostTrainingQuantizer, register
from qprep.quantizer.graph.module_registry import unregister
from qprep.runtime_modules import FunctionalSiLU
from tests.quantizer.models import snr


class Twice(nn.Module):
    """One SiLU that is called twice, under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)
        self.act = self.same = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.same(self.two(self.act(self.one(x))))  # type: ignore[no-any-return]


X = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_silu_is_two_integer_kernels_in_onnx_runtime(tmp_path: Path) -> None:
    onnx: Any = pytest.importorskip("onnx")
    runtime: Any = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    model = Twice().eval()
    quantizer = PostTrainingQuantizer(model, backend="onnxruntime")
    quantizer.prepare_model(X)
    quantizer.calibrate([X])
    assert [each for each in quantizer.notes if each.startswith("act: a sigmoid and a product, as onnxruntime")]
    quantizer.export_onnx(tmp_path / "model.onnx")
    options = runtime.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = str(tmp_path / "optimized.onnx"), 4
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"), options)
    kinds = [each.op_type for each in onnx.load(str(tmp_path / "optimized.onnx")).graph.node]
    assert kinds.count("QLinearSigmoid") == kinds.count("QLinearMul") == 2
    assert "Sigmoid" not in kinds
    found = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: X.numpy()})[0])
    assert snr(model(X), found) > 28
    quantizer.save(tmp_path / "model.pt")
    again = PostTrainingQuantizer.load(tmp_path / "model.pt", model, X)
    assert torch.equal(again.convert()(X), quantizer.convert()(X))


@pytest.mark.parametrize("settings", [{}, {"backend": "x86"}, {"backend": "onnxruntime", "bits_activations": 16}])
def test_silu_stays_whole_elsewhere(settings: dict[str, Any]) -> None:
    quantizer = PostTrainingQuantizer(Twice().eval(), **settings)
    quantizer.prepare_model(X)
    assert "silu" in {node.name for node in quantizer.graph.nodes}


def test_silu_stays_whole_where_asked() -> None:
    def kinds(model: nn.Module, **settings: Any) -> set[str]:
        quantizer = PostTrainingQuantizer(model.eval(), backend="onnxruntime", **settings)
        quantizer.prepare_model(X)
        return {node.name for node in quantizer.graph.nodes}

    model = nn.Sequential(nn.Conv2d(3, 4, 3), FunctionalSiLU())
    assert "silu" not in kinds(model)
    assert "silu" in kinds(model, overrides={"1": {"bits_activations": None}})
    register(FunctionalSiLU)(lambda module, path, settings: nn.Hardswish())
    try:
        assert "sigmoid" not in kinds(model)
    finally:
        unregister(FunctionalSiLU)


def test_training_splits_in_place() -> None:
    model = Twice()
    quantizer = LSQQuantizer(model, torch.optim.SGD(model.parameters(), 0.01), backend="onnxruntime")
    quantizer.prepare_model(X)
    model.train()(X).sum().backward()
    assert any(isinstance(each, nn.Sigmoid) for each in model.modules())
    assert quantizer.convert()(X).isfinite().all()


class Sum(nn.Module):
    """An addition that has no module, then a ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.relu, self.out = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.relu(self.one(x) + self.two(x)))  # type: ignore[no-any-return]


def test_nothing_is_quantized_between_an_operation_in_float_and_a_clamp() -> None:
    quantizer = PostTrainingQuantizer(Sum().eval())
    quantizer.prepare_model(X, allow_unprepared=True)
    quantizer.calibrate([X])
    names = [each.name for each in quantizer.quantizers if "weight" not in each.name]
    assert sorted(names) == ["input 0", "one", "out", "relu", "two"]
