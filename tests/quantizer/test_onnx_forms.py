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
    "clamp of whole numbers": lambda x: x * (x > 0).sum(1, keepdim=True).clamp(min=2),
    "clamp of whole numbers between": lambda x: x * torch.clamp((x > 0).sum(1, keepdim=True).int(), 1, 2),
    "clamp of whole numbers to a fraction": lambda x: x * (x > 0).sum(1, keepdim=True).clamp_max(1.5),
    "relu of whole numbers": lambda x: x * functional.relu((x > 0).sum(1, keepdim=True) - 1),
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
        (lambda x: x.roll(1), "roll"),
        (torch.linalg.svdvals, "svdvals"),
        (lambda x: torch.lgamma(x.abs()), "lgamma"),
    ],
)
def test_refused(function: Callable[[Tensor], Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(QprepError, match=rf"with an ONNX form, found .*{reason}") as error:
        write_onnx(Function(function), tmp_path / "model.onnx", (image(2, 4, 8, 8),))
    assert "test_onnx_forms.py:" in str(error.value)


def flags(x: Tensor) -> Tensor:
    return x > 0


def rows(x: Tensor) -> Tensor:
    return torch.arange(len(x))[:, None]


def assigned(x: Tensor) -> Tensor:
    y = x * 1
    y[:, 1:3] = 0.5
    y[y < 0] = 0
    return y + 1


MASKS: dict[str, Callable[[Tensor], Any]] = {
    "equal": lambda x: (x.round() == 0).float(),
    "not equal": lambda x: (x.round() != 1).float(),
    "less": lambda x: (x < x.flip(1)).float(),
    "at most": lambda x: (x.long() <= 0.5).float(),
    "above": lambda x: (x > 0).float(),
    "at least": lambda x: x.ge(0.1).float(),
    "and": lambda x: (flags(x) & flags(x.flip(1))).float(),
    "or": lambda x: torch.logical_or(x.long(), flags(x)).float(),
    "xor": lambda x: (flags(x) ^ flags(x.flip(1))).float(),
    "not": lambda x: (~flags(x)).float(),
    "bits": lambda x: ((x * 4).long() & 3 | 4) ^ ~(x * 2).long(),
    "any": lambda x: flags(x).any(-1).float(),
    "all": lambda x: torch.all(flags(x), 1, keepdim=True).float(),
    "finite": lambda x: torch.isfinite(x).float() + torch.isnan(x) + torch.isinf(x),
    "sum of a mask": lambda x: flags(x).sum(-1).float(),
    "mean of a mask": lambda x: flags(x).float().mean(),
    "cumulated mask": lambda x: flags(x).cumsum(-1).float(),
    "mask times": lambda x: flags(x) * x,
    "number minus mask": lambda x: (1.0 - flags(x).to(x.dtype)) * torch.finfo(x.dtype).min / 1e38,
    "integers plus": lambda x: ((x * 3).long() + 2) * 3 - 1,
    "quotient of integers": lambda x: (x * 3).long() / 4,
    "where with a number": lambda x: torch.where(flags(x), x, 0.0),
    "new": lambda x: x.new_ones(len(x), 3) + x.new_full((3,), 2.0) + x.new_zeros(1),
    "several indices": lambda x: x[rows(x), torch.arange(4)[None]],
    "negative indices": lambda x: x[rows(x), torch.tensor([-1, 0])[None], 2],
    "rows counted": lambda x: x[:, 0, 0, 0] + torch.arange(len(x)),
}
HANDED: dict[str, Callable[[Tensor], Any]] = {
    "assignments": assigned,
    "an index of booleans": lambda x: x[:, torch.tensor([True, False, True, True])],
    "indices apart": lambda x: x[:, torch.tensor([0, 1]), :, torch.tensor([2, 3])],
    "scatter": lambda x: torch.zeros_like(x).scatter(1, x.argmax(1, keepdim=True), 1.0),
    "scatter_add": lambda x: x.scatter_add(1, x.argmax(1, keepdim=True), x),
    "topk": lambda x: x.topk(2, 1)[0],
    "sort": lambda x: x.sort(-1)[0],
    "remainder": lambda x: x % 0.3,
    "deviation over rows": lambda x: x.std(0),
    "norm of order 3": lambda x: x.norm(3, dim=1),
    "unfold": lambda x: functional.unfold(x, 3),
    "grid_sample": lambda x: functional.grid_sample(x, x[:, :2].permute(0, 2, 3, 1).tanh(), align_corners=False),
    "cosine": lambda x: functional.cosine_similarity(x, x.flip(1), 1),
    "one_hot": lambda x: functional.one_hot(x.argmax(1), 4).float(),
}
SPECIAL: dict[str, Callable[[Tensor], Any]] = {
    "kthvalue": lambda x: torch.kthvalue(x, 2),
    "kthvalue kept": lambda x: torch.kthvalue(x, 3, 1, keepdim=True)[0],
    "aminmax": lambda x: torch.aminmax(x, dim=1),
    "trunc": lambda x: torch.trunc(x * 4),
    "frac": lambda x: torch.frac(x * 4),
    "asinh": torch.asinh,
    "exp2": torch.exp2,
    "erfc": torch.erfc,
    "ndtr": torch.special.ndtr,
    "logit": lambda x: torch.logit(x, 0.01),
    "sinc": torch.sinc,
    "deg2rad": torch.deg2rad,
    "hypot": lambda x: torch.hypot(x, x.flip(1)),
    "xlogy": lambda x: torch.xlogy(x, x.abs() + 0.1),
    "logaddexp": lambda x: torch.logaddexp(x, x.flip(1)),
    "fmod": lambda x: torch.fmod(x, 0.3),
    "addcdiv": lambda x: torch.addcdiv(x, x, x.abs() + 1, value=0.5),
}
POOLS: dict[str, Callable[[Tensor], Any]] = {
    "unequal averages": lambda x: functional.adaptive_avg_pool2d(x, (3, 5)),
    "unequal maxima": lambda x: functional.adaptive_max_pool2d(x, (3, 8)),
    "divisor": lambda x: functional.avg_pool2d(x, 2, divisor_override=3),
    "windows that reach outside": lambda x: functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
    "norms": lambda x: functional.lp_pool2d(x, 2.0, 3, 2),
    "norms of order 3": lambda x: functional.lp_pool2d(x.abs(), 3.0, 2),
    "responses": lambda x: functional.local_response_norm(x, 3, 0.1),
    "responses of even windows": lambda x: functional.local_response_norm(x, 2, 0.1),
    "softmin": lambda x: functional.softmin(x, 1),
    "rrelu": functional.rrelu,
}


@pytest.mark.parametrize("name", MASKS | HANDED | POOLS | SPECIAL)
def test_what_masks_and_pools_are_made_of(name: str, tmp_path: Path) -> None:
    check((MASKS | HANDED | POOLS | SPECIAL)[name], image(2, 4, 8, 8), tmp_path / "model.onnx")


@pytest.mark.parametrize("name", MASKS)
def test_masks_follow_the_batch_and_stay_qpreps(name: str, tmp_path: Path) -> None:
    report = write_onnx(Function(MASKS[name]), tmp_path / "model.onnx", (image(2, 4, 8, 8),))
    assert report.free == {"x": {0: "batch"}}
    assert not report.islands


def test_islands_and_numbers_that_were_read_are_reported(tmp_path: Path) -> None:
    def model(x: Tensor) -> Tensor:
        return torch.sort(x)[0] if x.sum() > 0 else x

    report = write_onnx(Function(model), tmp_path / "model.onnx", (image(2, 4, 8, 8).abs(),))
    assert [each.operation for each in report.islands] == ["sort"]
    assert "test_onnx_forms.py:" in report.islands[0].where
    assert any("bool in" in each and "the file has the example's number" in each for each in report.notes)
