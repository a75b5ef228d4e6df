"""Operations of einops, which names axes in a pattern; those that only move values are in `layout`."""

from __future__ import annotations

from typing import Final

from qprep.foundation.catalogue.op import Op, OpClass, Result

_COMPUTE: Final = OpClass.COMPUTE

OPS: Final[tuple[Op, ...]] = (
    Op("einops_einsum", _COMPUTE, ("einops.einsum(*tensors_and_pattern)",), module="EinopsEinsum"),
    Op(
        "einops_reduce",
        _COMPUTE,
        ("einops.reduce(tensor, pattern, reduction, **axes_lengths)",),
        module="EinopsReduce",
    ),
    Op(
        "einops_pack",
        _COMPUTE,
        ("einops.pack(tensors, pattern)",),
        module="EinopsPack",
        result=Result.VALUES_INDICES,
        quantizer="same-scale",
    ),
)
