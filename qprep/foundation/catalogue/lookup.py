"""The operator catalogue, ready to be asked: which row a function, a method or an operator belongs to."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Final

from qprep.foundation.catalogue import (
    activations,
    algebra,
    arithmetic,
    elementwise,
    joins,
    layers,
    layout,
    not_activation,
    patterns,
    pooling,
    reductions,
)
from qprep.foundation.catalogue.call_signature import Spelling, parse_constructor, parse_spelling, qualified_name
from qprep.foundation.catalogue.op import Op, OpClass, RuleFamily
from qprep.foundation.catalogue.torch_modules import MODULES, NNModule

__all__ = ["Catalogue", "NNModule", "Op", "Spelling", "load"]

_TOPICS: Final = (
    arithmetic,
    reductions,
    joins,
    activations,
    elementwise,
    layers,
    pooling,
    algebra,
    layout,
    not_activation,
    patterns,
)

UNNAMED: Final = "?"  # in place of the unknown name of a function of torch
_ANY: Final = Op("call", OpClass.COMPUTE, (), family=RuleFamily.FUNCTIONAL)
_PLACES: Final = ("torch", "torch.nn.functional", "Tensor")
_OF_RANDOM: Final = frozenset(("generator", "training", "dropout_p", "_random_samples"))
_UNBOUND: Final = ("torch.Tensor.", "torch._C.TensorBase.")


class Catalogue:
    """All operations by name; built once, signatures are taken apart when first needed."""

    def __init__(self, ops: tuple[Op, ...], modules: tuple[NNModule, ...]) -> None:
        self.ops = ops
        self._written = {qualified_name(text): (op, text) for op in ops for text in op.spellings}
        placed = ((text, f"{place}.") for text in self._written for place in _PLACES)
        self._words = frozenset(text.removeprefix(start) for text, start in placed if text.startswith(start))
        self._operators = {symbol: op for op in ops for symbol in op.operators}
        self._modules = {module.name: module for module in modules}
        self._runtime = {op.module.partition("(")[0]: op for op in reversed(ops) if op.module is not None}
        self._parsed: dict[str, tuple[Op, Spelling]] = {}
        self._custom = frozenset(qualified_name(text) for op in ops if op.dedicated for text in op.spellings)

    def custom(self, qualified: str) -> tuple[Op, Spelling] | None:
        """The row of a function that a catalogue of the user's names, be it part of the project or not."""
        return self._find(qualified) if qualified in self._custom else None

    def function(self, qualified: str) -> tuple[Op, Spelling] | None:
        """The row of "torch.cat", "torch.nn.functional.relu", "operator.add" or the unbound "torch.Tensor.add"."""
        if qualified.endswith(f".{UNNAMED}"):
            shown = qualified.removeprefix("torch.") if qualified.startswith(_UNBOUND) else qualified
            return _ANY, parse_spelling(f"{shown}(*args, **kwargs)")
        for prefix in _UNBOUND:
            if qualified.startswith(prefix):
                return self.method(qualified.removeprefix(prefix))
        return self._find(qualified)

    def method(self, name: str) -> tuple[Op, Spelling] | None:
        """The row of a tensor's method: "relu_"."""
        return self._find(f"Tensor.{name}")

    def names(self, word: str) -> bool:
        """True if a word is the name of an operation, wherever torch offers it."""
        return word in self._words

    def operator(self, symbol: str, augmented: bool = False) -> Op | None:
        """The row of a Python operator: "+", "@", unary ones "-x", "+x", "~x"; `augmented` ("+=") where it exists."""
        if augmented and (symbol in ("<", "<=", ">", ">=", "==", "!=") or symbol.endswith("x")):
            return None
        return self._operators.get(symbol)

    def nn_module(self, name: str) -> NNModule | None:
        """The catalogue's entry for `torch.nn.<name>`."""
        return self._modules.get(name)

    def runtime_module(self, name: str) -> Op | None:
        """The operation of a class of qprep.runtime_modules."""
        return self._runtime.get(name)

    def draws(self, op: Op) -> bool:
        """True if an operation may draw random numbers: most have a parameter for the generator, or for training."""
        spellings = self.spellings(op)
        return op.is_random or any(each.name in _OF_RANDOM for one in spellings for each in one.parameters)

    @property
    def nn_modules(self) -> tuple[NNModule, ...]:
        """All that is known of torch.nn's modules."""
        return tuple(self._modules.values())

    @cached_property
    def settings(self) -> frozenset[str]:
        """Constructor parameters of the modules of operations, which are attributes, too: "inplace", "dim"."""
        own = {name for op in self.ops if op.module is not None for name in parse_constructor(op.module).parameters}
        simple = (m for m in self.nn_modules if not (m.may_have_state or m.is_container or m.is_compound))
        return frozenset(own).union(*(module.parameters for module in simple))

    def spellings(self, op: Op) -> tuple[Spelling, ...]:
        """The spellings of a row, taken apart."""
        return tuple(parse_spelling(text) for text in op.spellings)

    def _find(self, qualified: str) -> tuple[Op, Spelling] | None:
        if qualified in self._parsed:
            return self._parsed[qualified]
        written = self._written.get(qualified)
        if written is None:
            return None
        found = (written[0], parse_spelling(written[1]))
        self._parsed[qualified] = found
        return found


@lru_cache(maxsize=4)
def load(more: tuple[Op, ...] = ()) -> Catalogue:
    """The catalogue of all rows; of two that share a spelling, one of `more` counts."""
    return Catalogue((*(op for topic in _TOPICS for op in topic.OPS), *more), MODULES)
