"""Sensitivity: the loss of score if one weight alone is pruned, over a range of sparsities."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from qprep.compression.errors import CompressionError
from qprep.compression.names import ParameterNames
from qprep.compression.pictures import lines
from qprep.compression.pruners.layouts import layout_of, norms
from qprep.compression.pruners.pruner import check_share, keep_highest
from qprep.compression.sparsity import sparsity_of, weights_of
from qprep.compression.training import layer_of
from qprep.foundation.atomic_write import save
from qprep.quantizer.loaders import Watch, ignore

UNITS: Final = ("element", "filter", "channel")
LEVELS: Final = tuple(each / 20 for each in range(20))
_GROUPS: Final = {"filter": "outputs", "channel": "inputs"}


@dataclass(frozen=True, slots=True)
class SensitivityRow:
    """One evaluation: the weight that was pruned, the share of its values that were 0, scores by name."""

    parameter: str
    sparsity: float
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """All evaluations, and the scores of the model as it is."""

    unit: str
    dense: Mapping[str, float]
    rows: tuple[SensitivityRow, ...]

    def to_csv(self, path: str | Path) -> None:
        """Distiller's columns: parameter, sparsity, then the scores."""
        stream = io.StringIO()
        writer = csv.writer(stream)
        writer.writerow(["parameter", "sparsity", *self.dense])
        for row in self.rows:
            writer.writerow([row.parameter, f"{row.sparsity:.4f}", *(row.scores[name] for name in self.dense)])
        save(Path(path), stream.getvalue().encode(), "sensitivity")

    def plot(self, score: str | None = None) -> str:
        """Lines of a score (the first) over sparsity by parameter, as SVG."""
        name = next(iter(self.dense)) if score is None else score
        found: dict[str, list[tuple[float, float]]] = {}
        for row in self.rows:
            found.setdefault(row.parameter, []).append((row.sparsity, row.scores[name]))
        return lines(found)

    def _repr_html_(self) -> str:
        return self.plot()


def sensitivity(
    model: nn.Module,
    evaluate: Callable[[nn.Module], float | Mapping[str, float]],
    *,
    unit: str = "element",
    levels: Sequence[float] = LEVELS,
    weights: Sequence[str] = ("*",),
    watch: Watch = ignore,
) -> Sensitivity:
    """Prune each weight alone by magnitude, at each of `levels`, and score the model; it is as before afterwards.

    evaluate  of the model, in evaluation mode: a number, or numbers by name
    unit      element, filter or channel: what is pruned, ranked by L1 norm
    weights   names or regular expressions; "*" is all of two dimensions or more

    Raises CompressionError for an unknown unit, a level outside of 0 to 1, and names that match nothing.
    """
    if unit not in UNITS:
        raise CompressionError(f"expected unit among {', '.join(UNITS)}, found {unit!r}")
    shares = [check_share(each, "a level") for each in levels]
    names = ParameterNames(model)
    wanted, _ = names.wanted(weights)
    chosen = [(name, each) for name, each in weights_of(names) if each in wanted and _has_unit(each, unit)]
    modes = [(each, each.training) for each in model.modules()]
    model.eval()
    total = len(chosen) * len(shares)
    try:
        with torch.no_grad():
            dense = scores_of(evaluate(model))
            rows = []
            for row in _rows(model, evaluate, unit, shares, chosen):
                rows.append(row)
                watch("measuring sensitivity", len(rows), total)
    finally:
        for module, mode in modes:
            module.training = mode
    return Sensitivity(unit, dense, tuple(rows))


class ScoreError(CompressionError):
    """The function that evaluates a model returned no score."""


def scores_of(found: object) -> dict[str, float]:
    """Scores by name; one number is called "score"; ScoreError for anything else."""
    values: Mapping[Any, Any] = found if isinstance(found, Mapping) else {"score": found}
    scores: dict[str, float] = {}
    for name, value in values.items():
        try:
            scores[str(name)] = float(value)
        except (TypeError, ValueError) as error:
            where = f" for {name}" if isinstance(found, Mapping) else ""
            raise ScoreError(
                f"expected a number, or numbers by name, from evaluate, found {type(value).__name__}{where}"
            ) from error
    return scores


def _rows(
    model: nn.Module,
    evaluate: Callable[[nn.Module], float | Mapping[str, float]],
    unit: str,
    levels: Sequence[float],
    chosen: Sequence[tuple[str, Parameter]],
) -> Iterator[SensitivityRow]:
    for name, parameter in chosen:
        before, layer = parameter.detach().clone(), layer_of(model, parameter)
        try:
            for level in levels:
                parameter.copy_(before * _mask(before, layer, unit, level))
                yield SensitivityRow(name, sparsity_of(parameter), scores_of(evaluate(model)))
        finally:
            parameter.copy_(before)


def _mask(weight: Tensor, layer: nn.Module | None, unit: str, level: float) -> Tensor:
    if unit == "element":
        return keep_highest(weight.abs(), round(level * weight.numel()))
    layout = layout_of(_GROUPS[unit], None, ranked=True).of_layer(layer)
    size = norms(layout.rows(weight), 1)
    return layout.spread(keep_highest(size, int(level * size.numel())), weight.shape)


def _has_unit(weight: Tensor, unit: str) -> bool:
    return unit == "element" or weight.dim() > 2
