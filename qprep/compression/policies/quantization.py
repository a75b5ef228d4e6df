"""A quantizer that starts at its time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from qprep.compression.coverage import bare
from qprep.compression.errors import CompressionError
from qprep.compression.policy import Policy
from qprep.compression.pruners.pruner import check_above
from qprep.compression.quantizers import OWN
from qprep.compression.training import Training
from qprep.compression.windows import Window
from qprep.quantizer import PostTrainingQuantizer, Quantizer
from qprep.quantizer.batches import batches_of
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.methods.qat.pact import PACTActivation
from qprep.quantizer.methods.qat.qat_base import TrainingQuantizer


class QuantizationPolicy(Policy):
    """Puts one of qprep's quantizers into the model when its first epoch begins; parameters keep their masks.

    quantizer  a class of qprep.quantizer
    settings   its arguments; `allow_unprepared: false` makes operations outside of modules an error, where else they
               stay in float with a note; `act_clip_init_val` is the α that PACT starts from
    """

    needs_example = True

    def __init__(self, quantizer: type[Quantizer], *, name: str = "", **settings: Any) -> None:
        if not (isinstance(quantizer, type) and issubclass(quantizer, Quantizer)):
            raise CompressionError(f"expected a class of quantizers, found {quantizer!r}")
        self.kind, self.name = quantizer, name or quantizer.__name__
        self.own = {key: settings.pop(key) for key in tuple(settings) if key in OWN}
        if "act_clip_init_val" in self.own:
            check_above(self.own["act_clip_init_val"], "act_clip_init_val")
        self.settings = settings
        self.quantizer: Quantizer | None = None

    def bind(self, training: Training, window: Window) -> None:
        """CompressionError without example inputs at once, and for settings that the quantizer does not take."""
        if not training.has_example and window.starts_at_once:
            raise CompressionError(f"expected example_inputs for {self.kind.__name__}, found none")
        model = bare(training.model)
        if next(model.children(), None) is None:
            raise CompressionError(
                f"expected a model of modules to put {self.kind.__name__} into, found a single {type(model).__name__}"
            )
        if not issubclass(self.kind, TrainingQuantizer) and training.calibrate is None:
            raise CompressionError(f"expected calibrate= for {self.kind.__name__}, found none")
        try:
            self.kind(model, **self.settings)  # checks settings and overrides against the model
        except TypeError as error:
            raise CompressionError(f"{self.kind.__name__}: {error}") from error

    def on_epoch_begin(self, training: Training, window: Window) -> None:  # noqa: ARG002
        """Start, at the first scheduled epoch."""
        self.start(training)

    def on_minibatch_begin(self, training: Training, window: Window) -> None:
        """Start, where the policy has steps."""
        if window.by_steps:
            self.start(training)

    def on_minibatch_end(self, training: Training, window: Window) -> None:  # noqa: ARG002
        """Overwrite parameters by their quantized values, for quantizers without float copies."""
        if self.quantizer is not None and isinstance(self.quantizer, TrainingQuantizer):
            self.quantizer.quantize_params()

    def start(self, training: Training) -> None:
        """Put the quantizer in, once."""
        if self.quantizer is not None:
            return
        model = bare(training.model)
        if model is not training.model and torch.distributed.is_available() and torch.distributed.is_initialized():
            raise CompressionError("expected to start the quantizer before the model is wrapped, found a wrapped model")
        if not training.has_example:
            raise CompressionError(f"expected example_inputs for {self.kind.__name__}, found none")
        masked = training.masks.parameters
        args, kwargs = training.example
        settings, own = self._settings(model)
        modes = {each: each.training for each in model.modules()}
        quantizer = self._quantizer(model, training.optimizer, settings)
        allowed = bool(self.own.get("allow_unprepared", True))
        quantizer.prepare_model(*args, allow_unprepared=allowed, **kwargs)
        if quantizer.model is not model:
            raise CompressionError(
                f"expected {self.kind.__name__} inside of the model, found it around the whole {type(model).__name__}, "
                "whose own parameters it quantizes: leave them out of the overrides, or put the model into a module"
            )
        for name in own:
            training.note(f"{self.name}: {name} stays in float: it belongs to no module inside of the model")
        self._set_clips(quantizer)
        if not isinstance(quantizer, TrainingQuantizer):
            quantizer.calibrate(batches_of(training.calibrate))
            for module in model.modules():
                module.training = modes.get(module, modes[model])
        self.quantizer = quantizer
        training.records.append({"kind": "quantizer", "policy": self.name})
        training.refresh()
        for sentence in quantizer.notes:
            training.note(f"{self.name}: {sentence}")
        lost = [each for each in masked if each not in training.names]
        for each in lost:
            training.masks.drop_parameter(each)
        if lost:
            training.note(
                f"{self.name}: {len(lost)} masked parameters were replaced by others, so their masks are lost"
            )
        self._note_zeros(training, quantizer)

    def state_dict(self) -> dict[str, Any]:
        """True if it has started; what it learns is in the model."""
        return {"started": self.quantizer is not None}

    def load_state_dict(self, training: Training, state: Mapping[str, Any]) -> None:
        """Start where the saved one had."""
        if state["started"]:
            self.start(training)

    def _quantizer(self, model: nn.Module, optimizer: Optimizer | None, settings: Mapping[str, Any]) -> Quantizer:
        """Of the model itself: what quantizes after training would work on a copy, which the loop does not call."""
        if issubclass(self.kind, TrainingQuantizer):
            return self.kind(model, optimizer, **settings)
        quantizer = self.kind(model, **settings)
        if isinstance(quantizer, PostTrainingQuantizer):
            quantizer.float_model, quantizer.model = quantizer.model, model.eval()
        return quantizer

    def _settings(self, model: nn.Module) -> tuple[dict[str, Any], list[str]]:
        """The quantizer's arguments, and the parameters of the model itself, which they leave in float.

        To quantize a parameter the quantizer puts a module around its owner. Where that is the model, the training
        loop would go on with the model inside. Overrides by the parameter's own name count, and end in an error.
        """
        named = {**(self.settings.get("overrides") or {}), **(self.settings.get("bits_overrides") or {})}
        found = [name for name, each in model.named_parameters(recurse=False) if each.is_floating_point()]
        own = [name for name in found if name not in named]
        floats = {re.escape(name): {"bits_weights": None} for name in own}
        return {**self.settings, "overrides": {**floats, **(self.settings.get("overrides") or {})}}, own

    def _set_clips(self, quantizer: Quantizer) -> None:
        start = self.own.get("act_clip_init_val")
        if start is None:
            return
        with torch.no_grad():
            for each in quantizer.quantizers:
                if isinstance(each, PACTActivation):
                    each.start(each.alpha.new_tensor([start]))
                    each.set_flag("started", True)  # else the first batch would set it

    def _note_zeros(self, training: Training, quantizer: Quantizer) -> None:
        """Say where a method's grid has no 0, so that masked weights are not 0 while the model runs."""
        masked = {id(each) for each in training.masks.parameters}
        for parameter, slot in quantizer.parameters_with_quantizers():
            if id(parameter) in masked and not _keeps_zero(slot, parameter):
                training.note(
                    f"{training.name(parameter)}: the grid of {self.kind.__name__} has no 0, masked weights are not 0 "
                    "while the model runs"
                )


@torch.no_grad()
def _keeps_zero(slot: TensorQuantizer, parameter: Tensor) -> bool:
    """True if a grid by formula has a 0 for a parameter's shape; ranges that start from data always have one."""
    if not getattr(slot, "by_formula", False):
        return True
    sample = torch.zeros_like(parameter)
    sample.view(-1)[::2] = 1.0
    was = slot.training
    slot.eval()
    found = slot.quantize(sample)
    slot.train(was)
    return bool((found[sample == 0] == 0).all())
