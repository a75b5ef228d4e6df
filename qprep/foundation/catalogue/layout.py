"""Operations that quantization parameters pass through: layout, indexing, selection, copies, dtype and device moves."""

from __future__ import annotations

from typing import Final

from qprep.foundation.catalogue.op import Channels, Op, OpClass, Result, carrying
from qprep.foundation.catalogue.spelling import spell


def _row(name: str, *spellings: str, result: Result = Result.TENSOR, operators: tuple[str, ...] = ()) -> Op:
    """A row of class TRANSPARENT; a spelling "tm:NAME(...)" means NAME in those places."""
    written: tuple[str, ...] = ()
    for spelling in spellings:
        places, colon, signature = spelling.partition(":")
        written += spell(signature, places) if colon and places.isalpha() else (spelling,)
    return Op(name, OpClass.TRANSPARENT, written, operators=operators, result=result, quantizer="same-scale")


_TENSORS: Final = Result.TENSORS

_SHAPES: Final[tuple[Op, ...]] = (
    _row("view", "Tensor.view(input, *size|dtype)"),
    _row("view_as", "m:view_as(input, other)"),
    _row("reshape", "t:reshape(input, shape)", "Tensor.reshape(input, *shape)"),
    _row("reshape_as", "m:reshape_as(input, other)"),
    _row("flatten", "tm:flatten(input, start_dim=0, end_dim=-1)"),
    _row("ravel", "tm:ravel(input)"),
    _row("unflatten", "torch.unflatten(input|x|a|x1, dim|axis, sizes)", "q:unflatten(input, dim, sizes)"),
    _row(
        "squeeze", "t:squeeze(input, dim=None)", "Tensor.squeeze(input, *dim|axis)", "Tensor.squeeze_(input, *dim|axis)"
    ),
    _row("unsqueeze", "tmi:unsqueeze(input, dim)"),
    _row("expand", "Tensor.expand(input, *size, implicit=False)"),
    _row("expand_as", "m:expand_as(input, other)"),
    _row("broadcast_to", "t:broadcast_to(input, size)", "Tensor.broadcast_to(input, *size)"),
    _row("broadcast_tensors", "torch.broadcast_tensors(*tensors)", result=_TENSORS),
    _row("meshgrid", "torch.meshgrid(*tensors, indexing=None)", result=_TENSORS),
    *(_row(name, f"torch.{name}(*tensors)") for name in ("atleast_1d", "atleast_2d", "atleast_3d")),
    _row("as_strided", "tTmi:as_strided(input, size, stride, storage_offset=None)"),
    _row("resize_", "Tensor.resize_(input, *size, memory_format=None)"),
    _row("resize_as_", "Ti:resize_as(input, the_template, *, memory_format=None)"),
)

_ORDER: Final[tuple[Op, ...]] = (
    _row("permute", "t:permute(input, dims)", "Tensor.permute(input, *dims)"),
    _row("transpose", "tmi:transpose(input, dim0, dim1)"),
    _row("swapaxes", "tmi:swapaxes(input, axis0, axis1)"),
    _row("swapdims", "tmi:swapdims(input, dim0, dim1)"),
    _row("movedim", "tm:movedim(input, source, destination)", "tm:moveaxis(input, source, destination)"),
    _row("t", "tmi:t(input)"),
    _row("adjoint", "tm:adjoint(input)"),
    _row("flip", "t:flip(input, dims)", "Tensor.flip(input, *dims)"),
    _row("fliplr", "tm:fliplr(input)"),
    _row("flipud", "tm:flipud(input)"),
    _row("roll", "tm:roll(input, shifts, dims=())"),
    _row("rot90", "tm:rot90(input, k=1, dims=(0, 1))"),
    _row("fftshift", "x:fftshift(input, dim=None)"),
    _row("ifftshift", "x:ifftshift(input, dim=None)"),
    _row("pixel_shuffle", "bt:pixel_shuffle(input, upscale_factor)"),
    _row("pixel_unshuffle", "bt:pixel_unshuffle(input, downscale_factor)"),
    _row("channel_shuffle", "bt:channel_shuffle(input, groups)", "bt:native_channel_shuffle(input, groups)"),
    _row("im2col", "f:unfold(input, kernel_size, dilation=1, padding=0, stride=1)"),
    _row("unfold", "m:unfold(input, dimension, size, step)"),
    _row(
        "sort",
        "tm:sort(input, dim=-1, descending=False, *, stable=False)",
        result=Result.VALUES_INDICES,
    ),
    _row("msort", "tm:msort(input)"),
    _row("rearrange", "einops.rearrange(tensor, pattern, **axes_lengths)"),
    _row("einops_repeat", "einops.repeat(tensor, pattern, **axes_lengths)"),
    _row("einops_unpack", "einops.unpack(tensor, packed_shapes, pattern)", result=_TENSORS),
)

_PARTS: Final[tuple[Op, ...]] = (
    _row("chunk", "tm:chunk(input, chunks, dim=0)", "tm:unsafe_chunk(input, chunks, dim=0)", result=_TENSORS),
    _row(
        "split",
        "torch.split(input|tensor, split_size|split_size_or_sections, dim=0)",
        "q:split(input, split_size, dim=0)",
        "tm:unsafe_split(input, split_size, dim=0)",
        result=_TENSORS,
    ),
    _row(
        "split_with_sizes",
        "tm:split_with_sizes(input, split_sizes, dim=0)",
        "tm:unsafe_split_with_sizes(input, split_sizes, dim=0)",
        result=_TENSORS,
    ),
    _row(
        "tensor_split",
        "torch.tensor_split(input|x|a|x1, indices_or_sections|sections|indices|tensor_indices_or_sections, dim|axis=0)",
        "Tensor.tensor_split(input, indices_or_sections|sections|indices|tensor_indices_or_sections, dim|axis=0)",
        result=_TENSORS,
    ),
    *(
        _row(
            name,
            f"torch.{name}(input|x|a|x1, sections|indices)",
            f"Tensor.{name}(input, *sections|indices)",
            result=_TENSORS,
        )
        for name in ("hsplit", "vsplit", "dsplit")
    ),
    _row("unbind", "tm:unbind(input, dim=0)", result=_TENSORS),
    _row("narrow", "tm:narrow(input, dim, start, length)", "tm:narrow_copy(input, dim, start, length)"),
    _row("select", "tm:select(input, dim, index)"),
    _row("index_select", "tm:index_select(input, dim, index)"),
    _row("masked_select", "tm:masked_select(input, mask)"),
    _row("gather", "tm:gather(input, dim, index, *, sparse_grad=False)"),
    _row("take", "tm:take(input, index)"),
    _row("take_along_dim", "tm:take_along_dim(input, indices, dim=None)"),
    _row("topk", "tm:topk(input, k, dim=-1, largest=True, sorted=True)", result=Result.VALUES_INDICES),
    _row(
        "unique",
        "torch.unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None)",
        "q:unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None)",
    ),
    _row(
        "unique_consecutive",
        "torch.unique_consecutive(input, return_inverse=False, return_counts=False, dim=None)",
        "q:unique_consecutive(input, return_inverse=False, return_counts=False, dim=None)",
    ),
    _row("diagonal", "tm:diagonal(input, offset=0, dim1=0, dim2=1)", "l:diagonal(A, *, offset=0, dim1=-2, dim2=-1)"),
    _row("diag", "tm:diag(input, diagonal=0)"),
    _row("diag_embed", "tm:diag_embed(input, offset=0, dim1=-2, dim2=-1)"),
    _row("diagflat", "tm:diagflat(input, offset=0)"),
    _row("tril", "tmi:tril(input, diagonal=0)"),
    _row("triu", "tmi:triu(input, diagonal=0)"),
    _row("combinations", "t:combinations(input, r=2, with_replacement=False)"),
    _row("repeat", "Tensor.repeat(input, *repeats)"),
    _row("tile", "t:tile(input, dims)", "Tensor.tile(input, *dims)"),
    _row("repeat_interleave", "tm:repeat_interleave(input, repeats, dim=None, *, output_size=None)"),
    *(
        _row(
            f"max_unpool{n}d",
            f"f:max_unpool{n}d(input, indices, kernel_size, stride=None, padding=0, output_size=None)",
        )
        for n in (1, 2, 3)
    ),
    _row("getitem", "operator.getitem(input, index, /)"),
)

_WRITES: Final[tuple[Op, ...]] = (
    _row("scatter", "tmi:scatter(input, dim, index, src|value, *, reduce=None)"),
    _row("masked_scatter", "tmi:masked_scatter(input, mask, source)"),
    _row("index_copy", "tmi:index_copy(input, dim, index, source)"),
    _row("index_fill", "tmi:index_fill(input, dim, index, value)"),
    _row("index_put", "tTmi:index_put(input, indices, values, accumulate=False)"),
    _row("put", "tmi:put(input, index, source, accumulate=False)"),
    _row("select_scatter", "tm:select_scatter(input, src, dim, index)"),
    _row("slice_scatter", "tm:slice_scatter(input, src, dim=0, start=None, end=None, step=1)"),
    _row("diagonal_scatter", "tm:diagonal_scatter(input, src, offset=0, dim1=0, dim2=1)"),
    _row("as_strided_scatter", "tm:as_strided_scatter(input, src, size, stride, storage_offset=None)"),
    _row("copy_", "Tensor.copy_(input, other|src, non_blocking=False)"),
    _row("fill_", "Tensor.fill_(input, value)", "tT:fill(input, value)"),
    _row("zero_", "Ti:zero(input)"),
    _row("fill_diagonal_", "Tensor.fill_diagonal_(input, fill_value, wrap=False)"),
    _row("setitem", "operator.setitem(input, index, value, /)", result=Result.OTHER),
)

_COPIES: Final[tuple[Op, ...]] = (
    _row("clone", "tm:clone(input, *, memory_format=None)"),
    _row("contiguous", "m:contiguous(input, memory_format=torch.contiguous_format)"),
    _row("detach", "tTmi:detach(input)"),
    _row("positive", "tm:positive(input)", "operator.pos(input, /)", "Tensor.__pos__(input)", operators=("+x",)),
    _row("requires_grad_", "Tensor.requires_grad_(input, requires_grad=True)"),
    _row("to", "Tensor.to(input, *args, **kwargs)"),
    _row("type", "Tensor.type(input, dtype=None, non_blocking=False)"),
    _row("type_as", "m:type_as(input, other)"),
    *(
        _row(name, f"Tensor.{name}(input, memory_format=torch.preserve_format)")
        for name in ("float", "half", "double", "bfloat16", "cfloat", "cdouble", "chalf")
    ),
    _row("cpu", "Tensor.cpu(input, memory_format=torch.preserve_format)"),
    *(
        _row(name, f"Tensor.{name}(input, device=None, non_blocking=False, memory_format=torch.preserve_format)")
        for name in ("cuda", "xpu", "mtia", "ipu")
    ),
    _row("pin_memory", "Tensor.pin_memory(input, device=None)"),
    _row("conj", "tm:conj(input)"),
    _row("resolve_conj", "tm:resolve_conj(input)"),
    _row("resolve_neg", "tm:resolve_neg(input)"),
    _row("real", "t:real(input)"),
    _row("imag", "t:imag(input)"),
    _row("complex", "t:complex(real, imag)"),
    _row("view_as_real", "t:view_as_real(input)"),
    _row("view_as_complex", "t:view_as_complex(input)"),
    _row("as_subclass", "Tensor.as_subclass(input, cls)"),
    _row(
        "bernoulli", "t:bernoulli(input, p=None, *, generator=None)", "mi:bernoulli(input, p=None, *, generator=None)"
    ),
    *(
        _row(
            name,
            f"torch.nn.utils.rnn.{name}({signature})",
            result=result,
        )
        for name, signature, result in (
            ("pad_sequence", "sequences, batch_first=False, padding_value=0.0, padding_side='right'", Result.TENSOR),
            ("unpad_sequence", "padded_sequences, lengths, batch_first=False", _TENSORS),
            # A PackedSequence is taken for the tensor in it.
            ("PackedSequence", "data, batch_sizes=None, sorted_indices=None, unsorted_indices=None", Result.TENSOR),
            ("pack_padded_sequence", "input, lengths, batch_first=False, enforce_sorted=True", Result.TENSOR),
            ("pack_sequence", "sequences, enforce_sorted=True", Result.TENSOR),
            (
                "pad_packed_sequence",
                "sequence, batch_first=False, padding_value=0.0, total_length=None",
                Result.VALUES_INDICES,
            ),
            ("unpack_sequence", "packed_sequences", _TENSORS),
        )
    ),
    # What the functions above run.
    _row("_pack_padded_sequence", "torch._VF._pack_padded_sequence(input, lengths, batch_first)", result=_TENSORS),
    _row(
        "_pad_packed_sequence",
        "torch._VF._pad_packed_sequence(input, batch_sizes, batch_first, padding_value, total_length)",
        result=Result.VALUES_INDICES,
    ),
)

# The values decide what goes where.
_BY_VALUE: Final = ("sort", "msort", "topk", "unique", "unique_consecutive")
_CASTS: Final = ("float", "half", "double", "bfloat16", "cfloat", "cdouble", "chalf")
_MOVES: Final = ("cpu", "cuda", "xpu", "mtia", "ipu", "pin_memory")

OPS: Final[tuple[Op, ...]] = (
    *carrying(_SHAPES, Channels.MOVE, {Channels.MIX: ("meshgrid", "as_strided", "resize_", "resize_as_")}),
    *carrying(_ORDER, Channels.MOVE, {Channels.MIX: (*_BY_VALUE, "im2col", "unfold")}),
    *carrying(
        _PARTS,
        Channels.MOVE,
        {
            Channels.MIX: (*_BY_VALUE, "combinations", "diag_embed", "diagflat"),
            Channels.SAME: ("tril", "triu"),
            Channels.SPACE_1: ("max_unpool1d",),
            Channels.SPACE_2: ("max_unpool2d",),
            Channels.SPACE_3: ("max_unpool3d",),
        },
    ),
    *carrying(_WRITES, Channels.MIX, {Channels.SAME: ("zero_", "fill_")}),
    *carrying(
        _COPIES,
        Channels.MIX,
        {
            Channels.SAME: (
                *("clone", "contiguous", "detach", "positive", "requires_grad_", "conj", "resolve_conj", "resolve_neg"),
                *("real", "imag", "to", "type", "type_as", *_CASTS, *_MOVES),
            ),
        },
    ),
)
