# ruff: noqa: ANN401 -- values of any kind
"""Operations without a form of their own: written by torch.onnx.export, one call at a time, and put into the graph."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import onnx
import torch
from onnx import version_converter
from torch import Tensor, nn

from qprep.quantizer.backends.onnx.builder import OPSET, Builder
from qprep.quantizer.backends.onnx.export_report import FixedSizesError
from qprep.quantizer.backends.onnx.run_record import Recording, Ref, Step, opened
from qprep.quantizer.backends.onnx.sizes import Size, Spread
from qprep.quantizer.graph.tensor_leaves import tensors_in

_TORCH_OPSET: Final = 20  # the newest that torch's exporter of traces writes


class _CallAsModel(nn.Module):
    """One call as a model: of the tensors that depend on inputs, in order."""

    def __init__(self, function: Callable[..., Any], called: Any, in_place: bool) -> None:
        super().__init__()
        self.function, self.in_place = function, in_place
        # torch takes no tensor that requires a gradient as a constant
        self.called = _mapped(called, lambda each: each.detach() if isinstance(each, Tensor) else each)

    def forward(self, *tensors: Tensor) -> Any:
        """The tensors among the results of the function."""
        left = iter(tensors)
        args, kwargs = _mapped(self.called, lambda each: each if isinstance(each, Tensor) else next(left))
        if self.in_place:
            args = (args[0].clone(), *args[1:])
        out = self.function(*args, **kwargs)
        return tuple(tensors_in(args[0] if out is None else out))


def handed_over(b: Builder, step: Step, run: Recording) -> list[str]:
    """The names of what the step gives, written by torch.onnx.export; NoFormError where that cannot write it either."""
    if step.function is None:
        raise b.fail(step.name)
    parts = list(opened(step.called))
    if any(isinstance(each, Size) for each in parts):
        raise FixedSizesError(f"{step.name} in {step.where}")
    varying = [each for each in parts if isinstance(each, (Ref, Spread))]
    examples = [_example(each, run) for each in varying]
    free = [
        index
        for index, (each, shape) in enumerate(zip(varying, map(_shape(b), varying), strict=True))
        if any(isinstance(size, Size) for size in shape)
    ]
    graph = _written(b, step, examples, [(index, _free_axes(_shape(b)(varying[index]))) for index in free])
    return _merged(b, graph, [b.float(each) for each in varying])


def _shape(b: Builder) -> Callable[[Any], Sequence[Any]]:
    return lambda each: each.shape if isinstance(each, Spread) else b.value(each).shape


def _free_axes(shape: Sequence[Any]) -> dict[int, str]:
    return {axis: f"size{axis}" for axis, size in enumerate(shape) if isinstance(size, Size)}


def _example(each: Ref | Spread, run: Recording) -> Tensor:
    return run.tensors[each.number].detach() if isinstance(each, Ref) else each.example


def _written(
    b: Builder, step: Step, examples: Sequence[Tensor], free: Sequence[tuple[int, dict[int, str]]]
) -> onnx.GraphProto:
    assert step.function is not None  # noqa: S101  (checked by the caller)
    names = [f"given{index}" for index in range(len(examples))]
    stream = io.BytesIO()
    try:
        with _silence(), warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _CallAsModel(step.function, step.called, step.in_place).eval(),
                tuple(copy.copy(each) for each in examples),
                stream,  # type: ignore[arg-type]  # a stream is taken without dynamo
                input_names=names,
                dynamic_axes={names[index]: axes for index, axes in free},
                opset_version=_TORCH_OPSET,
                dynamo=False,
            )
        return _converted(onnx.load_from_string(stream.getvalue()))
    except Exception as error:
        message = str(error).strip().splitlines()
        reason = message[0] if message else type(error).__name__
        raise b.fail(f"{step.name} (torch.onnx.export: {reason})") from error


def _converted(made: onnx.ModelProto) -> onnx.GraphProto:
    """In the operators of the file's opset; ValueError for operators of torch's own."""
    foreign = [node.op_type for node in made.graph.node if node.domain]
    if foreign:
        raise ValueError(f"{foreign[0]} is not an ONNX operator")
    return version_converter.convert_version(made, OPSET).graph


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Have torch print nothing: its errors hold what matters."""
    switch: Callable[[bool], object] = getattr(torch._C, "_jit_set_onnx_log_enabled", lambda _: None)  # noqa: SLF001
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    switch(False)
    try:
        yield
    finally:
        logger.setLevel(level)
        switch(True)


def _merged(b: Builder, graph: onnx.GraphProto, given: Sequence[str]) -> list[str]:
    """Put the nodes of `graph` into the file's, under names of its own."""
    prefix = f"torch{len(b.nodes)}/"
    known = {info.name: name for info, name in zip(graph.input, given, strict=False)}
    # Inputs that the trace did not use are left out by torch: match by name.
    known |= {f"given{index}": name for index, name in enumerate(given)}

    def renamed(name: str) -> str:
        return name and known.get(name, f"{prefix}{name}")

    for each in graph.initializer:
        kept = onnx.TensorProto()
        kept.CopyFrom(each)
        kept.name = renamed(each.name)
        b.initializers[kept.name] = kept
    for node in graph.node:
        b.nodes.append(_renamed(node, renamed))
    return [renamed(info.name) for info in graph.output]


def _renamed(node: onnx.NodeProto, renamed: Callable[[str], str]) -> onnx.NodeProto:
    made = onnx.NodeProto()
    made.CopyFrom(node)
    made.name = renamed(node.name)
    for names in (made.input, made.output):
        changed = [renamed(name) for name in names]
        del names[:]
        names.extend(changed)
    for attribute in made.attribute:
        for graph in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
            _rename_inside(graph, renamed)
    return made


def _rename_inside(graph: onnx.GraphProto, renamed: Callable[[str], str]) -> None:
    for each in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        each.name = renamed(each.name)
    nodes = [_renamed(node, renamed) for node in graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _mapped(value: Any, change: Callable[[Ref | Spread | Tensor], Any]) -> Any:
    """The call's arguments, with `change` of each tensor and of each place of one that depends on an input."""
    if isinstance(value, (Ref, Spread, Tensor)):
        return change(value)
    if isinstance(value, dict):
        return {name: _mapped(each, change) for name, each in value.items()}
    if isinstance(value, slice):
        return slice(*(_mapped(each, change) for each in (value.start, value.stop, value.step)))
    if isinstance(value, (tuple, list)):
        mapped = [_mapped(each, change) for each in value]
        return mapped if isinstance(value, list) else tuple(mapped)
    return value
