"""torch.nn's modules: what their constructors take, whether they hold state, what their forward returns."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from qprep.foundation.catalogue.op import Result


class Role(enum.Enum):
    """The purpose of a module of torch.nn."""

    ACTIVATION = "activation"  # an activation function
    LAYER = "layer"
    TRANSPARENT = "transparent"  # layout only: quantization parameters pass through
    CONTAINER = "container"
    COMPOUND = "compound"  # hides several stages: LSTM, MultiheadAttention, Transformer
    LOSS = "loss"


class ModuleState(enum.Enum):
    """True if an instance has parameters or buffers."""

    NEVER = "never"
    ALWAYS = "always"
    FLAGGED = "flagged"  # where any of `flags` is true
    CHILDREN = "children"  # whatever its children have


@dataclass(frozen=True, slots=True)
class NNModule:
    """One class of torch.nn.

    parameters      positional parameters of the constructor, in order
    required        how many of them have no default
    flags           constructor parameters that decide over state, with their defaults
    returns_indices the constructor's `return_indices` makes forward return (values, indices)
    """

    name: str
    role: Role
    parameters: tuple[str, ...] = ()
    required: int = 0
    state: ModuleState = ModuleState.NEVER
    flags: tuple[tuple[str, bool], ...] = ()
    result: Result = Result.TENSOR
    returns_indices: bool = False

    @property
    def is_activation(self) -> bool:
        """True if it is an activation function."""
        return self.role is Role.ACTIVATION

    @property
    def is_container(self) -> bool:
        """True if it only holds other modules."""
        return self.role is Role.CONTAINER

    @property
    def is_compound(self) -> bool:
        """True if it hides several quantizable stages."""
        return self.role is Role.COMPOUND

    @property
    def may_have_state(self) -> bool:
        """True if an instance can have parameters or buffers of its own."""
        return self.state in (ModuleState.ALWAYS, ModuleState.FLAGGED)


def _rows(role: Role, *signatures: str, state: ModuleState = ModuleState.NEVER) -> tuple[NNModule, ...]:
    """Rows of "Name(required, *, optional)"; what follows the star has a default."""
    return tuple(_row(role, signature, state) for signature in signatures)


def _row(role: Role, signature: str, state: ModuleState) -> NNModule:
    name, _, rest = signature.partition("(")
    required, _, optional = rest.rstrip(")").partition("*")
    first, then = _names(required), _names(optional)
    indices = role is Role.LAYER and "return_indices" in then
    return NNModule(name, role, first + then, len(first), state, returns_indices=indices)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


_ACTIVATIONS: Final = _rows(
    Role.ACTIVATION,
    *(f"{name}(*inplace)" for name in ("ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid")),
    *(f"{name}()" for name in ("Sigmoid", "Tanh", "Tanhshrink", "LogSigmoid", "Softsign", "Softmax2d")),
    *(f"{name}(*dim)" for name in ("Softmax", "Softmin", "LogSoftmax", "GLU")),
    *(f"{name}(*alpha, inplace)" for name in ("ELU", "CELU")),
    *(f"{name}(*lambd)" for name in ("Hardshrink", "Softshrink")),
    "LeakyReLU(*negative_slope, inplace)",
    "RReLU(*lower, upper, inplace)",
    "Hardtanh(*min_val, max_val, inplace, min_value, max_value)",
    "Threshold(threshold, value, *inplace)",
    "GELU(*approximate)",
    "Softplus(*beta, threshold)",
) + _rows(Role.ACTIVATION, "PReLU(*num_parameters, init, device, dtype)", state=ModuleState.ALWAYS)

_DIMS: Final = (1, 2, 3)
_STATELESS: Final = _rows(
    Role.LAYER,
    *(f"{name}(*p, inplace)" for name in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d")),
    *(f"{name}(*p, inplace)" for name in ("AlphaDropout", "FeatureAlphaDropout")),
    "AvgPool1d(kernel_size, *stride, padding, ceil_mode, count_include_pad)",
    *(f"AvgPool{n}d(kernel_size, *stride, padding, ceil_mode, count_include_pad, divisor_override)" for n in (2, 3)),
    *(f"MaxPool{n}d(kernel_size, *stride, padding, dilation, return_indices, ceil_mode)" for n in _DIMS),
    *(f"AdaptiveAvgPool{n}d(output_size)" for n in _DIMS),
    *(f"AdaptiveMaxPool{n}d(output_size, *return_indices)" for n in _DIMS),
    *(f"LPPool{n}d(norm_type, kernel_size, *stride, ceil_mode)" for n in _DIMS),
    *(
        f"FractionalMaxPool{n}d(kernel_size, *output_size, output_ratio, return_indices, _random_samples)"
        for n in (2, 3)
    ),
    *(f"{name}Pad{n}d(padding)" for name in ("Zero", "Reflection", "Replication", "Circular") for n in _DIMS),
    *(f"ConstantPad{n}d(padding, value)" for n in _DIMS),
    "Upsample(*size, scale_factor, mode, align_corners, recompute_scale_factor)",
    "UpsamplingNearest2d(*size, scale_factor)",
    "UpsamplingBilinear2d(*size, scale_factor)",
    "Fold(output_size, kernel_size, *dilation, padding, stride)",
    "LocalResponseNorm(size, *alpha, beta, k)",
    "CrossMapLRN2d(size, *alpha, beta, k)",
    "CosineSimilarity(*dim, eps)",
    "PairwiseDistance(*p, eps, keepdim)",
)

_TRANSPARENT: Final = _rows(
    Role.TRANSPARENT,
    "Identity()",
    "Flatten(*start_dim, end_dim)",
    "Unflatten(dim, unflattened_size)",
    "PixelShuffle(upscale_factor)",
    "PixelUnshuffle(downscale_factor)",
    "ChannelShuffle(groups)",
    "Unfold(kernel_size, *dilation, padding, stride)",
    *(f"MaxUnpool{n}d(kernel_size, *stride, padding)" for n in _DIMS),
)

_CONV: Final = "stride, padding, dilation, groups, bias, padding_mode, device, dtype"
_TRANSPOSED: Final = "stride, padding, output_padding, groups, bias, dilation, padding_mode, device, dtype"
_WEIGHTED: Final = _rows(
    Role.LAYER,
    "Linear(in_features, out_features, *bias, device, dtype)",
    "LazyLinear(out_features, *bias, device, dtype)",
    "Bilinear(in1_features, in2_features, out_features, *bias, device, dtype)",
    *(f"Conv{n}d(in_channels, out_channels, kernel_size, *{_CONV})" for n in _DIMS),
    *(f"ConvTranspose{n}d(in_channels, out_channels, kernel_size, *{_TRANSPOSED})" for n in _DIMS),
    *(f"LazyConv{n}d(out_channels, kernel_size, *{_CONV})" for n in _DIMS),
    *(f"LazyConvTranspose{n}d(out_channels, kernel_size, *{_TRANSPOSED})" for n in _DIMS),
    "Embedding(num_embeddings, embedding_dim, *padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight, "
    "_freeze, device, dtype)",
    "EmbeddingBag(num_embeddings, embedding_dim, *max_norm, norm_type, scale_grad_by_freq, mode, sparse, _weight, "
    "include_last_offset, padding_idx, device, dtype)",
    state=ModuleState.ALWAYS,
)


def _norm(signature: str, **flags: bool) -> NNModule:
    row = _row(Role.LAYER, signature, ModuleState.FLAGGED)
    return NNModule(row.name, row.role, row.parameters, row.required, ModuleState.FLAGGED, tuple(flags.items()))


_TRACKING: Final = "eps, momentum, affine, track_running_stats, device, dtype"
_NORMS: Final = (
    *(_norm(f"BatchNorm{n}d(num_features, *{_TRACKING})", affine=True, track_running_stats=True) for n in _DIMS),
    *(_norm(f"LazyBatchNorm{n}d(*{_TRACKING})", affine=True, track_running_stats=True) for n in _DIMS),
    *(_norm(f"InstanceNorm{n}d(num_features, *{_TRACKING})", affine=False, track_running_stats=False) for n in _DIMS),
    *(_norm(f"LazyInstanceNorm{n}d(*{_TRACKING})", affine=True, track_running_stats=True) for n in _DIMS),
    _norm(
        "SyncBatchNorm(num_features, *eps, momentum, affine, track_running_stats, process_group, device, dtype)",
        affine=True,
        track_running_stats=True,
    ),
    _norm("LayerNorm(normalized_shape, *eps, elementwise_affine, bias, device, dtype)", elementwise_affine=True),
    _norm("GroupNorm(num_groups, num_channels, *eps, affine, device, dtype)", affine=True),
    _norm("RMSNorm(normalized_shape, *eps, elementwise_affine, device, dtype)", elementwise_affine=True),
)

_CONTAINERS: Final = _rows(
    Role.CONTAINER,
    "Sequential()",
    "ModuleList(*modules)",
    "ModuleDict(*modules)",
    state=ModuleState.CHILDREN,
) + _rows(Role.CONTAINER, "ParameterList(*values)", "ParameterDict(*parameters)", state=ModuleState.ALWAYS)


def _compound(signature: str, result: Result, state: ModuleState = ModuleState.ALWAYS) -> NNModule:
    row = _row(Role.COMPOUND, signature, state)
    return NNModule(row.name, row.role, row.parameters, row.required, state, result=result)


_RECURRENT: Final = "input_size, hidden_size, *num_layers"
_STACKED: Final = "bias, batch_first, dropout, bidirectional"
_ENCODER_END: Final = "layer_norm_eps, batch_first, norm_first, bias, device, dtype"
_ENCODER: Final = f"d_model, nhead, *dim_feedforward, dropout, activation, {_ENCODER_END}"
_COMPOUNDS: Final = (
    _compound(f"LSTM({_RECURRENT}, {_STACKED}, proj_size, device, dtype)", Result.TENSORS),
    _compound(f"GRU({_RECURRENT}, {_STACKED}, device, dtype)", Result.TENSORS),
    _compound(f"RNN({_RECURRENT}, nonlinearity, {_STACKED}, device, dtype)", Result.TENSORS),
    _compound("LSTMCell(input_size, hidden_size, *bias, device, dtype)", Result.TENSORS),
    _compound("GRUCell(input_size, hidden_size, *bias, device, dtype)", Result.TENSOR),
    _compound("RNNCell(input_size, hidden_size, *bias, nonlinearity, device, dtype)", Result.TENSOR),
    _compound(
        "MultiheadAttention(embed_dim, num_heads, *dropout, bias, add_bias_kv, add_zero_attn, kdim, vdim, batch_first, "
        "device, dtype)",
        Result.TENSORS,
    ),
    _compound(f"TransformerEncoderLayer({_ENCODER})", Result.TENSOR, ModuleState.CHILDREN),
    _compound(f"TransformerDecoderLayer({_ENCODER})", Result.TENSOR, ModuleState.CHILDREN),
    _compound(
        "TransformerEncoder(encoder_layer, num_layers, *norm, enable_nested_tensor, mask_check)",
        Result.TENSOR,
        ModuleState.CHILDREN,
    ),
    _compound("TransformerDecoder(decoder_layer, num_layers, *norm)", Result.TENSOR, ModuleState.CHILDREN),
    _compound(
        "Transformer(*d_model, nhead, num_encoder_layers, num_decoder_layers, dim_feedforward, dropout, activation, "
        "custom_encoder, custom_decoder, layer_norm_eps, batch_first, norm_first, bias, device, dtype)",
        Result.TENSOR,
        ModuleState.CHILDREN,
    ),
)

MODULES: Final[tuple[NNModule, ...]] = (
    _ACTIVATIONS + _STATELESS + _TRANSPARENT + _WEIGHTED + _NORMS + _CONTAINERS + _COMPOUNDS
)
