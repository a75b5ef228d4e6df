# ruff: noqa: ANN401 -- values of any kind
"""Records what a model's run calls: torch functions under the catalogue's names, and slots that quantize."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.nn.utils.rnn import PackedSequence
from torch.overrides import TorchFunctionMode

from qprep.foundation.catalogue.lookup import load
from qprep.foundation.catalogue.op import OpClass
from qprep.foundation.errors import QprepError
from qprep.foundation.version import PACKAGE_FOLDER
from qprep.quantizer.backends.onnx.export_report import Recurrent
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.graph.call_rows import calls
from qprep.quantizer.graph.tensor_leaves import map_tensors, tensors_in
from qprep.runtime_modules._recurrent_layers import RecurrentDirection

# What moves values and leaves what they are.
_MOVES: Final = frozenset(
    {op.name for op in load().ops if op.cls is OpClass.TRANSPARENT or op.quantizer == "same-scale"}
)

# What makes a number of Python's out of a tensor's values: the run goes on with the example's.
_READS: Final = frozenset({"item", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__", "is_nonzero"})
_OUTSIDE: Final = (os.path.dirname(torch.__file__) + os.sep, str(PACKAGE_FOLDER) + os.sep, os.path.dirname(os.__file__))


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
    function   what was called, None if it was no function of torch's
    called     its arguments and keywords, tensors that depend on an input as `Ref`s
    in_place   whether it overwrites its first argument
    site       file and line of the model's code that called, "" if there is none
    slotted    whether it is a recurrent layer with slots inside
    """

    name: str
    arguments: dict[str, Any]
    outputs: tuple[int, ...]
    shapes: tuple[tuple[int, ...], ...]
    kinds: tuple[torch.dtype, ...]
    slot: TensorQuantizer | None = None
    path: str = ""
    module_class: str = ""
    function: Callable[..., Any] | None = None
    called: tuple[Any, Any] = ((), {})
    in_place: bool = False
    site: str = ""
    slotted: bool = False

    @property
    def where(self) -> str:
        """The module that runs, and the line that called."""
        module = f"{self.path} ({self.module_class})" if self.path else "the model"
        return f"{module}, {self.site}" if self.site else module


@dataclass(frozen=True, slots=True)
class RecurrentLayer:
    """The parts of an LSTM, GRU or RNN of torch.

    mode     "LSTM", "GRU", "RNN_TANH" or "RNN_RELU"
    weights  for each layer and direction: w_ih, w_hh and, where there are some, b_ih, b_hh
    """

    mode: str
    hidden_size: int
    layers: int
    bidirectional: bool
    batch_first: bool
    weights: tuple[tuple[Tensor, ...], ...]

    @classmethod
    def of(cls, module: nn.RNNBase) -> RecurrentLayer:
        """Of a module; its parameters are those that it runs with."""
        weights = tuple(tuple(parameters) for parameters in module.all_weights)
        return cls(
            module.mode, module.hidden_size, module.num_layers, module.bidirectional, module.batch_first, weights
        )


@dataclass(slots=True)
class Recording:
    """A run: its steps, and the tensors that it was given and returned.

    tensors  every tensor that depends on an input, by its number
    reads    where the model made a number of Python's out of one, so that the file has the example's
    """

    steps: list[Step] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    input_tensors: list[Tensor] = field(default_factory=list)
    outputs: list[Ref] = field(default_factory=list)
    returned: list[Tensor] = field(default_factory=list)
    tensors: list[Tensor] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)


def record(model: nn.Module, args: Sequence[Any], kwargs: dict[str, Any], recurrent: Recurrent) -> Recording:
    """Run `model` once, without gradients, and return what it called."""
    return _recorded(_Recorder(model, recurrent), model, args, kwargs)


def _recorded(recorder: _Recorder, model: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Recording:
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
    recorder.recording.tensors = recorder.kept
    return recorder.recording


class _Recorder(TorchFunctionMode):
    def __init__(self, model: nn.Module, recurrent: Recurrent) -> None:
        super().__init__()
        self.recording = Recording()
        self._model, self._recurrent = model, recurrent
        self._wholes: list[tuple[nn.Module, int]] = []  # recurrent layers that run, and where their steps begin
        self._paused = False
        self._paths: dict[nn.Module, str] = {module: path for path, module in model.named_modules()}
        self._numbers: dict[int, int] = {}
        self.kept: list[Tensor] = []  # so that no identity is given to another tensor
        self._stale: set[int] = set()
        self._running: list[nn.Module] = []
        self._given: list[tuple[TensorQuantizer, Tensor]] = []

    def number(self, tensor: Tensor) -> int:
        """A number for a tensor that depends on the inputs."""
        found = self._numbers[id(tensor)] = len(self.kept)
        self.kept.append(tensor)
        return found

    def ref(self, tensor: Tensor) -> Any:
        """The reference that replaces `tensor` in arguments: the tensor itself if it depends on no input."""
        if id(tensor) in self._stale:
            raise QprepError("expected each tensor to be changed through one name, found one changed through a view")
        found = self._numbers.get(id(tensor))
        return tensor if found is None else Ref(found)

    def hook(self) -> Iterator[Any]:
        yield register_module_forward_pre_hook(self._enter)
        yield register_module_forward_hook(self._leave, with_kwargs=True)

    def _enter(self, module: nn.Module, args: Any) -> None:
        if self._paused:
            return
        self._running.append(module)
        if not self._wholes and self._is_whole(module, args):
            self._wholes.append((module, len(self.recording.steps)))
        if isinstance(module, TensorQuantizer):
            self._given.append((module, args[0]))

    def _is_whole(self, module: nn.Module, args: Any) -> bool:
        """True if a layer's run is one step, rather than what it calls."""
        if self._recurrent is Recurrent.OPERATOR and isinstance(module, nn.RNNBase):
            is_plain = not module.proj_size and not (module.training and module.dropout)
            return is_plain and not any(isinstance(each, PackedSequence) for each in args)
        if self._recurrent is Recurrent.UNROLLED or not isinstance(module, RecurrentDirection):
            return False
        return len(module.steps) == 1 and (len(args) < 4 or args[3] is None)

    def _leave(self, module: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
        if self._paused:
            return
        if self._wholes and self._wholes[-1][0] is module:
            _, first = self._wholes.pop()
            if isinstance(module, RecurrentDirection):
                self._add_loop(module, first, args, out)
            else:
                self._add_layer(module, first, (*args, *kwargs.values()), out)
        self._running.pop()
        if not isinstance(module, TensorQuantizer):
            return
        slot, given = self._given.pop()
        if slot.is_active and out is not given and id(given) in self._numbers:
            self._add("quantize", {"input": self.ref(given)}, [out], slot)

    def _add_layer(self, module: nn.Module, first: int, given: tuple[Any, ...], out: Any) -> None:
        """One step for a recurrent layer, and one for the slot that its output passes."""
        assert isinstance(module, nn.RNNBase)  # noqa: S101  (see _is_whole)
        inner = self._cut(first)
        hidden = list(tensors_in(given[1:]))
        number = 2 if module.mode == "LSTM" else 1
        arguments = {
            "input": self.ref(given[0]),
            "hidden": [self.ref(each) for each in hidden] if hidden else [None] * number,
            "layer": RecurrentLayer.of(module),
        }
        self._add_whole("recurrent", arguments, list(tensors_in(out)), inner)

    def _add_loop(self, module: RecurrentDirection, first: int, args: tuple[Any, ...], out: Any) -> None:
        """The projection of the whole input as it ran, and one step for the loop over time."""
        state, weights = args[1:3]
        inner = self._cut(first)
        cut = next((at for at, step in enumerate(inner) if step.name == "unbind"), None)
        if cut is None:  # nothing depends on an input
            return
        self.recording.steps += inner[:cut]
        split = [step for step in inner[cut : cut + 3] if step.name == "unbind"]
        rows = [self.kept[step.outputs[0]] for step in split]
        body = _Recorder(self._model, self._recurrent)
        step = module.steps[0].entry()  # type: ignore[operator]

        def turn(*given: Tensor) -> Any:
            projected = given[0] if len(split) == 1 else tuple(given[: len(split)])
            return step(projected, tuple(given[len(split) :]), weights)

        self._paused = True
        try:
            recorded = _recorded(body, turn, (*rows, *state), {})
        finally:
            self._paused = False
        arguments = {
            "projected": [step.arguments["input"] for step in split],
            "state": [self.ref(each) for each in state],
            "body": recorded,
            "reverse": module.reverse,
        }
        self._add_whole("recurrent_loop", arguments, list(tensors_in(out)), inner[cut:])

    def _cut(self, first: int) -> list[Step]:
        """Take out the steps from `first` on."""
        inner = self.recording.steps[first:]
        del self.recording.steps[first:]
        return inner

    def _forget(self, first: int) -> None:
        """Give the numbers from `first` on again, so that they are the same for any length."""
        for number, tensor in enumerate(self.kept[first:], start=first):
            if self._numbers.get(id(tensor)) == number:
                del self._numbers[id(tensor)]
        del self.kept[first:]

    def _add_whole(self, name: str, arguments: dict[str, Any], results: list[Tensor], inner: list[Step]) -> None:
        by_output = {number: step for step in inner for number in step.outputs}
        slot = _slot_of(self._numbers.get(id(results[0])), by_output)
        self._forget(min((number for step in inner for number in step.outputs), default=len(self.kept)))
        self._add(name, arguments, results, None)
        slotted = any(step.slot is not None for step in inner)
        self.recording.steps[-1] = replace(self.recording.steps[-1], slotted=slotted)
        if slot is not None:
            self._add("quantize", {"input": self.ref(results[0])}, [results[0]], slot)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if self._paused or self._given or not any(id(tensor) in self._numbers for tensor in tensors_in((args, kwargs))):
            return out
        if hasattr(out, "__next__"):
            out = tuple(out)
        written = getattr(func, "__name__", "")
        if written in _READS:
            self.recording.reads.append(f"{written.strip('_')} in {_site() or 'the model'}")
        assigns = func is Tensor.__setitem__
        results = [args[0]] if assigns else list(tensors_in(out))
        if results:
            self._called(func, args, kwargs, results, assigns)
        return iter(out) if written == "__iter__" else out

    def _called(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], results: list[Tensor], over: bool
    ) -> None:
        call = calls().bind(func, args, kwargs)
        name = _attribute(func, call.name)
        arguments, called = map_tensors(lambda _, tensor: self.ref(tensor), (call.arguments, (args, kwargs)))
        in_place = call.in_place or over
        if in_place:
            self._leave_behind(results[0])
        self._add(name, arguments, results, None, (func, called, in_place))

    def _leave_behind(self, changed: Tensor) -> None:
        """Views of a tensor that is changed in place are no longer what their numbers say."""
        place = changed.untyped_storage().data_ptr()
        for tensor in self.kept:
            if tensor is not changed and id(tensor) in self._numbers and tensor.untyped_storage().data_ptr() == place:
                self._stale.add(id(tensor))

    def _add(
        self,
        name: str,
        arguments: dict[str, Any],
        results: list[Tensor],
        slot: TensorQuantizer | None,
        call: tuple[Callable[..., Any] | None, Any, bool] = (None, ((), {}), False),
    ) -> None:
        numbers = tuple(self.number(tensor) for tensor in results)
        shapes = tuple(tuple(tensor.shape) for tensor in results)
        kinds = tuple(tensor.dtype for tensor in results)
        module = next((each for each in reversed(self._running) if not isinstance(each, TensorQuantizer)), None)
        path = "" if module is None else _clean(self._paths.get(module, ""))
        label = "" if module is None else type(module).__name__
        self.recording.steps.append(Step(name, arguments, numbers, shapes, kinds, slot, path, label, *call, _site()))


def _slot_of(number: int | None, steps: dict[int, Step]) -> TensorQuantizer | None:
    """The one slot whose values a tensor has, moved or joined; None if there is none, or several."""
    waiting, found, seen = [number], set(), set()
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        step = None if at is None else steps.get(at)
        if step is None or (step.name not in (*_MOVES, "__iter__", "quantize")):
            return None
        if step.name == "quantize":
            found.add(step.slot)
        else:
            waiting += [each.number for each in opened(step.arguments) if isinstance(each, Ref)]
    return found.pop() if len(found) == 1 else None


def opened(value: Any) -> Iterator[Any]:
    """The leaves of tuples, lists, dicts and slices, one after another."""
    if isinstance(value, dict):
        value = tuple(value.values())
    elif isinstance(value, slice):
        value = (value.start, value.stop, value.step)
    if isinstance(value, (tuple, list)):
        for each in value:
            yield from opened(each)
    else:
        yield value


def _attribute(function: Callable[..., Any], name: str) -> str:
    owner = getattr(function, "__self__", None)
    return str(getattr(owner, "__name__", name)) if getattr(function, "__name__", "") == "__get__" else name


def _site() -> str:
    """The line outside of torch and this package that is nearest to the call."""
    frame = sys._getframe(1)  # noqa: SLF001
    while frame is not None and frame.f_code.co_filename.startswith(_OUTSIDE):
        frame = frame.f_back  # type: ignore[assignment]
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _clean(path: str) -> str:
    return ".".join(part for part in path.split(".") if part != "module")
