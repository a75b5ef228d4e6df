"""ONNX forms of functions, one by one, against torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.onnx.export import write_onnx
from tests.quantizer.models import snr
from tests.quantizer.test_integer import image

onnxruntime: Any = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

TABLE = torch.randn(20, 8, generator=torch.Generator().manual_seed(3))
FUNCTIONS: dict[str, Callable[[Tensor], Any]] = {
    "std": lambda x: x.std(-1),
    "std over two": lambda x: torch.std(x, (2, 3), keepdim=True),
    "var": lambda x: x.var(1, unbiased=False),
    "var corrected": lambda x: torch.var(x, dim=(1, 2, 3), correction=2),
    "std_mean": lambda x: torch.std_mean(x, -1),
    "var_mean": lambda x: torch.var_mean(x, (1, 2), keepdim=True),
    "norm": lambda x: x.norm(dim=1),
    "norm of order 1": lambda x: torch.norm(x, 1, -1, keepdim=True),
    "vector norm": lambda x: torch.linalg.vector_norm(x, float("inf"), dim=(1, 2)),
    "linalg norm": lambda x: torch.linalg.norm(x, dim=-1),
    "normalize": lambda x: functional.normalize(x, dim=-1),
    "normalize by sums": lambda x: functional.normalize(x, p=1.0),
    "rms_norm": lambda x: functional.rms_norm(x, (8,), torch.linspace(1, 2, 8), 1e-5),
    "rms_norm of two": lambda x: functional.rms_norm(x, (8, 8)),
    "max": lambda x: x.max(),
    "max along": lambda x: torch.max(x, 1)[0],
    "max and where": lambda x: x.max(2, keepdim=True),
    "max of two": lambda x: torch.max(x, x.flip(-1)),
    "min along": lambda x: x.min(dim=-1).values,
    "argmax": lambda x: x.argmax(1),
    "argmin of all": lambda x: x.argmin(),
    "logsumexp": lambda x: torch.logsumexp(x, 1),
    "prod": lambda x: x.prod(-1),
    "cumsum": lambda x: x.cumsum(-1),
    "glu": lambda x: functional.glu(x, 1),
    "einsum": lambda x: torch.einsum("b c h w, b d h w -> b c d", x, x * 2),
    "addmm": lambda x: torch.addmm(x[0, 0, 0], x[0, 0], x[0, 1], beta=0.5, alpha=2),
    "baddbmm": lambda x: torch.baddbmm(x[0], x[0], x[0].transpose(1, 2), alpha=0.3),
    "mv": lambda x: torch.mv(x[0, 0], x[0, 1, 0]),
    "addcmul": lambda x: torch.addcmul(x, x, x.flip(1), value=0.5),
    "lerp": lambda x: torch.lerp(x, x * 3, 0.25),
    "hardshrink": functional.hardshrink,
    "softshrink": lambda x: functional.softshrink(x, 0.3),
    "threshold": lambda x: functional.threshold(x, 0.1, -2.0),
    "logsigmoid": functional.logsigmoid,
    "tanhshrink": functional.tanhshrink,
    "log2": lambda x: torch.log2(x.abs() + 1),
    "log10": lambda x: torch.log10(x.abs() + 1),
    "log1p": lambda x: torch.log1p(x.abs()),
    "expm1": torch.expm1,
    "atan": torch.atan,
    "floor_divide": lambda x: torch.floor_divide(x, 0.3),
    "channel_shuffle": lambda x: functional.channel_shuffle(x, 2),
    "pixel_unshuffle": lambda x: functional.pixel_unshuffle(x, 2),
    "roll": lambda x: torch.roll(x, (-3, 2), (2, 3)),
    "roll of rows": lambda x: x.roll(1, 0),
    "index_select": lambda x: x.index_select(1, torch.tensor([2, 0])),
    "gather": lambda x: x.gather(1, x.argmax(1, keepdim=True)),
    "triu": lambda x: x.triu(1),
    "tril": torch.tril,
    "bicubic": lambda x: functional.interpolate(x, scale_factor=2, mode="bicubic"),
    "bicubic down": lambda x: functional.interpolate(x, (5, 3), mode="bicubic", align_corners=True),
    "trilinear": lambda x: functional.interpolate(x[:, None], scale_factor=2, mode="trilinear"),
    "constant padding": lambda x: torch.constant_pad_nd(x, (1, 2), 0.5),
}
MASK = torch.ones(8, 8, dtype=torch.bool).tril(2)
FUNCTIONS |= {
    "turned": lambda x: x.mT @ x,
    "attention": lambda x: functional.scaled_dot_product_attention(x, x.flip(1), x),
    "causal attention": lambda x: functional.scaled_dot_product_attention(x, x, x, is_causal=True),
    "attention with a mask": lambda x: functional.scaled_dot_product_attention(x, x, x, MASK),
    "attention with a mask of floats": lambda x: functional.scaled_dot_product_attention(x, x, x, MASK.float().log()),
}
BAGS: dict[str, Callable[[Tensor], Any]] = {
    mode: lambda x, mode=mode: functional.embedding_bag(x, TABLE, mode=mode)  # type: ignore[misc]
    for mode in ("mean", "sum", "max")
}


class Function(nn.Module):
    """A function as a model."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def check(function: Callable[[Tensor], Any], x: Tensor, path: Path, *, free: bool = True) -> None:
    write_onnx(Function(function), path, (x,))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    more = torch.cat([x, x.flip(0)]) if free and session.get_inputs()[0].shape[0] == "batch" else x
    expected = function(more)
    found = session.run(None, {session.get_inputs()[0].name: more.numpy()})
    for one, other in zip([expected] if isinstance(expected, Tensor) else expected, found, strict=True):
        assert tuple(one.shape) == other.shape
        assert snr(one.float(), torch.from_numpy(other).float()) > 90


@pytest.mark.parametrize("name", FUNCTIONS)
def test_equal_to_torch(name: str, tmp_path: Path) -> None:
    check(FUNCTIONS[name], image(2, 4, 8, 8), tmp_path / "model.onnx")


@pytest.mark.parametrize("mode", BAGS)
def test_bags(mode: str, tmp_path: Path) -> None:
    tokens = torch.randint(20, (4, 6), generator=torch.Generator().manual_seed(1))
    check(BAGS[mode], tokens, tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: x.std(0), "a deviation over the batch"),
        (lambda x: torch.linalg.norm(x[0, 0], 2), "a norm of matrices"),
        (lambda x: x.norm(3, dim=1), "a norm of order 3"),
        (lambda x: functional.interpolate(x, scale_factor=0.5, mode="area"), "an interpolation by area"),
        (lambda x: x.roll(1), "a roll of all values"),
        (lambda x: torch.kthvalue(x, 2)[0], "kthvalue"),
    ],
)
def test_refused(function: Callable[[Tensor], Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(QprepError, match=f"with an ONNX form, found {reason}"):
        write_onnx(Function(function), tmp_path / "model.onnx", (image(2, 4, 8, 8),))
