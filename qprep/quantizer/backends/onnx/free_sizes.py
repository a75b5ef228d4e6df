"""Free sizes of a file's inputs: the requested ones, or those that the model turns out to allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.backends.onnx.export_report import OnnxOptions
from qprep.quantizer.backends.onnx.run_record import Recording, record
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
        return record(model, *example, options.recurrent)
    except QprepError:
        raise
    except Exception as error:
        raise QprepError(
            f"expected a model that runs in float32 to export it, found {type(model).__name__}: {sentence_of(error)}"
        ) from error


def _guesses(run: Recording, tensors: Sequence[Tensor]) -> list[Free]:
    """The candidates to try, the freest first."""
    rows = {tensor.shape[0] for tensor in tensors if tensor.dim()}
    if len(rows) != 1 or 0 in rows or not all(tensor.dim() for tensor in tensors):
        return []
    batch = {number: {0: "batch"} for number in range(len(tensors))}
    lengths = {tensor.shape[1] for tensor in tensors if tensor.dim() > 1}
    if len(lengths) == 1 and any(step.name.startswith("recurrent") for step in run.steps):
        both = {number: {0: "batch", 1: "length"} for number, tensor in enumerate(tensors) if tensor.dim() > 1}
        return [{**batch, **both}, batch]
    return [batch]


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
            recordings.append(record(model, args, kwargs, options.recurrent))
        except Exception:  # noqa: BLE001  (the model's own code, on sizes that it may not take)
            return None
        shapes.append([tensor.shape for tensor in larger])
    found = merged(recordings, runs)
    if found is None:
        return None
    return found, [shape_of(each, runs) for each in zip(*shapes, strict=True)]
