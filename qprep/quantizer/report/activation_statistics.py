"""Statistics of every module's inputs and outputs over data, in the layout of Distiller's YAML."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from qprep.foundation.atomic_write import save
from qprep.foundation.errors import QprepError
from qprep.quantizer.batches import Caller, batches_of, keywords_of, required_inputs
from qprep.quantizer.config.yaml_file import Located, read_yaml
from qprep.quantizer.graph.tensor_leaves import tensors_in
from qprep.quantizer.ranges.histograms import Histogram
from qprep.quantizer.ranges.range_rules import Average, Moments

_BINS: Final = 128  # of a histogram in a file

Numbers = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Statistics:
    """The observed statistics, by module path.

    modules    {"conv1": {"inputs": {0: numbers}, "output": numbers}}; of a module with several results, as Distiller
               has room for one, further ones stand under "output_1" and so on
    histograms {"conv1": {"output": (limit, counts over [-limit, limit])}}
    never_run  paths of leaf modules that did not run
    reused     paths of leaf modules that ran more than once in one pass, whose numbers are over all their calls
    """

    modules: Mapping[str, Mapping[str, Any]]
    histograms: Mapping[str, Mapping[str, tuple[float, tuple[int, ...]]]]
    never_run: tuple[str, ...]
    reused: tuple[str, ...]

    def __getitem__(self, path: str) -> Mapping[str, Any]:
        """The numbers of one module: statistics["conv1"]["output"]["max"]."""
        return self.modules[path]

    def __str__(self) -> str:
        return self.to_yaml()

    def to_yaml(self, histograms: bool = False) -> str:
        """Distiller's file; what never ran and what is reused are comments at its head.

        histograms  whether each tensor gets one more key, "histogram": its limit, and counts in equal bins over
                    [-limit, limit]
        """
        lines = [f"# never run: {path}" for path in self.never_run] + [f"# reused: {path}" for path in self.reused]
        modules = {path: self._with_histograms(path) for path in self.modules} if histograms else self.modules
        return "\n".join([*lines, *_yaml(modules, "")]) + "\n"

    def save(self, path: str | Path, histograms: bool = False) -> None:
        """Write `to_yaml` to a file; nothing is left half-written. Raises QprepError if it cannot be written."""
        save(Path(path), self.to_yaml(histograms).encode(), "statistics")

    @classmethod
    def load(cls, path: str | Path) -> Statistics:
        """Read a file of `save`, or another one in Distiller's layout, without histograms.

        Raises QprepError, with file and line, for invalid YAML and invalid numbers.
        """
        path = Path(path)
        found: dict[str, dict[str, Any]] = {}
        for module, entry in _entries(read_yaml(path), path):
            tensors = {name: each for name, each in _entries(entry, path) if name != "inputs"}
            inputs = dict(_entries(entry, path)).get("inputs", Located({}, entry.line))
            read = {int(index): _numbers(each, path) for index, each in _entries(inputs, path) if index.isdigit()}
            found[module] = {"inputs": read, **{name: _numbers(each, path) for name, each in tensors.items()}}
        return cls(found, {}, (), ())

    def _with_histograms(self, path: str) -> dict[str, Any]:
        counted = {name: _coarse(limit, counts) for name, (limit, counts) in self.histograms[path].items()}
        entry = dict(self.modules[path])
        inputs = {
            index: {**numbers, "histogram": counted["inputs" if index == 0 else f"inputs_{index}"]}
            for index, numbers in entry.pop("inputs").items()
        }
        return {"inputs": inputs} | {name: {**numbers, "histogram": counted[name]} for name, numbers in entry.items()}


def _entries(given: Located, path: Path) -> Iterable[tuple[str, Located]]:
    if not isinstance(given.value, Mapping):
        raise QprepError(f"{path}:{given.line}: expected statistics by name, found {type(given.value).__name__}")
    return given.value.items()


def _numbers(given: Located, path: Path) -> dict[str, Any]:
    found = {name: each.plain() for name, each in _entries(given, path)}
    for name in ("min", "max"):
        value = found.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise QprepError(f"{path}:{given.line}: expected a finite number as {name}, found {value!r}")
    return found


class _SlotStatistics:
    def __init__(self) -> None:
        self.moments, self.average, self.histogram = Moments(), Average(), Histogram()
        self.shape = ""

    def add(self, tensor: Tensor) -> None:
        rows, samples = tensor.reshape(1, -1), tensor.shape[0] if tensor.dim() > 1 else 1
        for each in (self.moments, self.average, self.histogram):
            each.update(rows, samples)
        self.shape = str(tuple(tensor.shape))

    def numbers(self) -> Numbers:
        """Distiller's names."""
        moments, (avg_min, avg_max) = self.moments, self.average.range()
        found = {"min": moments.low, "max": moments.high, "avg_min": avg_min, "avg_max": avg_max}
        found |= {"mean": moments.mean, "std": moments.std, "b": moments.b}
        return {**{name: float(value) for name, value in found.items()}, "shape": self.shape}


def collect_statistics(model: nn.Module, loader: Iterable[object], positional: int | None = None) -> Statistics:
    """Run `model` in evaluation mode over `loader`, watching all modules without children.

    positional  number of inputs at the start of a tuple of the loader; None for the required inputs of the model

    The model is the same afterwards. Raises QprepError for a loader without data and for values that are not finite.
    """
    leaves = {path: each for path, each in model.named_modules() if not any(True for _ in each.children())}
    slots: dict[str, dict[tuple[str, int], _SlotStatistics]] = {path: {} for path in leaves}
    calls = dict.fromkeys(leaves, 0)
    training = {module: module.training for module in model.modules()}
    number = len(required_inputs(model)) if positional is None else positional
    caller, batches = Caller(number, keywords_of(model)), 0
    model.eval()
    with contextlib.ExitStack() as stack, torch.no_grad():
        stack.callback(_restore, training)
        for path, module in leaves.items():
            hook = partial(_watch, path, slots[path], calls)
            stack.callback(module.register_forward_hook(hook, with_kwargs=True).remove)
        for batch in batches_of(loader):
            caller.call(model, batch)
            batches += 1
    if batches == 0:
        raise QprepError("expected data to collect statistics of, found an empty loader")
    return _statistics(slots, calls, batches)


def _watch(  # noqa: PLR0917  (the last four are the hook's)
    path: str,
    slots: dict[tuple[str, int], _SlotStatistics],
    calls: dict[str, int],
    _module: nn.Module,
    args: object,
    kwargs: object,
    out: object,
) -> None:
    calls[path] += 1
    for kind, value in (("inputs", (args, kwargs)), ("output", out)):
        for index, tensor in enumerate(tensors_in(value)):
            if tensor.is_floating_point() and tensor.numel():
                try:
                    slots.setdefault((kind, index), _SlotStatistics()).add(tensor)
                except QprepError as error:
                    raise QprepError(f"{error}, at {kind} {index} of {path or 'the model'}") from error


def _restore(training: Mapping[nn.Module, bool]) -> None:
    for module, mode in training.items():
        module.training = mode


def _statistics(
    slots: Mapping[str, Mapping[tuple[str, int], _SlotStatistics]], calls: Mapping[str, int], batches: int
) -> Statistics:
    modules: dict[str, dict[str, Any]] = {}
    histograms: dict[str, dict[str, tuple[float, tuple[int, ...]]]] = {}
    for path, found in slots.items():
        if not found:
            continue
        entry: dict[str, Any] = {"inputs": {}}
        for (kind, index), slot in found.items():
            name = kind if index == 0 else f"{kind}_{index}"
            if kind == "inputs":
                entry["inputs"][index] = slot.numbers()
            else:
                entry[name] = slot.numbers()
            counts = tuple(int(each) for each in slot.histogram.counts[0].tolist())
            histograms.setdefault(path, {})[name] = (float(slot.histogram.limit), counts)
        modules[path] = entry
    never = tuple(path for path, number in calls.items() if number == 0)
    return Statistics(modules, histograms, never, tuple(path for path, number in calls.items() if number > batches))


def _yaml(value: Mapping[Any, Any], indent: str) -> list[str]:
    lines = []
    for key, item in value.items():
        name = json.dumps(key) if isinstance(key, str) else str(key)
        if isinstance(item, Mapping) and item:
            lines += [f"{indent}{name}:", *_yaml(item, f"{indent}  ")]
        else:
            lines.append(f"{indent}{name}: {_scalar(item)}")
    return lines


def _coarse(limit: float, counts: tuple[int, ...]) -> dict[str, Any]:
    step = max(len(counts) // _BINS, 1)
    return {"limit": limit, "counts": [sum(counts[at : at + step]) for at in range(0, len(counts), step)]}


def _scalar(value: object) -> str:
    if isinstance(value, float):
        text = repr(value)
        return text.replace("e", ".0e") if "e" in text and "." not in text else text  # YAML 1.1 wants the point
    return "{}" if isinstance(value, Mapping) else json.dumps(value)
