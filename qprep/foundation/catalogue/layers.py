"""Functional layers: those of torch.nn.functional that are not activation function, with their twins in torch."""

from __future__ import annotations

from typing import Final

from qprep.foundation.catalogue.op import Channels, Op, OpClass, Result, RuleFamily, carrying
from qprep.foundation.catalogue.spelling import spell


def _layer(
    name: str,
    spellings: tuple[str, ...],
    module: str,
    nn: str | None = None,
    *,
    result: Result = Result.TENSOR,
    drop: tuple[str, ...] = (),
    weights: tuple[str, ...] = (),
    quantizer: str = "output",
) -> Op:
    return Op(
        name,
        OpClass.COMPUTE,
        spellings,
        nn=nn,
        module=module,
        family=RuleFamily.FUNCTIONAL,
        result=result,
        drop=drop,
        weights=weights,
        quantizer=quantizer,
    )


_WB: Final = ("weight", "bias")


def _convolution(dims: int) -> Op:
    signature = f"conv{dims}d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)"
    module = f"CrossCorrelation{dims}d(stride, padding, dilation, groups)"
    return _layer(f"conv{dims}d", spell(signature, "bt"), module, weights=_WB)


def _transposed(dims: int) -> Op:
    name = f"conv_transpose{dims}d"
    signature = f"{name}(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)"
    module = f"TransposedCorrelation{dims}d(stride, padding, output_padding, groups, dilation)"
    return _layer(name, spell(signature, "bt"), module, weights=_WB)


_LINEAR: Final[tuple[Op, ...]] = (
    _layer("linear", spell("linear(input, weight, bias=None)", "b"), "AffineMap", weights=_WB),
    _layer("bilinear", spell("bilinear(input1, input2, weight, bias=None)", "bt"), "PairAffineMap", weights=_WB),
    *(_convolution(dims) for dims in (1, 2, 3)),
    *(_transposed(dims) for dims in (1, 2, 3)),
    _layer("conv_tbc", spell("conv_tbc(input, weight, bias, pad=0)", "bt"), "CorrelationTBC(pad)", weights=_WB),
    _layer(
        "embedding",
        spell(
            "embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, "
            "sparse=False)",
            "f",
        ),
        "TableLookup(padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)",
        weights=("weight",),
    ),
    _layer(
        "embedding_bag",
        spell(
            "embedding_bag(input, weight, offsets=None, max_norm=None, norm_type=2, scale_grad_by_freq=False, "
            "mode='mean', sparse=False, per_sample_weights=None, include_last_offset=False, padding_idx=None)",
            "f",
        ),
        "BagLookup(max_norm, norm_type, scale_grad_by_freq, mode, sparse, include_last_offset, padding_idx)",
        weights=("weight",),
    ),
    _layer(
        "scaled_dot_product_attention",
        spell(
            "scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *, "
            "scale=None, enable_gqa=False)",
            "b",
        ),
        "ScaledDotProductAttention(dropout_p, is_causal, scale, enable_gqa)",
    ),
)

_NORMS: Final[tuple[Op, ...]] = (
    _layer(
        "batch_norm",
        spell(
            "batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, "
            "eps=1e-05)",
            "f",
        ),
        "BatchStandardize(training, momentum, eps)",
        weights=_WB,
    ),
    _layer(
        "instance_norm",
        spell(
            "instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, "
            "momentum=0.1, eps=1e-05)",
            "f",
        ),
        "InstanceStandardize(use_input_stats, momentum, eps)",
        weights=_WB,
    ),
    _layer(
        "layer_norm",
        spell("layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05)", "f")
        + spell("layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05)", "t"),
        "LayerStandardize(normalized_shape, eps)",
        weights=_WB,
    ),
    _layer(
        "group_norm",
        spell("group_norm(input, num_groups, weight=None, bias=None, eps=1e-05)", "ft"),
        "GroupStandardize(num_groups, eps)",
        weights=_WB,
    ),
    _layer(
        "rms_norm",
        spell("rms_norm(input, normalized_shape, weight=None, eps=None)", "ft"),
        "RootMeanSquareScale(normalized_shape, eps)",
        weights=("weight",),
    ),
    _layer(
        "local_response_norm",
        spell("local_response_norm(input, size, alpha=0.0001, beta=0.75, k=1.0)", "f"),
        "FunctionalLocalResponseNorm(size, alpha, beta, k)",
        "LocalResponseNorm(size, alpha, beta, k)",
    ),
    _layer("normalize", spell("normalize(input, p=2.0, dim=1, eps=1e-12)", "f"), "Normalize(p, dim, eps)"),
    _layer(
        "cosine_similarity",
        spell("cosine_similarity(x1, x2, dim=1, eps=1e-8)", "bt"),
        "FunctionalCosineSimilarity(dim, eps)",
        "CosineSimilarity(dim, eps)",
    ),
    _layer(
        "pairwise_distance",
        spell("pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False)", "bt"),
        "FunctionalPairwiseDistance(p, eps, keepdim)",
        "PairwiseDistance(p, eps, keepdim)",
    ),
    _layer("pdist", spell("pdist(input, p=2.0)", "bt"), "PDist(p)"),
)


def _dropout(name: str, nn: str, training: str, twins: tuple[str, ...] = ()) -> Op:
    spellings = spell(f"{name}(input, p=0.5, training={training}, inplace=False)", "f") + twins
    return _layer(
        name,
        spellings,
        f"Functional{nn}(p, training, inplace)",
        f"{nn}(p, inplace)",
        drop=("training",),
        quantizer="same-scale",
    )


def _torch_dropout(name: str) -> tuple[str, ...]:
    # torch's own require both numbers and call the flag `train`.
    places = ("torch.{}", "torch.{}_")
    return tuple(f"{place.format(name)}(input|x|a|x1, p, training|train)" for place in places)


_DROPOUTS: Final[tuple[Op, ...]] = (
    _dropout("dropout", "Dropout", "True", _torch_dropout("dropout")),
    _dropout("dropout1d", "Dropout1d", "True"),
    _dropout("dropout2d", "Dropout2d", "True"),
    _dropout("dropout3d", "Dropout3d", "True"),
    _dropout("alpha_dropout", "AlphaDropout", "False", _torch_dropout("alpha_dropout")),
    _dropout("feature_alpha_dropout", "FeatureAlphaDropout", "False", _torch_dropout("feature_alpha_dropout")),
    Op(
        "feature_dropout",
        OpClass.COMPUTE,
        _torch_dropout("feature_dropout"),
        module="FeatureDropout(p, training, inplace)",
        family=RuleFamily.FUNCTIONAL,
        quantizer="same-scale",
    ),
)

_RESIZING: Final[tuple[Op, ...]] = (
    _layer(
        "interpolate",
        spell(
            "interpolate(input, size=None, scale_factor=None, mode='nearest', align_corners=None, "
            "recompute_scale_factor=None, antialias=False)",
            "f",
        )
        + spell("upsample(input, size=None, scale_factor=None, mode='nearest', align_corners=None)", "f"),
        "Interpolate(size, scale_factor, mode, align_corners, recompute_scale_factor, antialias)",
    ),
    _layer(
        "upsample_nearest",
        spell("upsample_nearest(input, size=None, scale_factor=None)", "f"),
        "UpsampleNearest(size, scale_factor)",
    ),
    _layer(
        "upsample_bilinear",
        spell("upsample_bilinear(input, size=None, scale_factor=None)", "f"),
        "UpsampleBilinear(size, scale_factor)",
    ),
    _layer(
        "pad",
        spell("pad(input, pad, mode='constant', value=None)", "f"),
        "Pad(pad, mode, value)",
        quantizer="same-scale",
    ),
    _layer(
        "constant_pad_nd",
        spell("constant_pad_nd(input, pad, value=0)", "t"),
        "ConstantPadNd(pad, value)",
        quantizer="same-scale",
    ),
    _layer(
        "grid_sample",
        spell("grid_sample(input, grid, mode='bilinear', padding_mode='zeros', align_corners=None)", "f"),
        "GridSample(mode, padding_mode, align_corners)",
    ),
    _layer(
        "affine_grid", spell("affine_grid(theta, size, align_corners=None)", "f"), "AffineGrid(size, align_corners)"
    ),
    _layer(
        "fold",
        spell("fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1)", "f"),
        "FunctionalFold(output_size, kernel_size, dilation, padding, stride)",
        "Fold(output_size, kernel_size, dilation, padding, stride)",
    ),
)

OPS: Final[tuple[Op, ...]] = (
    *carrying(_LINEAR, Channels.LAYER, {Channels.MIX: ("bilinear", "conv_tbc")}),
    *carrying(
        _NORMS,
        Channels.MIX,
        {
            Channels.LAYER: ("batch_norm", "instance_norm", "layer_norm", "group_norm", "rms_norm"),
            Channels.ALONG: ("normalize",),
        },
    ),
    *carrying(_DROPOUTS, Channels.SAME),
    *carrying(
        _RESIZING,
        Channels.SPACE,
        {Channels.LAYER: ("pad", "constant_pad_nd"), Channels.MIX: ("grid_sample", "affine_grid", "fold")},
    ),
)
