"""Quantization without training: static, dynamic, and of weights alone."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from qprep.foundation.errors import QprepError
from qprep.quantizer.batches import batches_of
from qprep.quantizer.config.config_settings import NAMES, Bits
from qprep.quantizer.example_runs import evaluating
from qprep.quantizer.formats.spec import Granularity, Spec
from qprep.quantizer.formats.tensor_quantizers import (
    ActivationQuantizer,
    DynamicActivationQuantizer,
    TableQuantizer,
    TensorQuantizer,
    WeightQuantizer,
)
from qprep.quantizer.graph.graph_passes import Passes, plan_inner_slots, plan_layer_inputs
from qprep.quantizer.graph.quantization_graph import Edge, Weight
from qprep.quantizer.methods.estimator_choice import CANDIDATES, choose_estimator
from qprep.quantizer.methods.mixed_precision import CHOICES, Metric, choose_bits
from qprep.quantizer.quantizer_base import Quantizer
from qprep.quantizer.ranges.saved_ranges import set_ranges
from qprep.quantizer.report.activation_statistics import Statistics


class _PostTraining(Quantizer):
    """Works on a copy in evaluation mode; the model given stays as it is. QprepError for an optimizer."""

    def __init__(
        self,
        model: nn.Module,
        bits_activations: Bits = 8,
        bits_weights: Bits = 8,
        bits_bias: Bits = None,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        **defaults: Any,
    ) -> None:
        if defaults.pop("optimizer", None) is not None or not defaults.pop("train_with_fp_copy", True):
            raise QprepError(
                f"{type(self).__name__} trains nothing: expected neither an optimizer nor train_with_fp_copy"
            )
        super().__init__(
            model, None, bits_activations, bits_weights, bits_bias, overrides, train_with_fp_copy=True, **defaults
        )
        self.float_model = model
        _check_computed(model)
        self.model = copy.deepcopy(model).eval()

    def quantize_params(self) -> None:
        """Compute the scales of weights; values are rounded in each forward until `convert`."""
        for parameter, quantizer in self.parameters_with_quantizers():
            self.param_quantization_fn(parameter, quantizer)

    def fit(
        self,
        loader: Iterable[object],
        *,
        bits_budget: float,
        metric: Metric | None = None,
        choices: Sequence[int] = CHOICES,
    ) -> dict[str, int]:
        """Choose the bits of each weight under a budget, then calibrate; returns the bits by name.

        bits_budget  bits of a value, on average over all quantized weights
        metric       a function of the model, higher is better; by default the noise at the output is used
        choices      the bits to choose from

        The choices become overrides, so that files contain them. Raises the errors of `choose_bits`.
        """
        found = choose_bits(self, loader, bits_budget, metric, choices)
        for name, bits in found.items():
            self.settings.put_first(name, {**self.settings(name).to_data(), "bits_weights": bits})
        self.calibrate(loader)
        return found


class PostTrainingQuantizer(_PostTraining):
    """Static quantization: one pass over data observes the ranges of activations.

    statistics  the result of `collect_statistics` for the float model, or the path of its file. `prepare_model` takes
                the ranges from it, and `calibrate` is not needed; a tensor without statistics is a QprepError
    """

    method_name: ClassVar[str] = "ptq"

    def __init__(self, *args: Any, statistics: Statistics | str | Path | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        found = Statistics.load(statistics) if isinstance(statistics, (str, Path)) else statistics
        if found is not None and not isinstance(found, Statistics):
            raise QprepError(f"expected statistics or the path of their file, found {type(found).__name__}")
        self._statistics = found

    def prepare_model(
        self, *example_inputs: object, allow_unprepared: bool = False, **example_kwinputs: object
    ) -> None:
        """Prepare as the base class does, then take ranges from statistics if they were given."""
        super().prepare_model(*example_inputs, allow_unprepared=allow_unprepared, **example_kwinputs)
        if self._statistics is not None:
            slots = [each for each in self.quantizers if isinstance(each, ActivationQuantizer)]
            set_ranges(self.graph, slots, self._statistics.modules)
            super().quantize_params()

    def make_weight_quantizer(self, weight: Weight, spec: Spec, name: str) -> TensorQuantizer:
        """As in the base; tables of embeddings have the grid of what is looked up, where that has as many bits."""
        made, output = super().make_weight_quantizer(weight, spec, name), weight.rows_to
        if type(made) is not WeightQuantizer or not isinstance(output, ActivationQuantizer):
            return made
        alike = not spec.is_float and spec.bits == output.spec.bits and spec.granularity is not Granularity.GROUP
        return TableQuantizer(name, output) if alike else made

    def quantize_params(self) -> None:
        """Weights stay in float while ranges are observed."""

    def calibrate(self, loader: Iterable[object]) -> None:
        """Calibrate as the base class does, then compute the scales of weights."""
        super().calibrate(loader)
        super().quantize_params()

    def choose_estimator(self, loader: Iterable[object], estimators: str | Sequence[str] = CANDIDATES) -> str:
        """Choose the range estimator of activations on batches that it has not seen, calibrate, and return its name.

        estimators  the names to choose from

        Raises the errors of `calibrate`, and QprepError for fewer than two batches and unknown names.
        """
        self.graph  # noqa: B018  (raises before prepare_model)
        with evaluating(self.float_model):
            return choose_estimator(self, partial(self._caller.call, self.float_model), loader, estimators)


class DynamicQuantizer(_PostTraining):
    """Quantizes weights in advance, and the inputs of layers with weights by their range in each run."""

    method_name: ClassVar[str] = "dynamic"
    unread: ClassVar[tuple[str, ...]] = ("estimator_activations",)

    def default_passes(self) -> Passes:
        """The passes without BatchNorm folding."""
        return Passes(("plan-layer-inputs", plan_layer_inputs), ("plan-inner-slots", plan_inner_slots))

    def make_activation_quantizer(self, edge: Edge, spec: Spec, name: str) -> TensorQuantizer:  # noqa: ARG002
        """Return a quantizer that uses the range of each tensor."""
        return DynamicActivationQuantizer(name, spec)

    def calibrate(self, loader: Iterable[object]) -> None:
        """Do nothing: there is no range to observe. QprepError before prepare_model, or without a loader."""
        _not_read(self, loader)


class WeightOnlyQuantizer(_PostTraining):
    """Quantizes weights only, by default to 8 bits."""

    method_name: ClassVar[str] = "weight-only"
    unread: ClassVar[tuple[str, ...]] = tuple(
        name for name in NAMES if not name.endswith(("_weights", "_bias", "_size"))
    )

    def __init__(
        self,
        model: nn.Module,
        bits_weights: Bits = 8,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        **defaults: Any,
    ) -> None:
        if defaults.pop("bits_activations", None) is not None:
            raise QprepError("WeightOnlyQuantizer leaves activations: expected no bits_activations")
        super().__init__(model, None, bits_weights, defaults.pop("bits_bias", None), overrides, **defaults)

    def default_passes(self) -> Passes:
        """No passes."""
        return Passes()

    def calibrate(self, loader: Iterable[object]) -> None:
        """Do nothing: there is no range to observe. QprepError before prepare_model, or without a loader."""
        _not_read(self, loader)


def _check_computed(model: nn.Module) -> None:
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, Tensor) and not value.is_leaf:
                raise QprepError(
                    f"expected a model that can be copied, found {f'{path}.{name}'.strip('.')} computed from parameters"
                    ": make it permanent before (torch.nn.utils.prune.remove, torch.nn.utils.remove_weight_norm)"
                )


def _not_read(quantizer: Quantizer, loader: object) -> None:
    if quantizer.graph:
        batches_of(loader)
