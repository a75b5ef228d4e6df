"""Free sizes of a file's inputs: the requested ones, or those that the model turns out to allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.onnx.export_report import OnnxOptions, Recurrent
from qprep.quantizer.backends.onnx.run_record import Recording, Ref, record
from qprep.quantizer.backends.onnx.sizes import Dim, Free, SizeRuns, enlarged, merged, shape_of
from qprep.quantizer.batches import sentence_of
from qprep.quantizer.graph.tensor_leaves import map_tensors, tensors_in

Example = tuple[tuple[Any, ...], dict[str, Any]]
_MOST: Final = 4  # names of sizes: each doubles the runs


def recorded(
    model: nn.Module, example: Example, names: Sequence[str], options: OnnxOptions
) -> tuple[Recording, list[tuple[Dim, ...]]]:
    """The run, and the shapes of its inputs, with a `Size` for what is free.

    By default the first dimension is, `batch`, and the second too, `length`, in a model with recurrent layers, each
    where further runs with one more call the same operations. Raises QprepError if requested sizes are
    no sizes of the model, or change what it calls, and for a model that does not run in float32.
    """
    run = _first_run(model, example, options)
    tensors = list(tensors_in(example))
    if options.free is not None:
        free = _asked(options.free, names, tensors)
        found = _merged(model, example, run, free, options)
        if found is None:
            shown = ", ".join(sorted({name for axes in free.values() for name in axes.values()}))
            raise QprepError(
                f"expected a model that runs the same operations for other sizes of {shown}, found other operations, "
                "or an error"
            )
        return found
    for free in _guesses(run, tensors) if options.dynamic_batch else ():
        found = _merged(model, example, run, free, options)
        if found is not None:
            return found
    return run, [tuple(tensor.shape) for tensor in tensors]


def _first_run(model: nn.Module, example: Example, options: OnnxOptions) -> Recording:
    """The run on the example inputs; a forward that converts to another type by itself may fail in float32."""
    try:
        return record(model, *example, options.recurrent or Recurrent.OPERATOR)
    except QprepError:
        raise
    except Exception as error:
        raise QprepError(
            f"expected a model that runs in float32 to export it, found {type(model).__name__}: {sentence_of(error)}"
        ) from error


def _guesses(run: Recording, tensors: Sequence[Tensor]) -> list[Free]:
    """The candidates to try, the freest first."""
    states = _states(run)
    others = {number: tensor for number, tensor in enumerate(tensors) if number not in states}
    if not others or not all(tensor.dim() for tensor in tensors):
        return []
    steps = any(step.name.startswith("recurrent") for step in run.steps)
    if not states:
        return _with_batch(others, {}, 0, others[0].shape[0], steps)
    sizes = {tensors[number].shape[1] for number in states if tensors[number].dim() == 3}
    if len(sizes) != 1 or any(tensors[number].dim() != 3 for number in states):
        return []
    held, size = {number: {1: "batch"} for number in states}, sizes.pop()
    both = [_with_batch(others, held, axis, size, steps) for axis in (0, 1)]
    return sorted((free for each in both for free in each), key=lambda free: -sum(map(len, free.values())))


def _with_batch(others: Mapping[int, Tensor], held: Free, axis: int, size: int, steps: bool) -> list[Free]:
    """The candidates in which `axis` of all inputs but states is the batch, and the other one of two the length."""
    if size == 0 or any(tensor.dim() <= axis or tensor.shape[axis] != size for tensor in others.values()):
        return []
    batch = {number: {axis: "batch"} for number in others}
    lengths = {tensor.shape[1 - axis] for tensor in others.values() if tensor.dim() > 1}
    if len(lengths) != 1 or not steps:
        return [{**held, **batch}]
    long = {number: {axis: "batch", 1 - axis: "length"} for number, tensor in others.items() if tensor.dim() > 1}
    return [{**held, **batch, **long}, {**held, **batch}]


def _states(run: Recording) -> set[int]:
    """The inputs that are states of recurrent layers, perhaps behind a slot."""
    makers = {step.outputs[0]: step for step in run.steps if step.name == "quantize"}
    given = [each for step in run.steps if step.name == "recurrent" for each in step.arguments["hidden"]]
    found = set()
    for each in given:
        while isinstance(each, Ref) and each.number in makers:
            each = makers[each.number].arguments["input"]  # noqa: PLW2901
        if isinstance(each, Ref) and each.number in run.inputs:
            found.add(run.inputs.index(each.number))
    return found


def _asked(free: object, names: Sequence[str], tensors: Sequence[Tensor]) -> Free:
    found: dict[int, dict[int, str]] = {}
    if not isinstance(free, Mapping):
        raise QprepError(f"expected a mapping of inputs to names by dimension as dynamic_axes, found {free!r}")
    for name, given in free.items():
        if name not in names:
            raise QprepError(f"expected inputs among {', '.join(names)} as dynamic_axes, found {name!r}")
        tensor, axes = tensors[names.index(name)], _axes_of(name, given)
        for axis in axes:
            if not -tensor.dim() <= axis < tensor.dim():
                raise QprepError(f"expected a dimension of {name}, which has {tensor.dim()}, found {axis}")
        found[names.index(name)] = {axis % tensor.dim(): size for axis, size in axes.items()}
    sizes: dict[str, int] = {}
    for number, axes in found.items():
        for axis, size in axes.items():
            here = tensors[number].shape[axis]
            if sizes.setdefault(size, here) != here:
                raise QprepError(f"expected one size for {size!r}, found {sizes[size]} and {here}")
    if len(sizes) > _MOST:
        raise QprepError(f"expected at most {_MOST} names of sizes, found {len(sizes)}")
    return found


def _axes_of(name: str, given: object) -> dict[int, str]:
    """Names by dimension; a list of dimensions, as torch.onnx.export takes it, gets names of its own."""
    if isinstance(given, (list, tuple)):
        given = {axis: f"{name}_{axis}" for axis in given}
    if isinstance(given, Mapping) and all(type(key) is int and isinstance(each, str) for key, each in given.items()):
        return dict(given)
    raise QprepError(f'expected names by dimension for {name} in dynamic_axes, such as {{0: "batch"}}, found {given!r}')


def _merged(
    model: nn.Module, example: Example, run: Recording, free: Free, options: OnnxOptions
) -> tuple[Recording, list[tuple[Dim, ...]]] | None:
    tensors = list(tensors_in(example))
    sizes = {name: tensors[number].shape[axis] for number, axes in free.items() for axis, name in axes.items()}
    runs = SizeRuns(tuple(sizes), tuple(sizes.values()))
    recordings, shapes = [run], [[tensor.shape for tensor in tensors]]
    for mask in range(1, runs.number):
        larger = enlarged(tensors, free, [name for at, name in enumerate(runs.names) if mask >> at & 1])
        left = iter(larger)
        try:
            args, kwargs = map_tensors(lambda *_: next(left), example)  # noqa: B023  (called here)
            recordings.append(record(model, args, kwargs, options.recurrent or Recurrent.OPERATOR))
        except Exception:  # noqa: BLE001  (the model's own code, on sizes that it may not take)
            return None
        shapes.append([tensor.shape for tensor in larger])
    found = merged(recordings, runs)
    if found is None:
        return None
    return found, [shape_of(each, runs) for each in zip(*shapes, strict=True)]
