# ruff: noqa: PLR0917 -- parameters are torch's own
"""Linear layers, embeddings and attention that take their weights as inputs."""

from torch import Tensor
from torch.nn import functional

from qprep.runtime_modules._operation import Operation


class AffineMap(Operation):
    """`torch.nn.functional.linear` as a module."""

    def forward(self, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Multiply by `weight` (features out, features in) and add `bias`."""
        return functional.linear(input, weight, bias)


class PairAffineMap(Operation):
    """`torch.nn.functional.bilinear` as a module."""

    def forward(self, input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Multiply by `weight` (features out, features in) and add `bias`."""
        return functional.bilinear(input1, input2, weight, bias)


class TableLookup(Operation):
    """`torch.nn.functional.embedding` as a module."""

    def __init__(
        self,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse

    def forward(
        self,
        input: Tensor,
        weight: Tensor,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float | None = None,
        scale_grad_by_freq: bool | None = None,
        sparse: bool | None = None,
    ) -> Tensor:
        """Look up rows of `weight` (number, features)."""
        padding_idx = self.padding_idx if padding_idx is None else padding_idx
        max_norm = self.max_norm if max_norm is None else max_norm
        norm_type = self.norm_type if norm_type is None else norm_type
        scale_grad_by_freq = self.scale_grad_by_freq if scale_grad_by_freq is None else scale_grad_by_freq
        sparse = self.sparse if sparse is None else sparse
        return functional.embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)


class BagLookup(Operation):
    """`torch.nn.functional.embedding_bag` as a module."""

    def __init__(
        self,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> None:
        super().__init__()
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        self.padding_idx = padding_idx

    def forward(
        self,
        input: Tensor,
        weight: Tensor,
        offsets: Tensor | None = None,
        max_norm: float | None = None,
        norm_type: float | None = None,
        scale_grad_by_freq: bool | None = None,
        mode: str | None = None,
        sparse: bool | None = None,
        per_sample_weights: Tensor | None = None,
        include_last_offset: bool | None = None,
        padding_idx: int | None = None,
    ) -> Tensor:
        """Look up rows of `weight` (number, features)."""
        max_norm = self.max_norm if max_norm is None else max_norm
        norm_type = self.norm_type if norm_type is None else norm_type
        scale_grad_by_freq = self.scale_grad_by_freq if scale_grad_by_freq is None else scale_grad_by_freq
        mode = self.mode if mode is None else mode
        sparse = self.sparse if sparse is None else sparse
        include_last_offset = self.include_last_offset if include_last_offset is None else include_last_offset
        padding_idx = self.padding_idx if padding_idx is None else padding_idx
        return functional.embedding_bag(
            input,
            weight,
            offsets,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            per_sample_weights,
            include_last_offset,
            padding_idx,
        )


class ScaledDotProductAttention(Operation):
    """`torch.nn.functional.scaled_dot_product_attention` as a module."""

    def __init__(
        self, dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False
    ) -> None:
        super().__init__()
        self.dropout_p = dropout_p
        self.is_causal = is_causal
        self.scale = scale
        self.enable_gqa = enable_gqa

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float | None = None,
        is_causal: bool | None = None,
        scale: float | None = None,
        enable_gqa: bool | None = None,
    ) -> Tensor:
        """Attend from `query` (…, L, E) to `key` (…, S, E) and `value` (…, S, E_v)."""
        dropout_p = self.dropout_p if dropout_p is None else dropout_p
        is_causal = self.is_causal if is_causal is None else is_causal
        scale = self.scale if scale is None else scale
        enable_gqa = self.enable_gqa if enable_gqa is None else enable_gqa
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
