"""Operations that give integers where all their inputs are integers: no activation then."""

from __future__ import annotations

from typing import Final

KEEPS_INTEGERS: Final = frozenset(
    ["add", "sub", "rsub", "mul", "floor_divide", "remainder", "fmod", "pow", "neg", "abs", "square", "sign", "clamp", "clamp_min", "clamp_max", "maximum", "minimum", "max", "min", "amax", "amin", "aminmax", "sum", "cumsum", "cumprod", "prod", "median", "mode", "kthvalue", "diff", "round", "floor", "ceil", "trunc", "relu", "relu6", "where", "masked_fill", "masked_scatter", "cat", "stack", "hstack", "vstack", "dstack", "pad", "index_add", "scatter_add", "scatter_reduce", "sum_list", "addcmul", "matmul", "bmm", "mm", "mv", "dot", "outer", "tensordot", "einsum", "kron", "cross", "cummax", "cummin", "max_pool1d", "max_pool2d"]
)
