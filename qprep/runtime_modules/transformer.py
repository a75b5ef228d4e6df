"""Transformer, its encoder, decoder and their layers from dedicated modules: drop-in for torch's, state_dict and all.

torch's own forward runs where it only chains modules; the layers' residual sums, activation and attention are
modules of their own, and the fused inference paths (nested tensors included) are never taken.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from qprep.runtime_modules._staging import Memo, Staged, Table, is_replaceable, like, replaced, staged_as
from qprep.runtime_modules.arithmetic import EltwiseAdd
from qprep.runtime_modules.attention import MultiheadAttention, additive_mask
from qprep.runtime_modules.function import Function

Activation = Callable[[Tensor], Tensor]

_TWINS: tuple[tuple[Any, Callable[[], nn.Module]], ...] = (
    (functional.relu, nn.ReLU),
    (torch.relu, nn.ReLU),
    (functional.gelu, nn.GELU),
    (functional.silu, nn.SiLU),
    (torch.tanh, nn.Tanh),
    (torch.sigmoid, nn.Sigmoid),
)


def activation_stage(activation: Activation) -> nn.Module | None:
    """The stage for `activation`; None if it is a module already."""
    if isinstance(activation, nn.Module):
        return None
    twins = (twin for function, twin in _TWINS if function is activation)
    return next(twins, functools.partial(Function, activation))()


class TransformerLayerStages(nn.Module):
    """A layer's residual sums, one per block, and its activation; no parameters."""

    def __init__(self, blocks: int, activation: Activation) -> None:
        super().__init__()
        self.residual_adds = nn.ModuleList(EltwiseAdd() for _ in range(blocks))
        self.activation = activation_stage(activation)


class StagedLayer(Staged):
    """The base of both kinds of layers: feed-forward block and activation."""

    stages: TransformerLayerStages
    linear1: nn.Linear
    linear2: nn.Linear
    dropout: nn.Dropout
    training: bool
    activation: Any
    block_count = 0

    def add_stages(self) -> None:
        """Create the stages anew, as the layer's activation says."""
        self.stages = TransformerLayerStages(self.block_count, self.activation).train(self.training)

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401 - any attribute
        super().__setattr__(name, value)
        if name == "activation" and "stages" in self._modules:
            self.stages.activation = activation_stage(value)

    def _feed_forward(self, x: Tensor, dropout: nn.Module) -> Tensor:
        activation = self.stages.activation
        hidden = (self.activation if activation is None else activation)(self.linear1(x))
        output: Tensor = dropout(self.linear2(self.dropout(hidden)))
        return output

    def _residual(
        self, number: int, x: Tensor, norm: nn.Module, block: Callable[[Tensor], Tensor], first: bool
    ) -> Tensor:
        add = self.stages.residual_adds[number]
        result: Tensor = add(x, block(norm(x))) if first else norm(add(x, block(x)))
        return result


class TransformerEncoderLayer(StagedLayer, nn.TransformerEncoderLayer):
    """torch.nn.TransformerEncoderLayer from dedicated modules."""

    block_count = 2

    @like(nn.TransformerEncoderLayer.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _stage_own(self)
        self.add_stages()

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """As torch's: `src` (S, N, E), (N, S, E) with batch_first, or (S, E); returns the same shape."""
        padding = additive_mask(src_key_padding_mask, "src_key_padding_mask", src.dtype)
        mask = additive_mask(src_mask, "src_mask", src.dtype)
        x, first = src, self.norm_first
        x = self._residual(0, x, self.norm1, lambda y: self._sa_block(y, mask, padding, is_causal), first)
        return self._residual(1, x, self.norm2, self._ff_block, first)

    def _ff_block(self, x: Tensor) -> Tensor:
        return self._feed_forward(x, self.dropout2)


class TransformerDecoderLayer(StagedLayer, nn.TransformerDecoderLayer):
    """torch.nn.TransformerDecoderLayer from dedicated modules."""

    block_count = 3

    @like(nn.TransformerDecoderLayer.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _stage_own(self)
        self.add_stages()

    def forward(  # noqa: PLR0917 - torch's signature
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """As torch's: `tgt` (T, N, E), `memory` (S, N, E) batch first where so set; returns `tgt`'s shape."""

        def attend_self(y: Tensor) -> Tensor:
            return self._sa_block(y, tgt_mask, tgt_key_padding_mask, tgt_is_causal)

        def attend_memory(y: Tensor) -> Tensor:
            return self._mha_block(y, memory, memory_mask, memory_key_padding_mask, memory_is_causal)

        first = self.norm_first
        x = self._residual(0, tgt, self.norm1, attend_self, first)
        x = self._residual(1, x, self.norm2, attend_memory, first)
        return self._residual(2, x, self.norm3, self._ff_block, first)

    def _ff_block(self, x: Tensor) -> Tensor:
        return self._feed_forward(x, self.dropout3)


class TransformerEncoder(nn.TransformerEncoder):
    """torch.nn.TransformerEncoder whose layers are staged; inputs are never made nested tensors."""

    @like(nn.TransformerEncoder.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _stage_own(self.layers)

    @property
    def use_nested_tensor(self) -> bool:
        """Always False here; what torch decided stays in the instance, for the way back."""
        return False

    @use_nested_tensor.setter
    def use_nested_tensor(self, value: bool) -> None:
        self.__dict__["use_nested_tensor"] = value


class TransformerDecoder(nn.TransformerDecoder):
    """torch.nn.TransformerDecoder whose layers are staged."""

    @like(nn.TransformerDecoder.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _stage_own(self.layers)


class Transformer(nn.Transformer):
    """torch.nn.Transformer with a staged encoder and decoder; a custom one stays as it is given."""

    @like(nn.Transformer.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _stage_own(self)


def _stage_own(module: nn.Module) -> None:
    """Stage the children that are exactly torch's own; anything else was given by the user and stays."""
    memo: Memo = {}
    for name, child in list(vars(module)["_modules"].items()):
        if child is not None and is_replaceable(child, ATTENTION_TABLE):
            vars(module)["_modules"][name] = replaced(child, ATTENTION_TABLE, memo)


ATTENTION_CLASSES: dict[type[nn.Module], type[nn.Module]] = {
    nn.MultiheadAttention: MultiheadAttention,
    nn.TransformerEncoderLayer: TransformerEncoderLayer,
    nn.TransformerDecoderLayer: TransformerDecoderLayer,
    nn.TransformerEncoder: TransformerEncoder,
    nn.TransformerDecoder: TransformerDecoder,
    nn.Transformer: Transformer,
}
ATTENTION_TABLE: Table = {own: staged_as(cls) for own, cls in ATTENTION_CLASSES.items()}
