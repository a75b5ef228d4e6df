# ruff: noqa: ANN401 -- values of any kind
"""Records what a model's run calls: torch functions under the catalogue's names, and slots that quantize."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from qprep.foundation.errors import QprepError
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.graph.call_rows import calls
from qprep.quantizer.graph.tensor_leaves import map_tensors, tensors_in


@dataclass(frozen=True, slots=True)
class Ref:
    """The tensor that a step gives, by its number; or one that no step gives."""

    number: int


@dataclass(frozen=True, slots=True)
class Step:
    """One call.

    name       the operation's name in the catalogue, "quantize" for a slot
    arguments  by name, each tensor that depends on an input as a `Ref`
    outputs    the numbers of the tensors that it gives
    shapes     theirs
    kinds      their types
    slot       what quantizes
    path       the innermost module that runs, and its class
    """

    name: str
    arguments: dict[str, Any]
    outputs: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    kinds: tuple[torch.dtype, ...]
    slot: TensorQuantizer | None = None
    path: str = ""
    module_class: str = ""


@dataclass(slots=True)
class Recording:
    """A run: its steps, and the tensors that it was given and returned."""

    steps: list[Step] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    input_tensors: list[Tensor] = field(default_factory=list)
    outputs: list[Ref] = field(default_factory=list)
    returned: list[Tensor] = field(default_factory=list)


def record(model: nn.Module, args: Sequence[Any], kwargs: dict[str, Any]) -> Recording:
    """Run `model` once, without gradients, and return what it called."""
    recorder = _Recorder(model)
    for tensor in tensors_in((args, kwargs)):
        recorder.recording.inputs.append(recorder.number(tensor))
        recorder.recording.input_tensors.append(tensor)
    with contextlib.ExitStack() as stack:
        for handle in recorder.hook():
            stack.callback(handle.remove)
        stack.enter_context(torch.no_grad())
        stack.enter_context(recorder)
        out = model(*args, **kwargs)
    for tensor in tensors_in(out):
        recorder.recording.outputs.append(recorder.ref(tensor))
        recorder.recording.returned.append(tensor)
    return recorder.recording


class _Recorder(TorchFunctionMode):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.recording = Recording()
        self._paths: dict[nn.Module, str] = {module: path for path, module in model.named_modules()}
        self._numbers: dict[int, int] = {}
        self._kept: list[Tensor] = []  # so that no identity is given to another tensor
        self._stale: set[int] = set()
        self._running: list[nn.Module] = []
        self._given: list[tuple[TensorQuantizer, Tensor]] = []

    def number(self, tensor: Tensor) -> int:
        """A number for a tensor that depends on the inputs."""
        found = self._numbers[id(tensor)] = len(self._kept)
        self._kept.append(tensor)
        return found

    def ref(self, tensor: Tensor) -> Any:
        """What stands for `tensor` in arguments: itself where it depends on no input."""
        if id(tensor) in self._stale:
            raise QprepError("expected each tensor to be changed through one name, found one changed through a view")
        found = self._numbers.get(id(tensor))
        return tensor if found is None else Ref(found)

    def hook(self) -> Iterator[Any]:
        yield register_module_forward_pre_hook(self._enter)
        yield register_module_forward_hook(self._leave)

    def _enter(self, module: nn.Module, args: Any) -> None:
        self._running.append(module)
        if isinstance(module, TensorQuantizer):
            self._given.append((module, args[0]))

    def _leave(self, module: nn.Module, _args: Any, out: Any) -> None:
        self._running.pop()
        if not isinstance(module, TensorQuantizer):
            return
        slot, given = self._given.pop()
        if slot.is_active and out is not given and id(given) in self._numbers:
            self._add("quantize", {"input": self.ref(given)}, [out], slot)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if self._given or not any(id(tensor) in self._numbers for tensor in tensors_in((args, kwargs))):
            return out
        if hasattr(out, "__next__"):
            out = tuple(out)
        results = list(tensors_in(out))
        if results:
            call = calls().bind(func, args, kwargs)
            name = _attribute(func, call.name)
            arguments = map_tensors(lambda _, tensor: self.ref(tensor), call.arguments)
            if call.in_place:
                self._leave_behind(results[0])
            self._add(name, arguments, results, None)
        return iter(out) if getattr(func, "__name__", "") == "__iter__" else out

    def _leave_behind(self, changed: Tensor) -> None:
        """Views of a tensor that is changed in place are no longer what their numbers say."""
        place = changed.untyped_storage().data_ptr()
        for tensor in self._kept:
            if tensor is not changed and id(tensor) in self._numbers and tensor.untyped_storage().data_ptr() == place:
                self._stale.add(id(tensor))

    def _add(self, name: str, arguments: dict[str, Any], results: list[Tensor], slot: TensorQuantizer | None) -> None:
        numbers = tuple(self.number(tensor) for tensor in results)
        shapes = tuple(tuple(tensor.shape) for tensor in results)
        kinds = tuple(tensor.dtype for tensor in results)
        module = next((each for each in reversed(self._running) if not isinstance(each, TensorQuantizer)), None)
        path = "" if module is None else _clean(self._paths.get(module, ""))
        self.recording.steps.append(
            Step(name, arguments, numbers, shapes, kinds, slot, path, "" if module is None else type(module).__name__)
        )


def _attribute(function: Callable[..., Any], name: str) -> str:
    owner = getattr(function, "__self__", None)
    return str(getattr(owner, "__name__", name)) if getattr(function, "__name__", "") == "__get__" else name


def _clean(path: str) -> str:
    return ".".join(part for part in path.split(".") if part != "module")
