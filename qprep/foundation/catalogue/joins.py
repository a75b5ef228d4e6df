"""Operations that put several tensors into one."""

from __future__ import annotations

from typing import Final

from qprep.foundation.catalogue.op import Channels, Op, OpClass, carrying
from qprep.foundation.catalogue.spelling import spell

_COMPUTE: Final = OpClass.COMPUTE

_JOINS: Final[tuple[Op, ...]] = (
    Op(
        "cat",
        _COMPUTE,
        spell("cat(tensors, dim=0)", "t")
        + spell("concat(tensors, dim=0)", "t")
        + spell("concatenate(tensors, dim=0)", "t"),
        module="Concat(dim)",
        quantizer="same-scale",
    ),
    Op("stack", _COMPUTE, spell("stack(tensors, dim=0)", "t"), module="Stack(dim)", quantizer="same-scale"),
    Op("hstack", _COMPUTE, spell("hstack(tensors)", "t"), module="HStack", quantizer="same-scale"),
    Op(
        "vstack",
        _COMPUTE,
        spell("vstack(tensors)", "t") + spell("row_stack(tensors)", "t"),
        module="VStack",
        quantizer="same-scale",
    ),
    Op("dstack", _COMPUTE, spell("dstack(tensors)", "t"), module="DStack", quantizer="same-scale"),
    Op("column_stack", _COMPUTE, spell("column_stack(tensors)", "t"), module="ColumnStack", quantizer="same-scale"),
    Op("block_diag", _COMPUTE, ("torch.block_diag(*tensors)",), module="BlockDiag", quantizer="same-scale"),
    Op("cartesian_prod", _COMPUTE, ("torch.cartesian_prod(*tensors)",), module="CartesianProd", quantizer="same-scale"),
    Op("sum_list", _COMPUTE, ("builtins.sum(iterable, /, start=0)",), module="SumList"),
)

OPS: Final[tuple[Op, ...]] = carrying(
    _JOINS, Channels.MOVE, {Channels.MIX: ("block_diag", "cartesian_prod", "sum_list")}
)
