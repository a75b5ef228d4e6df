"""Tables of embeddings: rounded once, on the grid of what is looked up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.quantizer import DynamicQuantizer, PostTrainingQuantizer
from qprep.quantizer.formats.affine import fake_quantize
from qprep.quantizer.formats.tensor_quantizers import TableQuantizer
from qprep.quantizer.graph.quantized_module import QuantizedModule


class Tokens(nn.Module):
    """A table, and a layer that reads what is looked up."""

    def __init__(self, tied: bool = False, **settings: Any) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(20, 8, **settings), nn.Linear(8, 20 if tied else 5, bias=False)
        if tied:
            self.head.weight = self.table.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.table(tokens))  # type: ignore[no-any-return]


TOKENS = torch.arange(16).view(4, 4)


def quantized(model: nn.Module, kind: type = PostTrainingQuantizer, **settings: Any) -> Any:
    quantizer = kind(model.eval(), **settings)
    quantizer.prepare_model(TOKENS)
    quantizer.calibrate([TOKENS])
    return quantizer


def table_of(quantizer: Any) -> tuple[QuantizedModule, Any]:
    found = quantizer.model.table
    assert isinstance(found, QuantizedModule)
    return found, found.weights["weight"]


@pytest.mark.parametrize("backend", ["onnxruntime", "qnnpack", None])
def test_a_row_is_rounded_once_on_the_grid_of_the_output(backend: str | None) -> None:
    torch.manual_seed(0)
    model = Tokens()
    settings: dict[str, Any] = {} if backend is None else {"backend": backend}
    quantizer = quantized(model, bits_activations=8, **settings)
    layer, table = table_of(quantizer)
    assert isinstance(table, TableQuantizer)
    output: Any = layer.outputs["0"]
    assert torch.equal(layer(TOKENS), fake_quantize(model.table(TOKENS), output.params))
    assert torch.equal(quantizer.convert().table(TOKENS), layer(TOKENS))
    assert torch.equal(quantizer.to_integer()(TOKENS), quantizer.convert()(TOKENS))


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (Tokens(tied=True), {}),
        (Tokens(max_norm=1.0), {}),
        (Tokens(), {"bits_weights": 4}),
        (Tokens(), {"backend": "x86"}),  # of 7 bits for activations
        (Tokens(), {"overrides": {"table": {"granularity_weights": "per-group", "group_size": 4}}}),
        (Tokens(), {"overrides": {"table": {"bits_activations": None}}}),
    ],
)
def test_other_tables_keep_a_format_of_their_own(model: nn.Module, settings: dict[str, Any]) -> None:
    _, table = table_of(quantized(model, **settings))
    assert not isinstance(table, TableQuantizer)


def test_dynamic_quantization_keeps_the_format_of_the_table() -> None:
    quantizer = DynamicQuantizer(Tokens().eval())
    quantizer.prepare_model(TOKENS)
    assert not any(isinstance(each, TableQuantizer) for each in quantizer.model.modules())


def test_a_table_that_was_not_looked_up_has_its_own_range() -> None:
    quantizer = PostTrainingQuantizer(Tokens().eval())
    quantizer.prepare_model(TOKENS)
    layer, table = table_of(quantizer)
    table.fit(layer.module.weight)
    low, high = layer.module.weight.detach().aminmax()  # type: ignore[operator]
    assert float(table.scale) == pytest.approx(float((high - low) / 255), rel=1e-6)


def test_the_file_holds_integers_and_gives_the_simulation(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    quantizer = quantized(Tokens(), backend="onnxruntime")
    quantizer.export_onnx(tmp_path / "tokens.onnx")
    held = {tuple(each.dims): each.data_type for each in onnx.load(tmp_path / "tokens.onnx").graph.initializer}
    assert held[20, 8] == onnx.TensorProto.UINT8
    session = runtime.InferenceSession(str(tmp_path / "tokens.onnx"))
    (found,) = session.run(None, {session.get_inputs()[0].name: TOKENS.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), quantizer.convert()(TOKENS), rtol=0, atol=1e-6)


def test_a_saved_table_loads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    quantizer = quantized(Tokens())
    quantizer.save(tmp_path / "q.pt")
    again = PostTrainingQuantizer.load(tmp_path / "q.pt", Tokens().eval(), TOKENS)
    assert torch.equal(again.convert()(TOKENS), quantizer.convert()(TOKENS))
