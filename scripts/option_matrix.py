"""Compare the staged recurrent and attention modules with torch's over their options; write the tables of a document.

python scripts/option_matrix.py [--write docs/recurrent.md]
"""

from __future__ import annotations

import argparse
import copy
import itertools
import pathlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from qprep.runtime_modules import attention, convert_attention, recurrent, recurrent_cells

BEGIN, END = "<!-- option matrix: begin -->", "<!-- option matrix: end -->"
FORMS = ("batched", "unbatched", "packed, sorted", "packed, unsorted")
STEPS, ROWS, INPUT, HIDDEN = 5, 3, 4, 6


@dataclass(frozen=True, slots=True)
class Options:
    """One row of the recurrent table."""

    kind: str
    num_layers: int
    bidirectional: bool
    bias: bool
    proj_size: int = 0
    nonlinearity: str | None = None

    def keywords(self) -> dict[str, Any]:
        """The options of the constructor."""
        own: dict[str, Any] = {"proj_size": self.proj_size} if self.proj_size else {}
        own |= {"nonlinearity": self.nonlinearity} if self.nonlinearity else {}
        return {"num_layers": self.num_layers, "bidirectional": self.bidirectional, "bias": self.bias, **own}

    def label(self) -> str:
        """The row's first cell."""
        words = [
            self.nonlinearity or "",
            f"{self.num_layers} layer{'s' * (self.num_layers > 1)}",
            "bidirectional" if self.bidirectional else "",
        ]
        words += ["" if self.bias else "no bias", f"proj_size={self.proj_size}" if self.proj_size else ""]
        return ", ".join([self.kind, *filter(None, words)])


def recurrent_options() -> Iterator[Options]:
    """Every combination of the constructor's options that the table has a row for."""
    kinds = [("LSTM", 0, None), ("LSTM", 2, None), ("GRU", 0, None), ("RNN", 0, "tanh"), ("RNN", 0, "relu")]
    for (kind, proj, nonlinearity), layers, bidirectional, bias in itertools.product(
        kinds, (1, 2), (False, True), (True, False)
    ):
        yield Options(kind, layers, bidirectional, bias, proj, nonlinearity)


def tensors(tree: Any) -> list[Tensor]:  # noqa: ANN401 - any nesting
    """All tensors of nested tuples, packed sequences included."""
    if isinstance(tree, PackedSequence):
        return [tree.data]
    if isinstance(tree, Tensor):
        return [tree]
    return [] if tree is None else [tensor for part in tree for tensor in tensors(part)]


def relative_error(found: Tensor, expected: Tensor) -> float:
    """max |found - expected| / max |expected|; infinite where the shapes differ."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return float("inf")
    if expected.numel() == 0:
        return 0.0
    scale = expected.abs().max().item()
    return (found - expected).abs().max().item() / (scale if scale > 0 else 1.0)


def results(module: nn.Module, call: Callable[[nn.Module], Any], leaves: Iterable[Tensor]) -> list[Tensor]:
    """Outputs of `call`, then the gradients of a weighted sum of them for `leaves` and all parameters."""
    outputs = tensors(call(module))
    inputs = [*leaves, *module.parameters()]
    generator = torch.Generator().manual_seed(1)
    total = sum((out * torch.randn(out.shape, generator=generator, dtype=out.dtype)).sum() for out in outputs)
    gradients = torch.autograd.grad(total, inputs, allow_unused=True)  # type: ignore[arg-type]
    return [*outputs, *(torch.zeros_like(x) if g is None else g for x, g in zip(inputs, gradients, strict=True))]


def worst_error(
    staged: nn.Module, own: nn.Module, call: Callable[[nn.Module], Any], leaves: Iterable[Tensor] = ()
) -> float:
    """The largest relative error of outputs and gradients of `staged` against torch's `own`."""
    leaves = list(leaves)
    found, expected = results(staged, call, leaves), results(own, call, leaves)
    if len(found) != len(expected):
        return float("inf")
    return max(relative_error(f, e) for f, e in zip(found, expected, strict=True))


def sequence(form: str, batch_first: bool, dtype: torch.dtype) -> tuple[Tensor, Callable[[Tensor], Any]]:
    """A leaf tensor, and what makes the module's input of it."""
    shape = (STEPS, INPUT) if form == "unbatched" else (ROWS, STEPS, INPUT) if batch_first else (STEPS, ROWS, INPUT)
    leaf = torch.randn(shape, dtype=dtype, requires_grad=True)
    if not form.startswith("packed"):
        return leaf, lambda x: x
    lengths = [5, 3, 2] if form == "packed, sorted" else [2, 5, 3]
    return leaf, lambda x: pack_padded_sequence(x, lengths, batch_first, enforce_sorted=form == "packed, sorted")


def recurrent_error(
    options: Options, form: str, batch_first: bool, with_state: bool, dtype: torch.dtype, **ours: Any
) -> float:
    """The error of one combination; `ours` are options of the staged module alone."""
    torch.manual_seed(0)
    keywords = options.keywords() | {"batch_first": batch_first, "dtype": dtype}
    own = getattr(nn, options.kind)(INPUT, HIDDEN, **keywords)
    staged = getattr(recurrent, options.kind)(INPUT, HIDDEN, **keywords, **{"force_stages": True, **ours})
    staged.load_state_dict(own.state_dict())
    leaf, make = sequence(form, batch_first, dtype)
    states: list[Tensor] = []
    if with_state:
        layers = options.num_layers * (1 + options.bidirectional)
        lead = (layers,) if form == "unbatched" else (layers, ROWS)
        widths = [options.proj_size or HIDDEN] + [HIDDEN] * (options.kind == "LSTM")
        states = [torch.randn(*lead, width, dtype=dtype, requires_grad=True) for width in widths]
    hx: Any = None if not states else tuple(states) if options.kind == "LSTM" else states[0]
    return worst_error(staged, own, lambda module: module(make(leaf), hx), [leaf, *states])


CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "LSTMCell": ("LSTMCell", {}),
    "GRUCell": ("GRUCell", {}),
    "RNNCell, tanh": ("RNNCell", {"nonlinearity": "tanh"}),
    "RNNCell, relu": ("RNNCell", {"nonlinearity": "relu"}),
}
CELL_FORMS = ("batched", "batched, no bias", "unbatched", "unbatched, no bias")


def cell_error(name: str, form: str, with_state: bool, dtype: torch.dtype) -> float:
    """The error of one combination of a cell's options."""
    torch.manual_seed(0)
    kind, options = CELLS[name]
    keywords = {"bias": "no bias" not in form, "dtype": dtype, **options}
    own, staged = (getattr(place, kind)(INPUT, HIDDEN, **keywords) for place in (nn, recurrent_cells))
    staged.force_stages = True
    staged.load_state_dict(own.state_dict())
    lead = () if form.startswith("unbatched") else (ROWS,)
    leaf = torch.randn(*lead, INPUT, dtype=dtype, requires_grad=True)
    count = (1 + (kind == "LSTMCell")) * with_state
    states = [torch.randn(*lead, HIDDEN, dtype=dtype, requires_grad=True) for _ in range(count)]
    hx: Any = None if not states else tuple(states) if kind == "LSTMCell" else states[0]
    return worst_error(staged, own, lambda module: module(leaf, hx), [leaf, *states])


TRANSFORMERS = (
    "TransformerEncoderLayer",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerDecoder",
    "Transformer",
)
TRANSFORMER_OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "norm_first": {"norm_first": True},
    "bias=False": {"bias": False},
    "gelu": {"activation": "gelu"},
    "norm_first, bias=False, gelu": {"norm_first": True, "bias": False, "activation": "gelu"},
}


def _transformer(name: str, **keywords: Any) -> nn.Module:
    """A small module of torch's of that name."""
    if name == "Transformer":
        return nn.Transformer(8, 2, 2, 2, 16, 0.0, **keywords)
    kind = name.removesuffix("Layer")
    layer = getattr(nn, f"{kind}Layer")(8, 2, 16, 0.0, **keywords)
    made: nn.Module = layer if name.endswith("Layer") else getattr(nn, kind)(layer, 2, nn.LayerNorm(8))
    return made


def transformer_errors(
    name: str, options: dict[str, Any], *, batch_first: bool, masked: bool, dtype: torch.dtype
) -> tuple[float, float]:
    """The errors of the output, and of all gradients, of one combination of a transformer's options."""
    torch.manual_seed(0)
    own = _transformer(name, batch_first=batch_first, **options).to(dtype)
    staged = convert_attention(copy.deepcopy(own), force_stages=True)
    source, target = (
        torch.randn(*((ROWS, steps) if batch_first else (steps, ROWS)), 8, dtype=dtype, requires_grad=True)
        for steps in (STEPS, STEPS - 1)
    )
    padding = torch.zeros(ROWS, STEPS, dtype=dtype)
    padding[0, -2:] = -torch.inf
    causal = nn.Transformer.generate_square_subsequent_mask(STEPS - 1, dtype=dtype)
    masks: dict[str, Any] = {}
    if "Encoder" in name:
        leaves = [source]
        masks = {"src_key_padding_mask": padding}
    else:
        leaves = [source, target] if name == "Transformer" else [target, source]
        masks = {"tgt_mask": causal, "memory_key_padding_mask": padding}
    keywords = masks if masked else {}
    found, expected = (results(module, lambda m: m(*leaves, **keywords), leaves) for module in (staged, own))
    errors = [relative_error(f, e) for f, e in zip(found, expected, strict=True)]
    return errors[0], max(errors[1:])


ATTENTION_OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bias=False": {"bias": False},
    "kdim, vdim": {"kdim": 5, "vdim": 7},
    "add_bias_kv": {"add_bias_kv": True},
    "add_zero_attn": {"add_zero_attn": True},
    "kdim, vdim, add_bias_kv, add_zero_attn": {"kdim": 5, "vdim": 7, "add_bias_kv": True, "add_zero_attn": True},
}
MASKS = ("no mask", "attn_mask", "key_padding_mask", "both masks", "is_causal")


def attention_error(
    options: dict[str, Any], masks: str, *, batch_first: bool, need_weights: bool, average: bool, dtype: torch.dtype
) -> float:
    """The error of one combination of attention's options."""
    torch.manual_seed(0)
    own = nn.MultiheadAttention(8, 2, batch_first=batch_first, dtype=dtype, **options)
    staged = attention.MultiheadAttention(8, 2, batch_first=batch_first, dtype=dtype, **options)
    staged.force_stages = True
    staged.load_state_dict(own.state_dict())
    widths = (8, options.get("kdim", 8), options.get("vdim", 8))
    lead = (ROWS, STEPS) if batch_first else (STEPS, ROWS)
    leaves = [torch.randn(*lead, width, dtype=dtype, requires_grad=True) for width in widths]
    causal = nn.Transformer.generate_square_subsequent_mask(STEPS, dtype=dtype)
    padding = torch.zeros(ROWS, STEPS, dtype=dtype)
    padding[0, -2:] = -torch.inf
    keywords = {
        "attn_mask": causal if masks in ("attn_mask", "both masks", "is_causal") else None,
        "key_padding_mask": padding if masks in ("key_padding_mask", "both masks") else None,
        "is_causal": masks == "is_causal",
        "need_weights": need_weights,
        "average_attn_weights": average,
    }
    return worst_error(staged, own, lambda module: module(*leaves, **keywords), leaves)


def _worst(errors: Iterable[float]) -> str:
    return f"{max(errors):.0e}".replace("e-0", "e-").replace("0e+00", "0")


def _both(error: Callable[[torch.dtype], Iterable[float]]) -> str:
    return f"{_worst(error(torch.float32))} / {_worst(error(torch.float64))}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def recurrent_table() -> list[str]:
    """Worst error over batch_first and a given or missing state, float32 / float64."""

    def cell(options: Options, form: str) -> str:
        both = list(itertools.product((False, True), repeat=2))
        return _both(lambda dtype: [recurrent_error(options, form, first, state, dtype) for first, state in both])

    rows = ([options.label(), *(cell(options, form) for form in FORMS)] for options in recurrent_options())
    return _table(["options", *FORMS], rows)


def attention_table() -> list[str]:
    """Worst error over batch_first, need_weights and average_attn_weights, float32 / float64."""

    def cell(options: dict[str, Any], masks: str) -> str:
        names = ("batch_first", "need_weights", "average")
        switches = [dict(zip(names, values, strict=True)) for values in itertools.product((False, True), repeat=3)]
        return _both(lambda dtype: [attention_error(options, masks, **switch, dtype=dtype) for switch in switches])

    rows = ([name, *(cell(options, masks) for masks in MASKS)] for name, options in ATTENTION_OPTIONS.items())
    return _table(["options", *MASKS], rows)


def cell_table() -> list[str]:
    """Worst error with and without a given state, float32 / float64."""

    def cell(name: str, form: str) -> str:
        return _both(lambda dtype: [cell_error(name, form, state, dtype) for state in (False, True)])

    return _table(["cells", *CELL_FORMS], ([name, *(cell(name, form) for form in CELL_FORMS)] for name in CELLS))


def transformer_table() -> list[str]:
    """Worst errors of outputs and of gradients over batch_first and masks, float32 / float64 each."""

    def cell(name: str, options: dict[str, Any], which: int) -> str:
        pairs = itertools.product((False, True), repeat=2)
        both = [{"batch_first": first, "masked": masked} for first, masked in pairs]
        return _both(lambda dtype: [transformer_errors(name, options, **each, dtype=dtype)[which] for each in both])

    rows = (
        [f"{label}: {what}", *(cell(name, options, which) for name in TRANSFORMERS)]
        for label, options in TRANSFORMER_OPTIONS.items()
        for which, what in enumerate(("outputs", "gradients"))
    )
    return _table(["options", *(name.removeprefix("Transformer") or name for name in TRANSFORMERS)], rows)


def main() -> None:
    """Print the tables, or write them between the markers of a document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=pathlib.Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.backends.mha.set_fastpath_enabled(False)
    tables = [recurrent_table(), cell_table(), attention_table(), transformer_table()]
    text = "\n".join(["", *(line for table in tables for line in (*table, ""))])
    if arguments.write is None:
        print(text)
        return
    before, rest = arguments.write.read_text(encoding="utf-8").split(BEGIN)
    arguments.write.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
