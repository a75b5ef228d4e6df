"""Range estimators by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from qprep.foundation.errors import QprepError
from qprep.foundation.suggestions import did_you_mean
from qprep.quantizer.formats.spec import Spec
from qprep.quantizer.ranges.aciq import AciqGauss, AciqLaplace
from qprep.quantizer.ranges.histograms import Entropy, MeanSquaredError, Percentile
from qprep.quantizer.ranges.range_rules import Average, Estimator, MinMax, MovingAverage, StandardDeviations

MIN_MAX: Final = "min-max"
ESTIMATORS: Final[Mapping[str, Callable[[Spec], Estimator]]] = MappingProxyType(
    {
        MIN_MAX: lambda _: MinMax(),
        "ema": lambda _: MovingAverage(),
        "average": lambda _: Average(),
        "n-std": lambda _: StandardDeviations(),
        "percentile": lambda _: Percentile(),
        "mse": MeanSquaredError,
        "entropy": lambda spec: Entropy(spec.bits or 8),
        "aciq-laplace": lambda spec: AciqLaplace(spec.bits or 8),
        "aciq-gauss": lambda spec: AciqGauss(spec.bits or 8),
    }
)


_OTHER_NAMES: Final = MappingProxyType({"aciq": "aciq-laplace"})


def spelled(name: object) -> object:
    """`name` as this package writes names: "Min_Max" is "min-max"."""
    if not isinstance(name, str):
        return name
    plain = name.lower().replace("_", "-").replace(" ", "-")
    return _OTHER_NAMES.get(plain, plain)


def make_estimator(spec: Spec) -> Estimator:
    """The estimator that `spec` names; QprepError for an unknown name."""
    check_name(spec.estimator)
    return ESTIMATORS[str(spelled(spec.estimator))](spec)


def check_name(name: str) -> None:
    """QprepError, with the nearest known name, where there is no estimator `name`."""
    if isinstance(name, str) and spelled(name) in ESTIMATORS:
        return
    hint = did_you_mean(str(name), ESTIMATORS)
    raise QprepError(f"expected a range estimator among {', '.join(ESTIMATORS)}, found {name!r}{hint}")
