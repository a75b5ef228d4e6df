"""Files for other runtimes: sizes, opsets, operators on integers, TensorRT's rules, torch.export."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import EXPORTERS, PostTrainingQuantizer, WeightOnlyQuantizer
from qprep.quantizer.backends.onnx.export import write_onnx
from qprep.runtime_modules import LSTM, Clamp
from tests.quantizer.graphs import model as block
from tests.quantizer.models import mlp, snr
from tests.quantizer.test_integer import Tagger, calibrated, image

onnx: Any = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.quantizer.test_onnx import kinds, run  # noqa: E402  (needs onnxruntime)

SAME = 45.0  # dB: a value may round to the other side by the order of a sum; other weights give 38 at most


class Flat(nn.Module):
    """Sizes that multiply: (B, T, 8) to (B · T, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        rows, steps, width = x.shape
        places = torch.arange(steps)[None, :, None] * 0.1
        return self.fc((x + places).reshape(rows * steps, width)) + torch.zeros(rows * steps, 1)  # type: ignore[no-any-return]


def test_several_sizes_are_free_together(tmp_path: Path) -> None:
    axes = {"x": {0: "batch", 1: "length"}}
    model = Flat()
    report = write_onnx(model, tmp_path / "model.onnx", (image(2, 3, 8),), dynamic_axes=axes)
    assert report.free == axes
    for shape in ((2, 3, 8), (5, 7, 8), (1, 1, 8)):
        assert snr(model(image(*shape)), run(tmp_path / "model.onnx", image(*shape))) > 90


def test_the_length_of_recurrent_layers_is_free(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Tagger(lambda *sizes: LSTM(*sizes, batch_first=True))  # type: ignore[arg-type]
    report = write_onnx(model, tmp_path / "model.onnx", (image(2, 3, 8),))
    assert report.free == {"x": {0: "batch", 1: "length"}}
    assert snr(model(image(4, 9, 8)), run(tmp_path / "model.onnx", image(4, 9, 8))) > 90


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"y": {0: "batch"}}, "expected inputs among x as dynamic_axes, found 'y'"),
        ({"x": {3: "batch"}}, "expected a dimension of x, which has 3, found 3"),
        ({"x": {2: "width"}}, "expected a model that runs the same operations for other sizes of width"),
        ({"x": {0: "size", 1: "size"}}, "expected one size for 'size', found 2 and 3"),
    ],
)
def test_sizes_that_cannot_be_free(axes: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(QprepError, match=message):
        write_onnx(Flat(), tmp_path / "model.onnx", (image(2, 3, 8),), dynamic_axes=axes)


def test_opsets(tmp_path: Path) -> None:
    quantizer, x = calibrated(mlp(), image(32, 8)), image(32, 8)
    report = quantizer.export_onnx(tmp_path / "model.onnx", opset=22)
    assert report.opset == 22
    assert onnx.load(str(tmp_path / "model.onnx")).opset_import[0].version == 22
    assert snr(quantizer.convert()(x), run(tmp_path / "model.onnx", x)) > 40
    with pytest.raises(QprepError, match="expected an opset that the file can be brought to from 21, found 3"):
        quantizer.export_onnx(tmp_path / "other.onnx", opset=3)


def test_operators_on_integers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(8, 6, 3), nn.Conv2d(6, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    quantizer = calibrated(model, image())
    quantizer.export_onnx(tmp_path / "qdq.onnx")
    quantizer.export_onnx(tmp_path / "model.onnx", style="qoperator")
    assert kinds(tmp_path / "model.onnx")["QLinearConv"] == 2
    assert kinds(tmp_path / "model.onnx")["Relu"] == 0  # the integers end at 0
    assert kinds(tmp_path / "qdq.onnx")["QLinearConv"] == 0
    assert kinds(tmp_path / "model.onnx")["Gemm"] == 1
    assert snr(quantizer.convert()(image()), run(tmp_path / "model.onnx", image())) > 35
    with pytest.raises(QprepError, match="expected a style of quantized operations, 'qdq', 'qoperator', found 'fast'"):
        quantizer.export_onnx(tmp_path / "other.onnx", style="fast")


@pytest.mark.parametrize("clamp", [nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-1, 1), Clamp(min=-0.5, max=2)], ids=repr)
@pytest.mark.parametrize("settings", [{}, {"backend": "tensorrt"}, {"bits_activations": 4}], ids=str)
def test_operators_on_integers_take_clamps(clamp: nn.Module, settings: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(8, 8, 3), copy.deepcopy(clamp), nn.Conv2d(8, 8, 3, groups=8), copy.deepcopy(clamp)]
    quantizer = calibrated(nn.Sequential(*layers).eval(), image() * 3, **settings)
    quantizer.export_onnx(tmp_path / "model.onnx", style="qoperator")
    found = kinds(tmp_path / "model.onnx")
    assert (found["QLinearConv"], found["Conv"], found["Relu"]) == (2, 0, 0)
    assert snr(quantizer.convert()(image() * 3), run(tmp_path / "model.onnx", image() * 3)) > SAME


@pytest.mark.parametrize(
    ("activation", "opset"), [(nn.GELU(), 13), (nn.GELU("tanh"), 17), (nn.Mish(), 17), (nn.Hardswish(), 13)], ids=repr
)
def test_older_opsets_get_what_an_operator_is_defined_by(activation: nn.Module, opset: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    quantizer = calibrated(nn.Sequential(nn.Linear(8, 8), activation, nn.Linear(8, 4)).eval(), image(32, 8))
    quantizer.export_onnx(tmp_path / "model.onnx", opset=opset)
    assert onnx.load(str(tmp_path / "model.onnx")).opset_import[0].version == opset
    assert snr(quantizer.convert()(image(32, 8)), run(tmp_path / "model.onnx", image(32, 8))) > SAME


def test_dynamic_axes_as_torch_takes_them(tmp_path: Path) -> None:
    quantizer, x = calibrated(mlp(), image(32, 8)), image(5, 8)
    report = quantizer.export_onnx(tmp_path / "model.onnx", dynamic_axes={"input": [0]})  # type: ignore[dict-item]
    assert report.free == {"input": {0: "input_0"}}
    assert snr(quantizer.convert()(x), run(tmp_path / "model.onnx", x)) > SAME
    for axes in ({"input": "batch"}, {"input": {"0": "batch"}}, {"input": {0: 1}}):
        with pytest.raises(QprepError, match="expected names by dimension for input in dynamic_axes"):
            quantizer.export_onnx(tmp_path / "model.onnx", dynamic_axes=axes)  # type: ignore[arg-type]
    with pytest.raises(QprepError, match="expected a mapping of inputs to names"):
        quantizer.export_onnx(tmp_path / "model.onnx", dynamic_axes=[0])  # type: ignore[arg-type]


def test_tensorrt_by_its_rules(tmp_path: Path) -> None:
    x = image(8, 3, 8, 8)
    quantizer = calibrated(block(), x, backend="tensorrt")
    quantizer.export(tmp_path / "model.onnx", "tensorrt")
    stored = {each.data_type for each in onnx.load(str(tmp_path / "model.onnx")).graph.initializer}
    assert onnx.TensorProto.INT32 not in stored
    assert onnx.TensorProto.UINT8 not in stored
    assert snr(quantizer.convert()(x), run(tmp_path / "model.onnx", x)) > 30
    with pytest.raises(QprepError, match=r'by backend="tensorrt", found\n.*UINT8, not INT8'):
        calibrated(block(), x).export(tmp_path / "other.onnx", "tensorrt")
    assert not (tmp_path / "other.onnx").exists()


def test_torch_export_has_quantized_operators(tmp_path: Path) -> None:
    x = image(8, 3, 8, 8)
    quantizer = calibrated(block(), x)
    program = quantizer.export_pt2e()
    called = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    for name in ("quantize_per_tensor", "dequantize_per_tensor", "dequantize_per_channel"):
        assert any(f"quantized_decomposed.{name}" in each for each in called)
    assert torch.int8 in {each.dtype for each in program.state_dict.values()}
    more = torch.cat([x, x[:3]])
    assert snr(quantizer.convert()(more), program.module()(more)) > 60
    quantizer.export(tmp_path / "model.pt2", "pt2e")
    again = torch.export.load(tmp_path / "model.pt2")
    assert snr(quantizer.convert()(x), again.module()(x)) > 60


def test_weights_alone_through_torch_export() -> None:
    quantizer = WeightOnlyQuantizer(mlp(), bits_weights=4, granularity_weights="per-tensor")
    quantizer.prepare_model(image(32, 8))
    program = quantizer.export_pt2e()
    assert snr(quantizer.convert()(image(32, 8)), program.module()(image(32, 8))) > 90


def test_what_cannot_be_handed_over(tmp_path: Path) -> None:
    quantizer = calibrated(mlp(), image(32, 8), granularity_weights="per-group", group_size=4)
    with pytest.raises(QprepError, match="found groups at 0.weight"):
        quantizer.export_pt2e()
    with pytest.raises(QprepError, match="expected an exporter among .*found 'onxn'; did you mean 'onnx'"):
        quantizer.export(tmp_path / "model", "onxn")
    assert set(EXPORTERS) == {"onnx", "onnx-qoperator", "tensorrt", "pt2e", "openvino"}
    unready = PostTrainingQuantizer(mlp())
    unready.prepare_model(image(32, 8))
    with pytest.raises(QprepError, match="expected calibrate before"):
        unready.export_pt2e()


class Bags(nn.Module):
    """Sums of entries, weighed: no form of qprep's."""

    def __init__(self) -> None:
        super().__init__()
        self.bag, self.fc = nn.EmbeddingBag(30, 8, mode="sum"), nn.Linear(8, 4)

    def forward(self, tokens: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:
        return self.fc(self.bag(tokens, offsets, per_sample_weights=weights))  # type: ignore[no-any-return]


def test_parameters_of_what_torch_writes_may_require_gradients(tmp_path: Path) -> None:
    torch.manual_seed(0)
    example = torch.randint(30, (10,)), torch.tensor([0, 3, 3, 7]), torch.rand(10)
    model = Bags().eval()
    assert all(each.requires_grad for each in model.parameters())
    quantizer = PostTrainingQuantizer(model)
    quantizer.prepare_model(*example)
    quantizer.calibrate([example])
    report = quantizer.export_onnx(tmp_path / "bags.onnx")
    assert [each.operation for each in report.islands] == ["embedding_bag"]
    other = torch.randint(30, (10,)), torch.tensor([0, 1, 5, 9]), torch.rand(10)
    (found,) = _run_file(tmp_path / "bags.onnx", other)
    assert snr(quantizer.convert()(*other), found) > 60


@pytest.mark.parametrize("opset", [13, 14, 15, 18])
def test_older_opsets_give_the_same(tmp_path: Path, opset: int) -> None:
    """The converter has no way back for Relu of 14 and Identity of 16, which mean the same in 13."""
    torch.manual_seed(0)
    x = torch.randn(4, 1, 8, 8)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 2))
    quantizer = calibrated(net.eval(), x)
    quantizer.export_onnx(tmp_path / "model.onnx", opset=opset)
    made = onnx.load(str(tmp_path / "model.onnx"))
    assert made.opset_import[0].version == opset
    other = torch.randn(3, 1, 8, 8)
    (found,) = _run_file(tmp_path / "model.onnx", (other,))
    assert torch.equal(quantizer.convert()(other), found)


def test_an_older_opset_is_refused_where_nothing_compares_the_file(tmp_path: Path) -> None:
    quantizer = calibrated(nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2)).eval(), torch.randn(4, 8))
    with pytest.raises(QprepError, match="expected an opset that the file can be brought to from 21, found 13"):
        quantizer.export_onnx(tmp_path / "model.onnx", opset=13, check=False)
    other = calibrated(nn.Sequential(nn.Linear(8, 4), nn.LayerNorm(4), nn.Linear(4, 2)).eval(), torch.randn(4, 8))
    with pytest.raises(QprepError, match="found 13: there is no LayerNormalization in it"):
        other.export_onnx(tmp_path / "model.onnx", opset=13)
    with pytest.raises(QprepError, match="found 999: the onnx package knows opsets up to"):
        other.export_onnx(tmp_path / "model.onnx", opset=999)
    with pytest.raises(QprepError, match="expected the number of an opset, found '17'"):
        other.export_onnx(tmp_path / "model.onnx", opset="17")  # type: ignore[arg-type]


def _run_file(path: Path, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    found = session.run(None, {name: each.numpy() for name, each in zip(names, inputs, strict=True)})
    return [torch.from_numpy(each) for each in found]
