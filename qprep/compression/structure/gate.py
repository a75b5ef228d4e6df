"""The gate: the thin model computes what the masked one computes, or what differs first is named."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor, nn

from qprep.compression.structure.cutting import cut_all, kept_of
from qprep.compression.structure.labels import Layers, core, varying
from qprep.compression.structure.model import Groups, Removal
from qprep.compression.structure.running import difference, hookable, outputs
from qprep.compression.structure.state import is_of_the_user
from qprep.quantizer.graph.tensor_leaves import map_tensors, tensors_in

TOLERANCE: Final = 1e-5  # of the largest output
_ROUNDING: Final = 32  # units of rounding of a narrow type


@dataclass(frozen=True, slots=True)
class ModelArguments:
    """The arguments that the model is called with."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ThinDifference:
    """The first module at which the thin model differs.

    clause  what happens, as the end of a sentence
    module  the first module whose output differs, or in which the thin model fails
    place   "file:line" where it fails
    fails   whether the thin model does not run
    """

    clause: str
    module: str = ""
    place: str = ""
    fails: bool = False

    def __str__(self) -> str:
        place = f" ({self.place})" if self.place else ""
        return f"{self.clause}, first in {self.module or 'the model itself'}{place}"


def compared(
    found: Groups,
    removal: Removal,
    tensors: Mapping[str, Tensor],
    arguments: ModelArguments,
    changed: Mapping[str, Tensor] = MappingProxyType({}),
) -> ThinDifference | None:
    """None if the model gives the same with `tensors` and with what `removal` leaves of them.

    tensors  parameters and buffers by name, masked
    changed  those that have other values in the thin model, before they are cut
    """
    whole = {**tensors, **changed}
    thin = {**whole, **cut_all(whole, kept_of(whole, found.cuts(removal)))}
    masked = outputs(found.model, tensors, {}, arguments.args, arguments.kwargs)
    watch = _Watch(found.model)
    try:
        with watch:
            slim = outputs(found.model, thin, found.widths(removal), arguments.args, arguments.kwargs)
    except Exception as error:  # noqa: BLE001  (whatever the model raises on other widths)
        return ThinDifference(f"it fails ({_sentence(error)})", watch.failed_in, _place(error), fails=True)
    worst = difference(masked, slim)
    if worst <= tolerance(masked):
        return _in_training(found, removal, tensors, thin, arguments) if found.more_in_training else None
    module = _first(found, removal, tensors, thin, arguments)
    return ThinDifference(f"its output differs by {worst:.2g} of the largest", module)


def _in_training(
    found: Groups,
    removal: Removal,
    tensors: Mapping[str, Tensor],
    thin: Mapping[str, Tensor],
    arguments: ModelArguments,
) -> ThinDifference | None:
    """Failures of the thin model alone in training mode; values are not compared, there may be dropout in them."""
    try:
        outputs(found.model, tensors, {}, arguments.args, arguments.kwargs, training=True)
    except Exception:  # noqa: BLE001  (BatchNorm on a batch of one)
        return None
    watch = _Watch(found.model)
    try:
        with watch:
            outputs(found.model, thin, found.widths(removal), arguments.args, arguments.kwargs, training=True)
    except Exception as error:  # noqa: BLE001  (whatever the model raises on other widths)
        clause = f"it fails in training mode ({_sentence(error)})"
        return ThinDifference(clause, watch.failed_in, _place(error), fails=True)
    return None


def doubled(found: Groups, tensors: Mapping[str, Tensor], arguments: ModelArguments) -> ModelArguments | None:
    """The arguments with twice the batch; None if they have none, or where the model does not take it."""
    given = [each for each in tensors_in((arguments.args, dict(arguments.kwargs))) if each.dim()]
    sizes = {each.shape[0] for each in given}
    if len(sizes) != 1:
        return None
    twice = ModelArguments(*map_tensors(_twice, (arguments.args, dict(arguments.kwargs))))
    try:
        outputs(found.model, tensors, {}, twice.args, twice.kwargs)
    except Exception:  # noqa: BLE001  (a model of one batch size)
        return None
    return twice


def _twice(_index: int, tensor: Tensor) -> Tensor:
    return torch.cat([tensor, tensor]) if tensor.dim() else tensor


def tolerance(found: Sequence[Tensor]) -> float:
    """1e-5, or what a narrow type rounds to."""
    types = [each.dtype for each in found if each.is_floating_point()]
    return max([TOLERANCE, *(_ROUNDING * torch.finfo(each).eps for each in types if torch.finfo(each).bits < 32)])


class _Watch:
    """Remembers the innermost module that raised."""

    def __init__(self, model: nn.Module) -> None:
        self.failed_in = ""
        self._open: list[str] = []
        self._model = model
        self._handles: list[Any] = []

    def __enter__(self) -> None:
        for path, module in hookable(self._model):
            self._handles.append(module.register_forward_pre_hook(self._entering(path)))
            self._handles.append(module.register_forward_hook(self._leave))

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self.failed_in = self._open[-1] if self._open else ""

    def _entering(self, path: str) -> Any:  # noqa: ANN401
        return lambda *_: self._open.append(path)

    def _leave(self, *_: object) -> None:
        self._open.pop()


def _first(
    found: Groups, removal: Removal, masked: Mapping[str, Tensor], thin: Mapping[str, Tensor], arguments: ModelArguments
) -> str:
    """The first module, in the order in which they return, whose output differs."""
    gone = torch.zeros(len(found.root), dtype=torch.bool)
    for name, numbers in removal.items():
        gone[found.labels[name][list(numbers)]] = True
    gone = gone[found.root]
    full = _returned(found, masked, {}, arguments)
    slim = _returned(found, thin, found.widths(removal), arguments)
    for call, (path, before), (_, after) in zip(found.calls, full, slim, strict=False):
        if path != call.path or len(before) != len(after) or len(before) != len(call.outputs):
            return path
        for layers, one, other in zip(call.outputs, before, after, strict=True):
            if _differs(layers, one, other, gone):
                return path
    return ""


def _differs(layers: Layers, masked: Tensor, thin: Tensor, gone: Tensor) -> bool:
    """True if what stays of an output is not the thin one, or what goes is not 0 though it should be."""
    for layer in layers:
        small, dims = core(layer), varying(layer)
        goes = gone[small.abs()] & (small != 0)
        if bool(masked[(goes & (small > 0)).expand(masked.shape)].any()):
            return True
        if len(dims) == 1:
            masked = masked.index_select(dims[0], (~goes).flatten().nonzero().flatten().to(masked.device))
    if masked.shape != thin.shape:
        return len(layers) == 0 or all(len(varying(layer)) == 1 for layer in layers)
    return difference([masked], [thin]) > tolerance([masked])


def _returned(
    found: Groups, tensors: Mapping[str, Tensor], widths: Mapping[str, Mapping[str, int]], arguments: ModelArguments
) -> list[tuple[str, list[Tensor]]]:
    """The results of the modules, in the order in which they return."""
    calls: list[tuple[str, list[Tensor]]] = []
    handles = [
        module.register_forward_hook(
            lambda _m, _a, out, path=path: calls.append((path, [t.clone() for t in tensors_in(out)]))
        )
        for path, module in hookable(found.model)
    ]
    try:
        outputs(found.model, tensors, widths, arguments.args, arguments.kwargs)
    finally:
        for handle in handles:
            handle.remove()
    return calls


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}" if text else type(error).__name__


def _place(error: BaseException) -> str:
    """ "file:line" of the innermost frame of the model's own code."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return next((f"{each.filename}:{each.lineno}" for each in frames if is_of_the_user(each.filename)), "")
