"""Parameters that are the second factor of a product of matrices: their outputs are along the last dimension."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from qprep.quantizer import PostTrainingQuantizer
from tests.quantizer.models import snr

onnxruntime: Any = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

Product = Callable[[Tensor, Tensor, Tensor], Tensor]
FLAT: dict[str, Product] = {
    "operator": lambda x, weight, _: x @ weight,
    "mm": lambda x, weight, _: torch.mm(x, weight),
    "method": lambda x, weight, _: x.matmul(weight),
    "addmm": lambda x, weight, bias: torch.addmm(bias, x, weight),
}
BATCHES: dict[str, Product] = {
    "bmm": lambda x, weight, _: torch.bmm(x, weight),
    "matmul": lambda x, weight, _: torch.matmul(x, weight),
    "baddbmm": lambda x, weight, bias: torch.baddbmm(bias, x, weight),
}


class Multiplies(nn.Module):
    """A product with a parameter whose columns differ in size, behind a layer."""

    def __init__(self, product: Product, *shape: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.product = nn.Linear(shape[-2], shape[-2]), product
        self.weight = nn.Parameter(torch.randn(*shape) * torch.logspace(-2, 0, shape[-1]))
        self.bias = nn.Parameter(torch.randn(shape[-1]))

    def forward(self, x: Tensor) -> Tensor:
        return self.product(self.layer(x), self.weight, self.bias)


def exported(model: nn.Module, x: Tensor, path: Path) -> tuple[PostTrainingQuantizer, Tensor]:
    """A calibrated quantizer, and what its file gives."""
    quantizer = PostTrainingQuantizer(model.eval())
    quantizer.prepare_model(x, allow_unprepared=True)
    quantizer.calibrate([x])
    quantizer.export_onnx(path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return quantizer, torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])


@pytest.mark.parametrize("columns", [8, 16])  # 16 rows: scales of rows would fit the columns too
@pytest.mark.parametrize("name", FLAT)
def test_a_scale_for_each_column(name: str, columns: int, tmp_path: Path) -> None:
    model, x = Multiplies(FLAT[name], 16, columns), torch.randn(6, 16)
    quantizer, found = exported(model, x, tmp_path / "model.onnx")
    (slot,) = [each for each in quantizer.quantizers if each.name == "weight"]
    assert (slot.grid.axis, slot.grid.scale.numel()) == (1, columns)
    converted = quantizer.convert()
    assert snr(converted(x), found) > 50
    assert snr(converted(x), quantizer.to_integer()(x)) > 50
    small = model(x)[:, 0]  # its column is a hundredth of the largest one
    assert snr(small, converted(x)[:, 0]) > 25


@pytest.mark.parametrize("name", BATCHES)
def test_one_scale_for_products_in_batches(name: str, tmp_path: Path) -> None:
    model, x = Multiplies(BATCHES[name], 3, 16, 8), torch.randn(3, 5, 16)
    quantizer, found = exported(model, x, tmp_path / "model.onnx")
    converted = quantizer.convert()
    assert snr(converted(x), found) > 50
    assert snr(converted(x), quantizer.to_integer()(x)) > 50


def test_a_factor_that_is_transposed_has_its_outputs_first() -> None:
    model, x = Multiplies(lambda x, weight, _: x @ weight.t(), 16, 16), torch.randn(6, 16)
    quantizer = PostTrainingQuantizer(model.eval())
    quantizer.prepare_model(x, allow_unprepared=True)
    quantizer.calibrate([x])
    (slot,) = [each for each in quantizer.quantizers if each.name == "weight"]
    assert slot.grid.axis == 0
