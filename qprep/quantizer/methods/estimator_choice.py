"""Choice of the range estimator of activations, by batches that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, Protocol

import torch

from qprep.foundation.errors import QprepError
from qprep.quantizer.batches import batches_of
from qprep.quantizer.formats.spec import Spec
from qprep.quantizer.formats.tensor_quantizers import ActivationQuantizer
from qprep.quantizer.graph.error_measure import Ratio
from qprep.quantizer.prepared_model import PreparedModel
from qprep.quantizer.ranges.estimators import check_name

CANDIDATES: Final = ("min-max", "mse")
_FOLDS: Final = 4


class Calibrated(PreparedModel, Protocol):
    """A prepared model that observes ranges."""

    def calibrate(self, loader: Iterable[object]) -> None:
        """Observe all ranges and fix them."""


def choose_estimator(
    quantizer: Calibrated,
    in_float: Callable[[object], object],
    loader: Iterable[object],
    estimators: str | Sequence[str] = CANDIDATES,
) -> str:
    """Choose the estimator whose ranges give the least noise at the output, and calibrate with it; returns its name.

    in_float  runs the float model on a batch

    The batches are divided into four parts, fewer if there are fewer batches. Each part is measured with ranges from
    the others: ranges that fit the calibration data alone do not win. Raises QprepError for fewer than two batches,
    unknown names, and where `calibrate` does.
    """
    batches = list(batches_of(loader))
    if len(batches) < 2:
        raise QprepError(f"expected two batches or more to choose an estimator on, found {len(batches)}")
    names = [estimators] if isinstance(estimators, str) else list(estimators)
    if not names:
        raise QprepError("expected names of estimators to choose from, found none")
    for name in names:
        check_name(name)
    noise = {name: Ratio() for name in names}
    folds = min(_FOLDS, len(batches))
    for fold in range(folds) if len(noise) > 1 else ():
        left_out = batches[fold::folds]
        with torch.no_grad():
            expected = [in_float(batch) for batch in left_out]
        for name, ratio in noise.items():
            _use(quantizer, name)
            quantizer.calibrate([each for at, each in enumerate(batches) if at % folds != fold])
            with torch.no_grad():
                for batch, right in zip(left_out, expected, strict=True):
                    ratio.add_all(right, quantizer.call(batch))
    best = max(noise, key=lambda name: noise[name].decibels)
    _use(quantizer, best)
    quantizer.calibrate(batches)
    return best


def _use(quantizer: PreparedModel, estimator: str) -> None:
    """Let all slots with observed ranges use `estimator`, and the plan too, which is saved."""

    def changed(spec: Spec | None) -> Spec | None:
        return spec if spec is None or spec.is_float else replace(spec, estimator=estimator)

    for edge in quantizer.graph.edges:
        edge.spec = changed(edge.spec)
    for node in quantizer.graph.nodes:
        node.reads, node.sums = changed(node.reads), changed(node.sums)
    for slot in quantizer.quantizers:
        if isinstance(slot, ActivationQuantizer) and not slot.spec.is_float:
            slot.use_estimator(estimator)
