"""Calls of every compute operation of the catalogue, by the row's name; arguments as its first spelling takes them."""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor

from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.op import Op, OpClass
from tests.runtime_modules.calls import Call, call, rand, randn
from tests.runtime_modules.family_cases import FAMILIES


def _definite() -> Tensor:
    root = randn(3, 3)
    return root @ root.T + 3 * torch.eye(3)


_X = randn(2, 3, 4)
_MATRIX = _definite()
_MASK = _X > 0
_INDEX = torch.tensor([0, 2, 0])
_ROWS = torch.tensor([[0, 1, 2, 0], [2, 0, 0, 1]])
_WINDOW = torch.hann_window(8)

_REDUCED = (call(_X), call(_X, 1), call(_X, (0, 2), True), call(_X, dim=-1, keepdim=True))
_EXPLICIT: dict[str, tuple[Call, ...]] = {
    "add": (call(rand(2, 3), rand(3)), call(rand(2, 3), rand(3), alpha=2), call(rand(2, 3), 1.5)),
    "sub": (call(rand(2, 3), rand(3)), call(rand(2, 3), rand(3), alpha=0.5), call(rand(2, 3), 2)),
    "mul": (call(rand(2, 3), rand(3)), call(rand(2, 3), 2)),
    "div": (call(rand(2, 3), rand(3)), call(rand(2, 3), rand(3), rounding_mode="floor"), call(rand(2, 3), 2)),
    "pow": (call(rand(2, 3), 2), call(rand(2, 3), rand(3)), call(rand(2, 3), 0.5)),
    "float_power": (call(rand(2, 3).double(), 2.0), call(rand(2, 3), 2.0)),
    "matmul": (call(randn(2, 3, 4), randn(4, 2)), call(randn(3), randn(3))),
    "heaviside": (call(randn(2, 3), rand(2, 3)),),
    "lerp": (call(randn(2, 3), randn(2, 3), 0.3), call(randn(2, 3), randn(2, 3), rand(2, 3))),
    "addcmul": (call(randn(2, 3), randn(2, 3), randn(3), value=0.5), call(randn(2, 3), randn(2, 3), randn(3))),
    "addcdiv": (call(randn(2, 3), randn(2, 3), rand(3), value=0.5), call(randn(2, 3), randn(2, 3), rand(3))),
    "cross": (call(randn(2, 3), randn(2, 3), 1),),
    "linalg_cross": (call(randn(2, 3), randn(2, 3)),),
    "bmm": (call(randn(2, 3, 4), randn(2, 4, 2)),),
    "mm": (call(randn(3, 4), randn(4, 2)),),
    "mv": (call(randn(3, 4), randn(4)),),
    "dot": (call(randn(4), randn(4)),),
    "vdot": (call(randn(4), randn(4)),),
    "vecdot": (call(randn(2, 4), randn(2, 4)), call(randn(2, 4), randn(2, 4), dim=0)),
    "outer": (call(randn(3), randn(4)),),
    "tensordot": (call(randn(2, 3, 4), randn(3, 4, 5)), call(randn(2, 3), randn(3, 5), 1)),
    "einsum": (call("ij,jk->ik", randn(2, 3), randn(3, 4)), call("ii", randn(3, 3))),
    "multi_dot": (call([randn(2, 3), randn(3, 4), randn(4, 2)]),),
    "chain_matmul": (call(randn(2, 3), randn(3, 4), randn(4, 2)),),
    "matrix_power": (call(_MATRIX, 3),),
    "addmm": (
        call(randn(3, 2), randn(3, 4), randn(4, 2)),
        call(randn(3, 2), randn(3, 4), randn(4, 2), beta=2, alpha=0.5),
    ),
    "addmv": (call(randn(3), randn(3, 4), randn(4), beta=0.5),),
    "addr": (call(randn(3, 4), randn(3), randn(4), alpha=2),),
    "addbmm": (call(randn(3, 2), randn(2, 3, 4), randn(2, 4, 2)),),
    "baddbmm": (call(randn(2, 3, 2), randn(2, 3, 4), randn(2, 4, 2), beta=0, alpha=2),),
    **{name: (*_REDUCED, call(_X, 0, dtype=torch.float64)) for name in ("sum", "mean", "nansum", "nanmean")},
    "prod": (call(_X), call(_X, 1, True), call(_X, dtype=torch.float64)),
    "amax": _REDUCED,
    "amin": _REDUCED,
    "aminmax": (call(_X), call(_X, dim=1, keepdim=True)),
    "max": (call(_X), call(_X, 1), call(_X, dim=1, keepdim=True), call(_X, randn(4))),
    "min": (call(_X), call(_X, 1), call(_X, dim=1, keepdim=True), call(_X, randn(4))),
    "median": (call(_X), call(_X, 1, True)),
    "nanmedian": (call(_X), call(_X, 1, True)),
    "mode": (call(_X), call(_X, 1, True)),
    "kthvalue": (call(_X, 2), call(_X, 1, 0, True)),
    "quantile": (call(_X, 0.3), call(_X, 0.3, 1, True, interpolation="lower"), call(_X, torch.tensor([0.1, 0.5]), 0)),
    "nanquantile": (call(_X, 0.3), call(_X, 0.3, 1, True, interpolation="higher")),
    "logsumexp": (call(_X, 1), call(_X, (0, 2), True)),
    "trace": (call(_MATRIX),),
    "sum_to_size": (call(_X, 3, 1), call(_X, (1, 4))),
    **{
        name: (call(_X), call(_X, 1), call(_X, 1, False), call(_X, False), call(_X, (0, 1), correction=0, keepdim=True))
        for name in ("std", "var", "std_mean", "var_mean")
    },
    "cov": (call(randn(3, 5)), call(randn(3, 5), correction=0, aweights=rand(5))),
    "corrcoef": (call(randn(3, 5)),),
    **{name: (call(_X, 1), call(_X, 2, dtype=torch.float64)) for name in ("cumsum", "cumprod")},
    **{name: (call(_X, 1),) for name in ("cummax", "cummin", "logcumsumexp")},
    "diff": (call(_X), call(_X, 2, 1), call(_X, prepend=randn(2, 3, 1))),
    **{name: (call(_X), call(_X, rand(4)), call(_X, dx=2.0, dim=1)) for name in ("trapezoid", "cumulative_trapezoid")},
    "norm": (call(_X), call(_X, 1, 1), call(_X, p="fro", dim=(1, 2), keepdim=True)),
    "linalg_norm": (call(_MATRIX), call(_MATRIX, "nuc"), call(_MATRIX, 1, (0, 1), True)),
    "vector_norm": (call(_X), call(_X, 3, 1, True), call(_X, 1.5, (0, 1))),
    "matrix_norm": (call(_MATRIX), call(_X, 1, (0, 1), True)),
    "dist": (call(_X, rand(4)), call(_X, rand(4), 1.5)),
    "cdist": (call(randn(4, 3), randn(5, 3)), call(randn(4, 3), randn(5, 3), 1.0)),
    "renorm": (call(_X, 2, 0, 1.0),),
    "cat": (call([rand(2, 3), rand(1, 3)]), call([rand(2, 3), rand(2, 1)], 1), call((rand(2, 3), rand(2, 1)), dim=-1)),
    "stack": (call([rand(2, 3), rand(2, 3)]), call([rand(2, 3), rand(2, 3)], dim=-1)),
    **{name: (call([rand(2, 3), rand(2, 3)]),) for name in ("hstack", "vstack", "dstack", "column_stack")},
    "block_diag": (call(rand(2, 3), rand(1, 1)),),
    "cartesian_prod": (call(rand(2), rand(3)),),
    "sum_list": (call([rand(2, 3), rand(2, 3)]), call([rand(2, 3), rand(2, 3)], rand(3))),
    "round": (call(randn(2, 3)), call(randn(2, 3), decimals=1)),
    "nan_to_num": (call(torch.tensor([1.0, float("nan"), float("inf")])), call(torch.tensor([float("nan")]), 2.0)),
    "logit": (call(rand(2, 3)), call(rand(2, 3), 0.2)),
    "acosh": (call(rand(2, 3) + 1),),
    "erfinv": (call(rand(2, 3)),),
    "clamp": (call(_X, 0), call(_X, -0.5, 0.5), call(_X, max=0.1), call(_X, torch.zeros(4), torch.ones(4))),
    "clamp_min": (call(_X, 0.1), call(_X, randn(4))),
    "clamp_max": (call(_X, 0.1), call(_X, randn(4))),
    "where": (call(_MASK, _X, rand(4)), call(_MASK, _X, 0.0), call(_MASK)),
    "masked_fill": (call(_X, _MASK, 0.5), call(_X, _MASK, torch.tensor(2.0)), call(_X, _MASK, float("-inf"))),
    "index_add": (call(rand(2, 3), 1, _INDEX, rand(2, 3), alpha=2), call(rand(3, 3), 0, _INDEX, rand(3, 3))),
    "index_reduce": (call(rand(2, 3), 1, _INDEX, rand(2, 3), "amax", include_self=False),),
    "scatter_add": (call(rand(3, 4), 0, _ROWS, rand(2, 4)),),
    "scatter_reduce": (call(rand(3, 4), 0, _ROWS, rand(2, 4), "mean", include_self=False),),
    "leaky_relu": (call(_X), call(_X, 0.2)),
    "elu": (call(_X), call(_X, 0.5)),
    "celu": (call(_X), call(_X, 0.5)),
    "rrelu": (call(_X, training=True), call(_X, 0.1, 0.2)),
    "prelu": (call(_X, rand(3)),),
    "threshold": (call(_X, 0.1, 20.0),),
    "hardtanh": (call(_X), call(_X, -0.5, 0.5)),
    "gelu": (call(_X), call(_X, approximate="tanh")),
    "glu": (call(_X), call(_X, 2)),
    "softplus": (call(_X), call(_X, 2.0, 1.0)),
    "softmax": (call(_X, 1), call(_X, dim=-1, dtype=torch.float64)),
    "softmin": (call(_X, 1),),
    "log_softmax": (call(_X, 1), call(_X, dim=-1, dtype=torch.float64)),
    "gumbel_softmax": (call(_X), call(_X, 0.5, True, dim=1)),
    "linear": (call(_X, randn(5, 4), randn(5)), call(_X, randn(5, 4))),
    "bilinear": (call(randn(2, 3), randn(2, 4), randn(5, 3, 4), randn(5)),),
    "conv_tbc": (call(randn(7, 2, 4), randn(3, 4, 5), randn(5), 1),),
    "embedding": (call(_ROWS, randn(4, 5)), call(_ROWS, randn(4, 5), 0)),
    "embedding_bag": (call(_ROWS, randn(4, 5)), call(_ROWS.flatten(), randn(4, 5), torch.tensor([0, 3]), mode="sum")),
    "scaled_dot_product_attention": (
        call(randn(2, 2, 3, 4), randn(2, 2, 5, 4), randn(2, 2, 5, 4)),
        call(randn(2, 3, 4), randn(2, 3, 4), randn(2, 3, 4), None, 0.0, True, scale=0.3),
    ),
    "batch_norm": (
        call(_X, torch.zeros(3), torch.ones(3), randn(3), randn(3)),
        call(_X, torch.zeros(3), torch.ones(3), None, None, True, 0.2, 1e-3),
    ),
    "instance_norm": (call(_X), call(_X, weight=randn(3), bias=randn(3), eps=1e-3)),
    "layer_norm": (call(_X, (4,), randn(4), randn(4)), call(_X, [3, 4], eps=1e-3)),
    "group_norm": (call(randn(2, 4, 3), 2, randn(4), randn(4)), call(randn(2, 4, 3), 4, eps=1e-3)),
    "rms_norm": (call(_X, (4,), randn(4)), call(_X, (3, 4), None, 1e-3)),
    "local_response_norm": (call(randn(2, 5, 4), 2), call(randn(2, 5, 4), 3, 1e-3, 0.5, 2.0)),
    "normalize": (call(_X), call(_X, 1.0, -1)),
    "cosine_similarity": (call(_X, rand(4)), call(_X, rand(4), -1, 1e-6)),
    "pairwise_distance": (call(randn(2, 4), randn(2, 4)), call(randn(2, 4), randn(2, 4), 1.0, keepdim=True)),
    "pdist": (call(randn(4, 3)), call(randn(4, 3), 1.0)),
    "feature_dropout": (call(randn(2, 3, 4), 0.5, True), call(randn(2, 3, 4), 0.5, False)),
    "dropout3d": (call(randn(2, 3, 2, 2, 2), 0.3, True),),
    "interpolate": (
        call(randn(1, 2, 4, 4), (8, 6)),
        call(randn(1, 2, 4, 4), scale_factor=2.0, mode="bilinear", align_corners=True),
        call(randn(1, 2, 4, 4), 8, mode="bicubic", antialias=True),
    ),
    "upsample_nearest": (call(randn(1, 2, 4, 4), 8), call(randn(1, 2, 4, 4), scale_factor=2)),
    "upsample_bilinear": (call(randn(1, 2, 4, 4), 8), call(randn(1, 2, 4, 4), scale_factor=2)),
    "pad": (call(_X, (1, 2)), call(_X, (1, 1), "reflect"), call(_X, (1, 0, 0, 1), value=2.0)),
    "constant_pad_nd": (call(_X, (1, 2)), call(_X, (1, 0, 0, 1), 2.0)),
    "grid_sample": (
        call(randn(1, 2, 4, 4), rand(1, 3, 3, 2), align_corners=False),
        call(randn(1, 2, 4, 4), rand(1, 3, 3, 2), "nearest", "border", True),
    ),
    "affine_grid": (call(randn(1, 2, 3), (1, 2, 4, 4), False),),
    "fold": (call(randn(1, 8, 9), (4, 4), 2), call(randn(1, 8, 4), 4, (2, 2), stride=2)),
    **{name: (call(_MATRIX),) for name in ("det", "logdet", "slogdet", "inverse", "svdvals", "matrix_exp")},
    "pinverse": (call(_MATRIX), call(_MATRIX, 1e-3)),
    "linalg_solve": (call(_MATRIX, randn(3, 2)), call(_MATRIX, randn(2, 3), left=False)),
    "solve_triangular": (call(_MATRIX.tril(), randn(3, 2), upper=False), call(_MATRIX.triu(), randn(3, 2), upper=True)),
    **{
        name: (call(_MATRIX), call(_MATRIX, upper=True)) for name in ("cholesky", "linalg_cholesky", "cholesky_inverse")
    },
    "cholesky_solve": (call(randn(3, 2), _MATRIX.tril()),),
    "qr": (call(_MATRIX),),
    "linalg_qr": (call(_MATRIX), call(randn(4, 3), "complete")),
    "svd": (call(_MATRIX),),
    "linalg_svd": (call(_MATRIX), call(randn(4, 3), False)),
    "eigh": (call(_MATRIX), call(_MATRIX, "U")),
    "eigvalsh": (call(_MATRIX), call(_MATRIX, "U")),
    "stft": (
        call(randn(32), 8, window=_WINDOW, return_complex=True),
        call(randn(2, 32), 8, 4, 8, _WINDOW, False, normalized=True, return_complex=True),
    ),
    "istft": (call(torch.stft(randn(32), 8, window=_WINDOW, return_complex=True), 8, window=_WINDOW, length=32),),
    "einops_einsum": (call(randn(2, 3, 4), randn(2, 5, 4), "b i d, b j d -> b i j"), call(randn(3, 3), "a a ->")),
    "einops_reduce": (call(_X, "b n d -> b d", "mean"), call(_X, "b n (h d) -> b h d", "max", h=2)),
    "einops_pack": (call([_X, randn(2, 5, 2, 4)], "b * d"), call([randn(4)], "* d")),
    **FAMILIES,
}


def operations() -> tuple[Op, ...]:
    """The compute rows of packages that are installed."""
    return tuple(op for op in load().ops if op.cls is OpClass.COMPUTE and find_spec(op.spellings[0].partition(".")[0]))


def calls(op: Op) -> tuple[Call, ...]:
    """The calls of a row: those written here, or of one or two operands in the domain of every function."""
    if op.name in _EXPLICIT:
        return _EXPLICIT[op.name]
    required = [found.name for found in load().spellings(op)[0].parameters if found.default is None]
    return (call(*(rand(2, 3) for _ in required)),)
