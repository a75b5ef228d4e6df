"""MultiheadAttention from dedicated modules: drop-in for torch's, state_dict and all.

Formula: Vaswani et al. 2017, softmax(Q K^T / sqrt(d)) V per head (https://arxiv.org/abs/1706.03762).
Query, key and value have projections of their own, over views of torch's `in_proj_weight`.

Two paths give the same results to rounding. Where anything reads or replaces a stage (a hook, another class, a
tracer, a compiler, a mode), every stage runs as a module. Where nothing does, torch's own function runs: its outputs
bit for bit. Setting `force_stages` always takes the first path. torch's fused inference path is never taken, but where
torch would take it, the output has its layout.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from qprep.runtime_modules._staging import Staged, like
from qprep.runtime_modules._watch import is_captured, is_untouched
from qprep.runtime_modules.arithmetic import EltwiseMul, MatMul
from qprep.runtime_modules.dropout import FunctionalDropout
from qprep.runtime_modules.joins import Concat
from qprep.runtime_modules.linear import AffineMap
from qprep.runtime_modules.reductions import Mean


class AttentionSoftmax(nn.Softmax):
    """Softmax over the keys of masked scores.

    The mask belongs to this stage, so that its -inf never enters the range of an activation.
    """

    def __init__(self) -> None:
        super().__init__(dim=-1)

    def forward(self, input: Tensor, mask: Tensor | None = None, safe: bool = False) -> Tensor:
        """`input` (..., L, S) plus an additive `mask`; `safe` gives zeros, not NaN, where a row is masked entirely."""
        masked = input if mask is None else input + mask
        # scaled_dot_product_attention's own softmax, whose gradient has no NaN either.
        return torch.ops.aten._safe_softmax(masked, -1) if safe else torch.softmax(masked, -1)  # noqa: SLF001


class AttentionStages(nn.Module):
    """The stages of one attention; no parameters (the output projection is the owner's `out_proj`)."""

    def __init__(self, has_bias_kv: bool, has_zero_attn: bool) -> None:
        super().__init__()
        self.query_linear = AffineMap()
        self.key_linear = AffineMap()
        self.value_linear = AffineMap()
        self.key_bias_concat = Concat(0) if has_bias_kv else None
        self.value_bias_concat = Concat(0) if has_bias_kv else None
        self.key_zero_concat = Concat(1) if has_zero_attn else None
        self.value_zero_concat = Concat(1) if has_zero_attn else None
        self.query_scale = EltwiseMul()
        self.score_matmul = MatMul()
        self.softmax = AttentionSoftmax()
        self.dropout = FunctionalDropout()
        self.value_matmul = MatMul()
        self.head_mean = Mean(1)


STOCK: frozenset[type[nn.Module]] = frozenset(
    (AttentionStages, AttentionSoftmax, AffineMap, Concat, EltwiseMul, MatMul, FunctionalDropout, Mean)
)
_OUTPUT: frozenset[type[nn.Module]] = frozenset((nn.modules.linear.NonDynamicallyQuantizableLinear,))


class MultiheadAttention(Staged, nn.MultiheadAttention):
    """torch.nn.MultiheadAttention from dedicated modules, all of them under `stages` but `out_proj`.

    Set the attribute `force_stages` to run the stages as modules even where nothing reads them.
    """

    stages: AttentionStages
    force_stages: bool

    @like(nn.MultiheadAttention.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_stages()

    def add_stages(self, force_stages: bool = False) -> None:
        """Create the stages anew, as the module's options say."""
        self.force_stages = force_stages
        self.stages = AttentionStages(self.bias_k is not None, self.add_zero_attn).train(self.training)

    def forward(  # noqa: PLR0917 - torch's signature
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """As torch's: (L, N, E), (N, L, E) with batch_first, or (L, E); returns the output and the weights or None."""
        self._check(query, key, value, key_padding_mask)
        if self._has_fast_path(query, key, value, key_padding_mask, attn_mask):
            # There torch ignores the hint, and gives a contiguous output, which `view` may rely on.
            output, weights = self._forward(
                query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal=False
            )
            return output.contiguous(), weights
        return self._forward(
            query, key, value, key_padding_mask, need_weights, attn_mask, average_attn_weights, is_causal=is_causal
        )

    def _forward(  # noqa: PLR0917 - torch's order
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None,
        need_weights: bool,
        attn_mask: Tensor | None,
        average_attn_weights: bool,
        *,
        is_causal: bool,
    ) -> tuple[Tensor, Tensor | None]:
        batched = query.dim() == 3
        if not self._runs_stages(query, key, value):
            masks = {"key_padding_mask": key_padding_mask, "attn_mask": attn_mask, "is_causal": is_causal}
            weighs = {"need_weights": need_weights, "average_attn_weights": average_attn_weights}
            return self._as_torch(query, key, value, batched and self.batch_first, **masks, **weighs)
        query, key, value = (self._time_major(x, batched) for x in (query, key, value))
        if not batched and key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
        if is_causal and attn_mask is None:
            raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
        mask: Tensor | None
        if is_causal and key_padding_mask is None and not need_weights:
            mask = _causal_mask(query, self._source_length(key))  # the hint alone counts, as in torch
        else:
            mask = self._mask(query, key, attn_mask, key_padding_mask)
        output, weights = self._attend(query, key, value, mask, safe=not need_weights)
        output = self._restored(output, batched)
        if not need_weights:
            return output, None
        weights = self.stages.head_mean(weights) if average_attn_weights else weights
        return output, weights if batched else weights.squeeze(0)

    def _has_fast_path(self, query: Tensor, key: Tensor, value: Tensor, *masks: Tensor | None) -> bool:
        """True where torch's module takes its fused path for inference: the conditions of torch 2.13's `forward`."""
        if self.training or not self.batch_first or query.dim() != 3 or self.num_heads % 2 or self.add_zero_attn:
            return False
        if query is not key or key is not value or not self._qkv_same_embed_dim or self.bias_k is not None:
            return False
        projection = self.out_proj
        parameters = [
            self.in_proj_weight,
            self.in_proj_bias,
            *(getattr(projection, p, None) for p in ("weight", "bias")),
        ]
        if any(p is None or p.dtype != query.dtype for p in parameters) or is_captured((query,)):
            return False
        if any(mask is not None and mask.is_floating_point() for mask in masks):
            return False
        needs_gradient = torch.is_grad_enabled() and any(
            x is not None and x.requires_grad for x in (query, *parameters)
        )
        return torch.backends.mha.get_fastpath_enabled() and not torch.is_autocast_enabled() and not needs_gradient

    def _runs_stages(self, *inputs: Tensor) -> bool:
        if self.force_stages or is_captured(inputs):
            return True
        return not (is_untouched(self.stages, STOCK) and is_untouched(self.out_proj, _OUTPUT))

    def _as_torch(
        self, query: Tensor, key: Tensor, value: Tensor, swaps: bool, **options: Any
    ) -> tuple[Tensor, Tensor | None]:
        """torch's own function; `swaps` where the batch comes first."""
        if swaps:
            # One transposed tensor for one tensor given: torch projects what is the same in one piece.
            swapped = {id(x): x.transpose(0, 1) for x in (query, key, value)}
            query, key, value = (swapped[id(x)] for x in (query, key, value))
        if not self._qkv_same_embed_dim:
            options |= {f"{name}_proj_weight": getattr(self, f"{name}_proj_weight") for name in "qkv"}
        output, weights = functional.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight, self.in_proj_bias, self.bias_k,
            self.bias_v, self.add_zero_attn, self.dropout, self.out_proj.weight, self.out_proj.bias, self.training,
            use_separate_proj_weight=not self._qkv_same_embed_dim, **options,
        )  # fmt: skip
        return output.transpose(0, 1) if swaps else output, weights

    def _attend(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, safe: bool
    ) -> tuple[Tensor, Tensor]:
        stages, (length, batch, width) = self.stages, query.shape
        q, k, v = (self._heads(x) for x in self._projected(query, key, value))
        if stages.key_zero_concat is not None and stages.value_zero_concat is not None:
            zeros = k.new_zeros(k.size(0), 1, k.size(2))
            k, v = stages.key_zero_concat([k, zeros]), stages.value_zero_concat([v, zeros])
        q = stages.query_scale(q, math.sqrt(1.0 / self.head_dim))
        weights = stages.softmax(stages.score_matmul(q, k.transpose(1, 2)), mask, safe)
        weights = stages.dropout(weights, self.dropout, self.training)
        context = stages.value_matmul(weights, v).transpose(0, 1).reshape(length, batch, width)
        return self.out_proj(context), weights.view(batch, self.num_heads, length, -1)

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        stages = self.stages
        if self._qkv_same_embed_dim:
            w_q, w_k, w_v = self.in_proj_weight.chunk(3)
        else:
            w_q, w_k, w_v = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        b_q, b_k, b_v = (None, None, None) if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        q = stages.query_linear(query, w_q, b_q)
        k, v = stages.key_linear(key, w_k, b_k), stages.value_linear(value, w_v, b_v)
        if (
            stages.key_bias_concat is None
            or stages.value_bias_concat is None
            or self.bias_k is None
            or self.bias_v is None
        ):
            return q, k, v
        batch = key.size(1)
        k = stages.key_bias_concat([k, self.bias_k.expand(1, batch, -1)])
        return q, k, stages.value_bias_concat([v, self.bias_v.expand(1, batch, -1)])

    def _heads(self, x: Tensor) -> Tensor:
        """(L, N, E) to (N * heads, L, E / heads)."""
        return x.reshape(x.size(0), x.size(1) * self.num_heads, self.head_dim).transpose(0, 1)

    def _time_major(self, x: Tensor, batched: bool) -> Tensor:
        if not batched:
            return x.unsqueeze(1)
        return x.transpose(0, 1) if self.batch_first else x

    def _restored(self, x: Tensor, batched: bool) -> Tensor:
        if not batched:
            return x.squeeze(1)
        return x.transpose(0, 1) if self.batch_first else x

    def _source_length(self, key: Tensor) -> int:
        return key.size(0) + (self.bias_k is not None) + bool(self.add_zero_attn)

    def _mask(
        self, query: Tensor, key: Tensor, attn_mask: Tensor | None, key_padding_mask: Tensor | None
    ) -> Tensor | None:
        """Both masks as one additive mask that broadcasts to (N * heads, L, S)."""
        (length, batch, _), source = query.shape, key.size(0)
        extra = self._source_length(key) - source
        merged = additive_mask(attn_mask, "attn_mask", query.dtype)
        padding = additive_mask(key_padding_mask, "key_padding_mask", query.dtype)
        if merged is not None:
            merged = merged.unsqueeze(0) if merged.dim() == 2 else merged
            heads = batch * self.num_heads
            if merged.shape[1:] != (length, source) or merged.size(0) not in (1, heads):
                raise RuntimeError(
                    f"The shape of the attn_mask is {tuple(merged.shape)}, but should be "
                    f"{(length, source)} or {(heads, length, source)}."
                )
            merged = functional.pad(merged, (0, extra))
        if padding is None:
            return merged
        if padding.shape != (batch, source):
            raise AssertionError(f"Expected key_padding_mask of shape {(batch, source)}, got {tuple(padding.shape)}")
        padding = functional.pad(padding, (0, extra)).repeat_interleave(self.num_heads, 0).unsqueeze(1)
        return padding if merged is None else merged + padding

    def _check(self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None) -> None:
        dims = query.dim()
        if dims not in (2, 3):
            raise AssertionError(
                f"query should be unbatched 2D or batched 3D tensor but received {dims}-D query tensor"
            )
        if key.dim() != dims or value.dim() != dims:
            raise AssertionError(f"expected {dims}-D key and value but found {key.dim()}-D and {value.dim()}-D tensors")
        if key_padding_mask is not None and key_padding_mask.dim() != dims - 1:
            raise AssertionError(f"expected a {dims - 1}-D key_padding_mask but found {key_padding_mask.dim()}-D")
        if query.size(-1) != self.embed_dim:
            raise AssertionError(f"was expecting embedding dimension of {self.embed_dim}, but got {query.size(-1)}")
        same = key.shape == value.shape if self._qkv_same_embed_dim else key.shape[:-1] == value.shape[:-1]
        if not same:
            raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")


def additive_mask(mask: Tensor | None, name: str, dtype: torch.dtype) -> Tensor | None:
    """A float mask as it is; a boolean one as `dtype` with -inf where it is True."""
    if mask is None or mask.is_floating_point():
        return mask
    if mask.dtype != torch.bool:
        raise AssertionError(f"only bool and floating types of {name} are supported")
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(mask, -math.inf)


def _causal_mask(query: Tensor, source: int) -> Tensor:
    mask = torch.full((query.size(0), source), -math.inf, dtype=query.dtype, device=query.device)
    return mask.triu(1)
