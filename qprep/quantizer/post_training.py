"""Quantization without training: static, dynamic, and of weights alone."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from qprep.errors import QprepError
from qprep.quantizer.base import Quantizer
from qprep.quantizer.graph import Edge
from qprep.quantizer.passes import Passes, plan_layer_inputs
from qprep.quantizer.settings import Bits
from qprep.quantizer.spec import Spec
from qprep.quantizer.tensor_quantizers import ActivationQuantizer, DynamicActivationQuantizer, Mode, TensorQuantizer


class _PostTraining(Quantizer):
    """Works on a copy in evaluation mode; the model given stays as it is."""

    def __init__(
        self,
        model: nn.Module,
        bits_activations: Bits = None,
        bits_weights: Bits = None,
        bits_bias: Bits = None,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        **defaults: Any,
    ) -> None:
        super().__init__(
            model, None, bits_activations, bits_weights, bits_bias, overrides, train_with_fp_copy=True, **defaults
        )
        self.float_model = model
        self.model = copy.deepcopy(model).eval()

    def quantize_params(self) -> None:
        """Take scales of weights; the values are rounded in each forward until `convert`."""
        for parameter, quantizer in self.parameters_with_quantizers():
            self.param_quantization_fn(parameter, quantizer)

    def convert(self) -> nn.Module:
        """A model of its own that simulates the final arithmetic: parameters hold their rounded values.

        Raises QprepError before prepare_model.
        """
        pairs = list(self.parameters_with_quantizers())
        model, copied = copy.deepcopy((self.model, pairs))
        with torch.no_grad():
            for parameter, quantizer in copied:
                if quantizer.mode is Mode.QUANTIZE:
                    parameter.copy_(quantizer.quantize(parameter))
                    quantizer.mode = Mode.OFF
        return model


class PostTrainingQuantizer(_PostTraining):
    """Static: ranges of activations are observed in one pass over data, then fixed."""

    def quantize_params(self) -> None:
        """Weights stay in float while ranges are observed."""

    def calibrate(self, loader: Iterable[object]) -> None:
        """Observe every range over `loader`, in evaluation mode, and fix it; calling it again starts anew.

        A layer that did not run stays in float, and `notes` says so. Raises QprepError for a loader without data and
        for activations that are NaN or infinite, with the layer's name.
        """
        self.graph.model.eval()
        observers = [each for each in self.quantizers if isinstance(each, ActivationQuantizer)]
        for each in self.quantizers:
            each.mode = Mode.QUANTIZE if each.spec.is_float else Mode.OFF
        for observer in observers:
            observer.start_observing()
        self._observe(loader, observers)
        for observer in observers:
            if not observer.freeze():
                self.notes.append(f"{observer.name}: never run in calibration, left in float")
        super().quantize_params()

    def convert(self) -> nn.Module:
        """As in the base; QprepError where ranges are still to be observed."""
        if any(isinstance(each, ActivationQuantizer) and each.needs_data for each in self.quantizers) and not any(
            isinstance(each, ActivationQuantizer) and each.mode is Mode.QUANTIZE for each in self.quantizers
        ):
            raise QprepError("expected calibrate before convert, found no range observed")
        return super().convert()

    def _observe(self, loader: Iterable[object], observers: list[ActivationQuantizer]) -> None:
        batches = 0
        with torch.no_grad():
            for batch in loader:
                self.call(batch)
                batches += 1
        waiting = [each for each in observers if each.needs_data]
        if batches == 0 or (waiting and not any(each.estimator and each.estimator.count for each in waiting)):
            raise QprepError(f"expected data to calibrate with, found {batches} batches without a value")


class DynamicQuantizer(_PostTraining):
    """Weights ahead of time; what layers with weights read is quantized to its own range, each time."""

    def default_passes(self) -> Passes:
        """Nothing is folded: batch statistics stay where they are."""
        return Passes(("plan-layer-inputs", plan_layer_inputs))

    def make_activation_quantizer(self, edge: Edge, spec: Spec, name: str) -> TensorQuantizer:  # noqa: ARG002
        """One that takes each tensor's own range."""
        return DynamicActivationQuantizer(name, spec)


class WeightOnlyQuantizer(_PostTraining):
    """Weights alone, by default in 8 bits; activations stay."""

    def __init__(
        self,
        model: nn.Module,
        bits_weights: Bits = 8,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        **defaults: Any,
    ) -> None:
        super().__init__(model, None, bits_weights, None, overrides, **defaults)

    def default_passes(self) -> Passes:
        """None is needed."""
        return Passes()
