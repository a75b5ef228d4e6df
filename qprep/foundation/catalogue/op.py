"""The shape of the operator catalogue: one `Op` is everything that qprep knows about a torch operation."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace


class OpClass(enum.Enum):
    """The class of an operation for a quantizer."""

    COMPUTE = "compute"  # changes values: needs a module of its own
    TRANSPARENT = "transparent"  # layout, indexing, dtype: quantization parameters pass through
    NOT_ACTIVATION = "not-activation"  # creation, comparison, integers, sizes


class Result(enum.Enum):
    """The kind of value that an operation returns."""

    TENSOR = "tensor"  # one tensor; floating where its inputs are
    TENSORS = "tensors"  # a tuple or list of tensors
    VALUES_INDICES = "values-indices"  # (values, integer indices)
    VALUES_INDICES_IF_DIM = "values-indices-if-dim"  # that where dim is a number, else one tensor
    INTEGER = "integer"  # an integer or boolean tensor
    NUMBER = "number"  # a Python number
    SHAPE = "shape"  # torch.Size, or a tuple of integers
    OTHER = "other"


class RuleFamily(enum.Enum):
    """The group of rules that reports the operation outside a module."""

    OPERATOR = "operator"  # QP1xx: tensor arithmetic, reductions, joins
    FUNCTIONAL = "functional"  # QP3xx: twins of torch.nn modules


class Channels(enum.Enum):
    """The way in which an operation carries channels from its inputs to its output."""

    SAME = "same"  # each element of the output is computed from those at its place, broadcasting included
    MOVE = "move"  # values only move: the operation itself moves the labels of channels
    FOLD = "fold"  # the dimensions in `dim`, or all, fold away; others are kept apart
    ALONG = "along"  # runs along `dim`; the shape stays, and other dimensions are kept apart
    SPACE = "space"  # works within the dimensions behind the second
    SPACE_1 = "space-1"  # works within the last dimension
    SPACE_2 = "space-2"  # within the last two
    SPACE_3 = "space-3"  # within the last three
    LAYER = "layer"  # reads or scales channels by weights or along an axis of its own: each has its own rule
    NEW = "new"  # the output has nothing of the inputs' values
    MIX = "mix"  # any other way, or not known: the channels that go in cannot be removed


@dataclass(frozen=True, slots=True)
class Dedicated:
    """A module of another library than qprep for an operation.

    home      where the class is imported from: "distiller.modules"
    module    the class and its constructor's parameters by canonical name, as in `Op.module`
    takes     the operation's parameters that the call takes, in this order and by position, those written "dim=" by
              keyword, too; None: those of the first spelling, by position or keyword
    keywords  (canonical name, the constructor's own) where they differ
    fixed     what the constructor is always given
    method    what is called on the instance; "" is the instance itself
    spread    whether a sequence of tensors is given one by one
    number_last  whether a Python number can only be the second operand
    """

    home: str
    module: str
    takes: tuple[str, ...] | None = None
    keywords: tuple[tuple[str, str], ...] = ()
    fixed: str = ""
    method: str = ""
    spread: bool = False
    number_last: bool = False


@dataclass(frozen=True, slots=True)
class Op:
    """One torch operation.

    name      canonical name, torch's own: the default name of the attribute that a rewrite adds
    spellings qualified names with their signature: "torch.cat(tensors, dim=0)", "Tensor.relu_(input)",
              "torch.nn.functional.relu(input, inplace=False)", "operator.add(input, other, /)". Every parameter name
              is canonical; a keyword that torch accepts under another name is written "dim|axis". The receiver of a
              method is written first, under the canonical name of the function's first parameter. "*size" takes
              numbers one by one or one sequence of them; what follows a bare "*" is keyword-only. `out=` is in no
              signature: no module has it, so that a call that gives it does not bind.
    operators Python operators: ("+",); augmented and reflected forms are implied; unary ones are "-x", "+x", "~x"
    nn        "ReLU(inplace)": the torch.nn module and the parameters that its constructor takes, by canonical name
              ("Dropout(p, inplace)"); used when all of them are known at construction and the call gives nothing else
              but what the first spelling requires and what is in `drop`; an in-place spelling sets `inplace`
    module    "Concat(dim)": the class of qprep.runtime_modules and its constructor's parameters; its forward takes
              the operation's parameters in the order of the first spelling, those of the constructor too (None
              there means: as constructed)
    drop      parameters that the module knows by itself (`training`, `_stacklevel`): nn has none of them, and of
              `module` the forward takes only those that its constructor takes too
    """

    name: str
    cls: OpClass
    spellings: tuple[str, ...]
    operators: tuple[str, ...] = ()
    nn: str | None = None
    module: str | None = None
    family: RuleFamily = RuleFamily.OPERATOR
    result: Result = Result.TENSOR
    drop: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()  # parameters that carry weights: ("weight", "bias")
    quantizer: str = "output"  # how the quantizer treats it: output | same-scale | fixed-range | float
    dedicated: Dedicated | None = None  # where `module` is of another library
    channels: Channels = Channels.MIX
    is_random: bool = False  # it draws random numbers, though no parameter says so; see `Catalogue.draws`


def carrying(
    ops: Iterable[Op], channels: Channels, others: Mapping[Channels, tuple[str, ...]] | None = None
) -> tuple[Op, ...]:
    """`ops` with `channels`, those that `others` names with the key they stand under."""
    by_name = {name: key for key, names in (others or {}).items() for name in names}
    return tuple(replace(op, channels=by_name.get(op.name, channels)) for op in ops)
