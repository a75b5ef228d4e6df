"""State of a run of the model: the labels of its tensors, the module that runs, the layers with weights."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from qprep.compression.structure.labels import Layers, axis_of, core, dirty, spread
from qprep.compression.structure.model import LabelledCall, Product
from qprep.compression.structure.store import Block, BlockKind, Cause, DimensionRole, LabelStore
from qprep.foundation.version import PACKAGE_FOLDER
from qprep.quantizer.graph.call_rows import Call
from qprep.quantizer.graph.tensor_leaves import tensors_in

_OURS: Final = str(PACKAGE_FOLDER) + os.sep
_TORCHS: Final = os.path.dirname(os.path.abspath(torch.__file__)) + os.sep


@dataclass(frozen=True, slots=True)
class LabelStep:
    """One call of a torch function: with what, bound to its row of the catalogue, and what it returned."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    call: Call
    out: Any

    @property
    def inputs(self) -> list[Tensor]:
        """The tensors among its arguments, in order."""
        return list(tensors_in((self.args, self.kwargs)))

    @property
    def outputs(self) -> list[Tensor]:
        """The tensors that it returned, in order."""
        return list(tensors_in(self.out))

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401
        """An argument by the catalogue's name of it."""
        return self.call.arguments.get(name, default)


class LabelState:
    """The state of one run."""

    def __init__(self, model: nn.Module) -> None:
        self.store = LabelStore()
        self.open: list[tuple[str, nn.Module]] = []
        self.failed_in = ""  # the innermost module that raised
        self.more_in_training = False  # whether layers ran in training mode that did not in evaluation mode
        self.products: list[Product] = []
        self.calls: list[LabelledCall] = []
        self._layers: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self._raw: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self._owned: dict[int, tuple[BlockKind, str, Tensor]] = {}
        for kind, named in ((BlockKind.BUFFER, model.named_buffers()), (BlockKind.PARAMETER, model.named_parameters())):
            for name, tensor in named:
                self._owned[id(tensor)] = (kind, name, tensor)

    def name_of(self, tensor: Tensor) -> str | None:
        """The name of a parameter or buffer of the model."""
        found = self._owned.get(id(tensor))
        return None if found is None else found[1]

    def layers(self, tensor: Tensor) -> Layers:
        """The labels of a tensor: a layer for each dimension of a parameter or buffer, () where nothing is known."""
        if tensor in self._layers:
            known: Layers = self._layers[tensor]
            return known
        if id(tensor) not in self._owned:
            return ()
        kind, _, _ = self._owned[id(tensor)]
        blocks = [(dim, self.block(tensor, dim)) for dim, size in enumerate(tensor.shape) if size > 1]
        layers = tuple(spread(block.labels, tensor.shape, dim) for dim, block in blocks)
        if kind is BlockKind.BUFFER:  # cut like parameters, but no mask sets them to 0
            layers = tuple(map(dirty, layers))
        self.set(tensor, layers)
        return layers

    def set(self, tensor: Tensor, layers: Layers, *, raw: bool = False, source: Tensor | None = None) -> None:
        """Note the labels of a tensor; layers in no channel are left out.

        raw     its values come from parameters and buffers alone
        source  the one of them whose values it holds, in another order
        """
        self._layers[tensor] = tuple(layer for layer in layers if bool(core(layer).any())) if layers else ()
        if raw:
            known = "" if source is None else self.name_of(source) or self._source_of(source)
            self._raw[tensor] = known

    def _source_of(self, tensor: Tensor) -> str:
        """The parameter or buffer whose values a tensor holds, in another order."""
        return str(self._raw[tensor]) if tensor in self._raw else ""

    def idle(self) -> dict[str, Tensor]:
        """The parameters that no function has taken, by name."""
        owned = self._owned.values()
        return {name: each for kind, name, each in owned if kind is BlockKind.PARAMETER and each not in self._layers}

    def is_raw(self, tensor: Tensor) -> bool:
        """True if its values come from parameters and buffers alone."""
        return id(tensor) in self._owned or tensor in self._raw

    def block(self, tensor: Tensor, dim: int) -> Block:
        """The block of a dimension of a parameter or buffer."""
        kind, name, _ = self._owned[id(tensor)]
        return self.store.block(kind, name, dim, tensor.shape[dim])

    def attribute(self, module: nn.Module, name: str, labels: Tensor) -> None:
        """Let an attribute that holds the number of `labels` follow them, where the module that runs has it."""
        value = getattr(module, name, None)
        if type(value) is int and value == len(labels) and value > 1:
            block = self.store.block(BlockKind.ATTRIBUTE, f"{self.path}:{name}", 0, value)
            self.store.merge(block.labels, labels, self.cause(f"{name} of a module"))

    @property
    def path(self) -> str:
        """The module that runs."""
        return self.open[-1][0] if self.open else ""

    @property
    def module(self) -> nn.Module | None:
        """The module that runs."""
        return self.open[-1][1] if self.open else None

    def cause(self, reason: str) -> Cause:
        """`reason` here and now."""
        return Cause(reason, self.path, place())

    def axis(self, layer: Tensor, dim: int, reason: str) -> Tensor:
        """The label of each position along `dim`; where it differs over the rest, those labels go together."""
        vector, pairs = axis_of(layer, dim)
        if pairs is not None:
            self.store.merge(pairs[0], pairs[1], self.cause(reason))
        return vector

    def count(self, weight: Tensor, unit: float, source: Tensor, out: Tensor) -> None:
        """Note the multiply-accumulates of a layer: `unit` for each element of its weight."""
        name = self.name_of(weight) or self._source_of(weight)
        self.products.append(Product(name, self.path, unit, weight.numel(), tuple(source.shape), tuple(out.shape)))

    def left(self, path: str, out: object) -> None:
        """Note what a module returned."""
        self.calls.append(LabelledCall(path, tuple(self.layers(each) for each in tensors_in(out))))

    def lost(self, step: LabelStep, error: Exception) -> None:
        """Freeze what goes into a call whose labels could not be followed."""
        cause = self.cause(f"{step.call.name} could not be followed ({type(error).__name__}: {error})")
        for tensor in (*step.inputs, *step.outputs):
            self.store.freeze(self.layers(tensor), cause)
        for tensor in step.outputs:
            self.set(tensor, ())

    def mark(self, labels: Tensor, role: DimensionRole) -> None:
        """Note what the blocks of `labels` do."""
        self.store.mark(labels, role)


def is_of_the_user(file: str) -> bool:
    """True if a file is neither torch's nor qprep's."""
    return not (file.startswith("<") or os.path.abspath(file).startswith((_OURS, _TORCHS)))


def place() -> str:
    """ "file:line" of the innermost frame that is neither torch's nor qprep's, "" if there is none."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        if is_of_the_user(frame.f_code.co_filename):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
