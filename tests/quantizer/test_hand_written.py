"""Layers with formats, chosen types, backends, and short ways to say what overrides say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer import (
    BACKENDS,
    DynamicQuantizer,
    LSQQuantizer,
    PACTQuantizer,
    PostTrainingQuantizer,
    Quantizer,
    Scheme,
    Spec,
    WeightOnlyQuantizer,
    forward_method,
    quantize_dynamic,
    write_onnx,
)
from qprep.quantizer.formats.tensor_quantizers import DynamicActivationQuantizer
from qprep.quantizer.layers import (
    QuantAdd,
    QuantConcat,
    QuantConv2d,
    QuantEmbedding,
    QuantLinear,
    QuantLSTM,
    QuantMatMul,
    QuantReLU,
)
from tests.quantizer.models import mlp, snr
from tests.quantizer.test_integer import image, tokens


class Written(nn.Module):
    """A model of layers with formats."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = QuantConv2d(8, 6, 3, padding=1, bits_weights=4, scheme_weights="symmetric", bits_activations=7)
        self.relu, self.add = QuantReLU(), QuantAdd(bits_activations=6)
        self.cat, self.mul = QuantConcat(1), QuantMatMul(activations=Spec(8, Scheme.SYMMETRIC, signed=True))
        self.fc = QuantLinear(10, 3, weights=Spec(5, Scheme.RESTRICTED), bits_bias=16)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.conv(x))
        y = self.cat([self.add(y, y), y])
        return self.fc(self.mul(y, y.transpose(2, 3)))  # type: ignore[no-any-return]


def slots(quantizer: Quantizer) -> dict[str, Any]:
    return {each.name: each.spec for each in quantizer.quantizers}


@pytest.mark.parametrize("method", [PostTrainingQuantizer, WeightOnlyQuantizer, DynamicQuantizer, LSQQuantizer])
def test_any_quantizer_adopts_a_model_with_formats(method: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x = Written(), image()
    expected = model.eval()(x)
    quantizer = method(model)
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    found = slots(quantizer)
    assert (found["conv.weight"].bits, found["conv.weight"].scheme) == (4, Scheme.SYMMETRIC)
    assert found["fc.weight"].bits == 5
    if method in (PostTrainingQuantizer, LSQQuantizer):
        assert (found["relu"].bits, found["add"].bits, found["mul"].scheme) == (8, 6, Scheme.SYMMETRIC)
        assert found["fc.bias"].bits == 16
        assert quantizer.report([x], sensitivity=False).slots
        quantizer.export_onnx(tmp_path / "model.onnx")
    assert snr(expected, quantizer.convert()(x)) > 10


def test_a_model_with_formats_is_a_float_model_before() -> None:
    torch.manual_seed(0)
    layer = QuantLinear(8, 4, bits_weights=2)
    plain = nn.Linear(8, 4)
    plain.load_state_dict(layer.state_dict())
    assert torch.equal(layer(image(3, 8)), plain(image(3, 8)))
    assert repr(layer) == "QuantLinear(in_features=8, out_features=4, bias=True, bits_weights=2)"
    assert repr(QuantConcat(1, bits_activations=4)) == "QuantConcat(bits_activations=4)"
    with pytest.raises(QprepError, match="expected bits_weights from 1 to 16.*of QuantLinear"):
        QuantLinear(8, 4, bits_weights=99)


def test_recurrent_layers_and_lookups_bring_formats_for_all_inside() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = QuantEmbedding(20, 8, bits_weights=6)
            self.rnn = QuantLSTM(8, 4, bits_weights=3, bits_activations=5)

        def forward(self, x: Tensor) -> Tensor:
            return self.rnn(self.embed(x))[0]  # type: ignore[no-any-return]

    quantizer = PostTrainingQuantizer(Words())
    quantizer.prepare_model(tokens())
    found = slots(quantizer)
    assert (found["embed.weight"].bits, found["rnn.weight_hh_l0"].bits) == (6, 3)
    assert found["rnn.stages.l0.steps.0.cell_add"].bits == 5


def test_overrides_come_before_a_layers_own_formats(tmp_path: Path) -> None:
    quantizer = PostTrainingQuantizer(Written(), overrides={"conv": {"bits_weights": 8}})
    quantizer["fc"] = {"bits_weights": 3}
    quantizer.prepare_model(image())
    quantizer.calibrate([image()])
    assert (slots(quantizer)["conv.weight"].bits, slots(quantizer)["fc.weight"].bits) == (8, 3)
    quantizer.save(tmp_path / "model.pt")
    again = PostTrainingQuantizer.load(tmp_path / "model.pt", quantizer.float_model, image())
    assert torch.equal(quantizer.convert()(image()), again.convert()(image()))


class Mixed(nn.Module):
    """Unprepared arithmetic around layers of two kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(8, 4, 3), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return (self.fc(torch.sin(self.conv(x)) * 2) + 1).relu()  # type: ignore[no-any-return]


@pytest.mark.parametrize("method", [PostTrainingQuantizer, DynamicQuantizer, WeightOnlyQuantizer, PACTQuantizer])
def test_types_alone_are_quantized(method: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x = Mixed(), image()
    expected = model(x).detach()
    quantizer = method(model, types={nn.Linear})
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    assert {name.split(".")[0] for name in slots(quantizer)} <= {"fc", "", "conv"}
    assert "fc.weight" in slots(quantizer)
    assert "conv.weight" not in slots(quantizer)
    assert snr(expected, quantizer.convert()(x)) > 20
    quantizer.save(tmp_path / "model.pt")
    again = method.load(
        tmp_path / "model.pt", getattr(quantizer, "float_model", model) if method is not PACTQuantizer else Mixed(), x
    )
    assert torch.equal(quantizer.convert()(x), again.convert()(x))


def test_types_that_the_model_does_not_have() -> None:
    with pytest.raises(QprepError, match=r"expected classes of the model's modules as types, found .*Conv3d; did you"):
        PostTrainingQuantizer(Mixed(), types={nn.Conv3d})
    with pytest.raises(QprepError, match="expected a class of modules as a type, found 3"):
        PostTrainingQuantizer(Mixed(), types=[3])


def test_dynamic_in_one_line(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x = Mixed(), image()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    made = quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    assert all(torch.equal(before[name], each) for name, each in model.state_dict().items())
    assert [each.name for each in made.modules() if isinstance(each, DynamicActivationQuantizer)] == ["fc.input 0"]
    assert snr(model(x), made(x)) > 30
    assert not torch.equal(model(x), made(x))
    write_onnx(made, tmp_path / "model.onnx", (x,))
    halves = dict(quantize_dynamic(nn.Sequential(nn.LSTM(8, 4)), dtype=torch.float16).named_parameters())
    assert torch.equal(halves["0.module.weight_ih_l0"].half().float(), halves["0.module.weight_ih_l0"])
    assert isinstance(quantize_dynamic(nn.Linear(8, 4)).module, nn.Linear)
    with pytest.raises(QprepError, match=r"expected a dtype of weights among torch.qint8"):
        quantize_dynamic(model, {nn.Linear}, dtype=torch.quint8)
    with pytest.raises(QprepError, match="expected modules with weights"):
        quantize_dynamic(nn.Sequential(nn.ReLU()), {nn.ReLU})


def test_a_method_as_a_decorator_of_forward(tmp_path: Path) -> None:
    @forward_method
    def in_eighths(module: nn.Module, forward: Any, input: Tensor) -> Any:
        return torch.round(forward(torch.round(input * 8) / 8) * 8) / 8

    class Eighths(nn.Linear):
        @in_eighths
        def forward(self, input: Tensor) -> Tensor:
            return super().forward(input)

    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(8, 8), Eighths(8, 8), nn.ReLU(), nn.Linear(8, 4)).eval(), image(32, 8)
    quantizer = PostTrainingQuantizer(model)
    quantizer.prepare_model(x)  # it is prepared, though its forward rounds outside of any module
    quantizer.calibrate([x])
    assert "1: quantized by its own forward (in_eighths)" in quantizer.notes
    assert set(slots(quantizer)) == {"input 0", "0.weight", "0", "2", "3.weight", "3"}  # nothing before the ReLU
    assert snr(model(x), quantizer.convert()(x)) > 20
    quantizer.export_onnx(tmp_path / "model.onnx")
    with pytest.raises(QprepError, match="expected a function as a quantization method, found 3"):
        forward_method(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", BACKENDS)
def test_backends_set_formats(backend: str) -> None:
    x = image(32, 8)
    quantizer = PostTrainingQuantizer(mlp(), backend=backend)
    quantizer.prepare_model(x)
    quantizer.calibrate([x])
    found = slots(quantizer)
    limits = {"x86": (0, 127), "tensorrt": (-128, 127), "executorch": (-128, 127)}
    assert found["2"].limits == limits.get(backend, (0, 255))
    assert found["0.weight"].limits == (-127, 127)
    assert (found["0.weight"].granularity == "per-tensor") == (backend == "qnnpack")
    symmetric = [int(each.zero_point) for each in quantizer.quantizers if each.name == "2"]
    assert (symmetric == [0]) == (backend == "tensorrt")
    assert snr(mlp()(x), quantizer.convert()(x)) > 30


def test_what_is_said_comes_before_the_backends_formats() -> None:
    quantizer = PostTrainingQuantizer(mlp(), backend="qnnpack", granularity_weights="per-channel")
    assert quantizer.settings.defaults.granularity_weights == "per-channel"
    with pytest.raises(QprepError, match="expected a backend among .*found 'qnpack'; did you mean 'qnnpack'"):
        PostTrainingQuantizer(mlp(), backend="qnpack")


def test_none_leaves_a_module_in_float() -> None:
    quantizer = PostTrainingQuantizer(mlp())
    quantizer["2"] = None
    assert not quantizer["2"].asks
    quantizer.prepare_model(image(32, 8))
    assert set(slots(quantizer)) == {"input 0", "0.weight", "1"}
    with pytest.raises(QprepError, match="expected settings of '0' before prepare_model"):
        quantizer["0"] = None
    with pytest.raises(QprepError, match="expected the name of a module or parameter, found 'conv9'"):
        PostTrainingQuantizer(nn.Sequential())["conv9"] = None


def test_bits_overrides_and_the_pattern_that_was_meant() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv2(self.conv1(x))  # type: ignore[no-any-return]

    quantizer = PostTrainingQuantizer(Named(), bits_overrides={"conv2": {"wts": 4, "acts": None}, "conv.*": 6})
    quantizer.prepare_model(image())
    found = slots(quantizer)
    assert (found["conv1.weight"].bits, found["conv2.weight"].bits, "conv2" in found) == (6, 4, False)
    for given in ({"overrides": {"conv*": {"bits_weights": 4}}}, {"bits_overrides": {"conv*": 4}}):
        with pytest.raises(QprepError, match=r"'conv\*' matches no module; did you mean 'conv\.\*'"):
            PostTrainingQuantizer(Named(), **given)


def test_bits_overrides_that_disagree_with_overrides() -> None:
    both: dict[str, Any] = {
        "overrides": {"0": {"bits_weights": 8, "scheme_weights": "symmetric"}},
        "bits_overrides": {"0": {"wts": 8}},
    }
    quantizer = PostTrainingQuantizer(nn.Sequential(nn.Linear(8, 4)), **both)
    assert quantizer["0"].scheme_weights.value == "symmetric"
    with pytest.raises(
        QprepError, match="expected one value of bits_weights for '0', found 8 in overrides and 4 in bits"
    ):
        PostTrainingQuantizer(nn.Sequential(nn.Linear(8, 4)), **{**both, "bits_overrides": {"0": {"wts": 4}}})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: QuantConv2d(3, 8, 3, bit_weights=4),
            "'bit_weights' of QuantConv2d; did you mean 'bits_weights'",
        ),
        (lambda: QuantLinear(3, 8, weights="int8"), "expected a Spec as weights of QuantLinear, found 'int8'"),
        (lambda: QuantAdd(activations=8), "expected a Spec as activations of QuantAdd, found 8"),
    ],
)
def test_arguments_that_a_layer_does_not_have(make: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(QprepError, match=message):
        make()
