"""A pruner at its times."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvTransposeNd

from qprep.compression.collect import (
    ActivationCollector,
    GradientCollector,
    folded,
    norms_behind,
    run_calibration,
)
from qprep.compression.errors import CompressionError
from qprep.compression.masks import Share
from qprep.compression.optimizers import members_of, parameters_of
from qprep.compression.policy import Policy
from qprep.compression.pruners.pruner import Context, Pruner
from qprep.compression.pruners.rates import Ramp
from qprep.compression.ranks import from_first_rank
from qprep.compression.training import Metrics, Training
from qprep.compression.windows import Epochs, Window


class PruningPolicy(Policy):
    """Computes masks when its epochs begin, or at its steps; they hold from then on, in every later epoch too.

    levels                          replaces the `levels` of a level pruner
    keep_mask                       what is masked in forward only is masked for good after the last epoch
    mini_batch_pruning_frequency    masks are computed again every so many minibatches; 0: at epochs alone
    mask_on_forward_only            the optimizer may change what is masked; it is masked again before the model runs
    mask_gradients                  gradients of what is masked are 0; needs mask_on_forward_only
    use_double_copies               the values from before masking come back before the optimizer's step
    discard_masks_at_minibatch_end  masks hold for one minibatch
    skip_first_minibatch            masks are computed at the second minibatch, when there are gradients
    fold_batchnorm                  ranks weights with the BatchNorm behind them folded in
    rewind                          lottery tickets (Frankle et al., arXiv:1912.05671): after the last epoch all
                                    parameters get the values back that they had at the beginning of this epoch
    """

    def __init__(
        self,
        pruner: Pruner,
        *,
        levels: Mapping[str, float] | None = None,
        keep_mask: bool = False,
        mini_batch_pruning_frequency: int = 0,
        mask_on_forward_only: bool = False,
        mask_gradients: bool = False,
        use_double_copies: bool = False,
        discard_masks_at_minibatch_end: bool = False,
        skip_first_minibatch: bool = False,
        fold_batchnorm: bool = False,
        rewind: int | None = None,
        name: str = "",
    ) -> None:
        if not isinstance(pruner, Pruner):
            raise CompressionError(f"expected a pruner, found {type(pruner).__name__}")
        if mask_gradients and not mask_on_forward_only:
            raise CompressionError("expected mask_on_forward_only with mask_gradients, found mask_gradients alone")
        if mini_batch_pruning_frequency < 0:
            raise CompressionError(
                f"expected mini_batch_pruning_frequency from 0 on, found {mini_batch_pruning_frequency}"
            )
        if levels is not None:
            if not hasattr(pruner, "levels"):
                raise CompressionError(f"expected levels with a level pruner, found {type(pruner).__name__}")
            pruner.levels = pruner.weights = dict(levels)
        self.pruner = pruner
        self.name = name or type(pruner).__name__
        self.needs_example = fold_batchnorm or pruner.wants_example
        self.keep_mask, self.frequency = keep_mask, mini_batch_pruning_frequency
        self.forward = mask_on_forward_only or pruner.forward_copies
        self.gradients, self.copies = mask_gradients, use_double_copies or pruner.forward_copies
        self.discard, self.skip_first, self.fold = discard_masks_at_minibatch_end, skip_first_minibatch, fold_batchnorm
        self._activations: ActivationCollector | None = None
        self._gradients: GradientCollector | None = None
        self._norms: dict[nn.Module, _BatchNorm] | None = None
        self.rewind = rewind
        self._start: dict[str, Tensor] = {}
        self._kept = False
        self._bound = False

    @property
    def parameters(self) -> Collection[Parameter]:
        """The pruner's."""
        return self.pruner.parameters if self._bound else ()

    def bind(self, training: Training, window: Window) -> None:
        """Find and check the parameters; CompressionError if a gradual pruner has one step."""
        ramp = getattr(self.pruner, "ramp", None)
        if self.pruner.needs_steps and isinstance(ramp, Ramp) and ramp.is_gradual and window.is_single:
            raise CompressionError(
                f"expected two steps or more for {type(self.pruner).__name__}, found one: its sparsity grows from the "
                "first to the last (rate: once prunes at once)"
            )
        self._check_start(training, window)
        self._check_rewind(window)
        self.pruner.at_window(training, window)
        if self._bound:
            return
        self.pruner.bind(training)
        self._bound = True
        self._note_parameters(training)
        if self.pruner.needs_gradients:
            self._gradients = GradientCollector(self.pruner.parameters)
            training.on_change.append(self._gradients.clear)
        if self.pruner.needs_activations:
            self._collect(training, window)

    def _check_start(self, training: Training, window: Window) -> None:
        """CompressionError if the first masks come before what they are ranked by."""
        if not window.starts_at_once:
            return
        if self.fold and not training.has_example:
            raise CompressionError("expected example_inputs for fold_batchnorm from epoch 0 on, found none")
        if self.pruner.needs_gradients and not self.skip_first:
            raise CompressionError(
                f"expected gradients before the first masks of {type(self.pruner).__name__}, found a policy that "
                "starts at epoch 0: start it at 1, or give skip_first_minibatch"
            )

    def _check_rewind(self, window: Window) -> None:
        """CompressionError for an epoch after the last one of the policy."""
        if self.rewind is None:
            return
        if not isinstance(window, Epochs):
            raise CompressionError("expected a policy by whole epochs with rewind, found another")
        if not 0 <= self.rewind <= window.values[-1]:
            raise CompressionError(f"expected rewind from 0 to {window.values[-1]}, found {self.rewind}")

    def on_epoch_begin(self, training: Training, window: Window) -> None:
        """Masks for this epoch."""
        if not self.skip_first:
            self.compute(training, window)

    def on_minibatch_begin(self, training: Training, window: Window) -> None:
        """Masks at steps, or again within an epoch."""
        minibatch = training.clock.minibatch
        again = not window.by_steps and self.frequency and minibatch and minibatch % self.frequency == 0
        late = self.skip_first and not window.by_steps and minibatch == 1
        if window.acts(training.clock) or again or late:
            self.compute(training, window)

    def before_step(self, training: Training, window: Window) -> None:  # noqa: ARG002
        """Collect gradients for pruners that need them."""
        if self._gradients is not None:
            members = members_of(training.optimizer)
            others = [each for each in members if each is not training.stepping]
            self._gradients.add(frozenset().union(*map(parameters_of, others)), counts=training.stepping is members[0])
        if self.rewind is not None and training.clock.epoch == self.rewind and not self._start:
            self._start = {training.name(each): each.detach().clone() for _, each in training.names}

    def on_minibatch_end(self, training: Training, window: Window) -> None:  # noqa: ARG002
        """Masks of one minibatch go."""
        if self.discard:
            training.masks.drop(self.name)

    def on_epoch_end(self, training: Training, window: Window, metrics: Metrics | None) -> None:  # noqa: ARG002
        """After the last epoch masks in forward only become masks for good, where keep_mask says so."""
        if not window.is_last(training.clock.epoch):
            return
        if self.rewind is not None:
            self._go_back(training)
        if not self.keep_mask:
            return
        self._kept = True
        for parameter in self.pruner.parameters:
            share = training.masks.share(parameter, self.name)
            if share is not None:
                training.masks.set(parameter, self.name, Share(share.keep))

    @torch.no_grad()
    def _go_back(self, training: Training) -> None:
        """The values of the epoch to rewind to, with the masks of now; the optimizer's state stays."""
        for _, parameter in training.names:
            before = self._start.get(training.name(parameter))
            if before is None or before.shape != parameter.shape:
                raise CompressionError(
                    f"expected {training.name(parameter)} as it was in epoch {self.rewind} to rewind to, found none of "
                    "its shape"
                )
            parameter.copy_(before)
        training.masks.apply()
        training.note(f"{self.name}: parameters went back to epoch {self.rewind} after epoch {training.clock.epoch}")

    @torch.no_grad()
    def compute(self, training: Training, window: Window) -> None:
        """Compute and set the masks of now, the same on every rank."""
        training.masks.leave_forward()
        self.pruner.at_window(training, window)
        present = [each for each in self.pruner.parameters if each in training.names and not each.is_meta]
        contexts = {each: self._context(training, window, each) for each in present}
        found = self.pruner.masks(contexts)
        for parameter, keep in found.items():
            shared = from_first_rank(keep.to(torch.bool))
            forward = self.forward and not self._kept
            share = Share(
                shared,
                forward,
                forward and self.copies,
                forward and self.gradients,
                self.pruner.scale if forward else 1.0,
            )
            training.masks.set(parameter, self.name, share)
            if parameter.dim() > 1 and not forward and not bool(shared.any()):
                training.note(
                    f"{self.name}: {training.name(parameter)} is masked as a whole; its layer returns a constant"
                )
        training.masks.apply()
        for collector in (self._activations, self._gradients):
            if collector is not None:
                collector.clear()

    def state_dict(self) -> dict[str, Any]:
        """The pruner's own, and what is collected for it."""
        return {"pruner": self.pruner.state_dict(), "kept": self._kept, "start": dict(self._start), **self._collected()}

    def load_state_dict(self, training: Training, state: Mapping[str, Any]) -> None:
        """See `state_dict`."""
        self.pruner.load_state_dict(state["pruner"], training.names)
        self._kept, self._start = state["kept"], dict(state["start"])
        if self._gradients is not None and "gradients" in state:
            named = {training.name(each): each for each in self.pruner.parameters}
            self._gradients.load_state_dict(state["gradients"], named)
        if self._activations is not None and "activations" in state:
            self._activations.load_state_dict(state["activations"], dict(training.model.named_modules()))

    def close(self) -> None:
        """Take the collector's hooks off."""
        if self._activations is not None:
            self._activations.close()

    def _collected(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self._gradients is not None:
            names = {each: self._training_names.of(each) for each in self.pruner.parameters}
            found["gradients"] = self._gradients.state_dict(names)
        if self._activations is not None:
            modules = {module: name for name, module in self._model.named_modules()}
            found["activations"] = self._activations.state_dict(modules)
        return found

    def _context(self, training: Training, window: Window, parameter: Parameter) -> Context:
        clock = training.clock
        return Context(
            training.name(parameter),
            clock.epoch,
            clock.step,
            window.progress(clock),
            training.model,
            training.generator,
            self._values(training, parameter),
            None if self._gradients is None else self._gradients.of(parameter),
            None if self._activations is None else self._activations.of(parameter),
            training.masks.of(parameter),
            self._held(training, parameter),
        )

    def _held(self, training: Training, parameter: Parameter) -> Tensor | None:
        share = training.masks.share(parameter, self.name)
        return None if share is None or share.forward else share.keep

    def _values(self, training: Training, parameter: Parameter) -> Tensor:
        if not self.fold:
            return parameter.detach()
        if not training.has_example:
            raise CompressionError(
                "expected example_inputs for fold_batchnorm, found none and no run of the model before"
            )
        if self._norms is None:
            self._norms = norms_behind(training.model, training.example)
        module = training.module_of(parameter)
        norm = None if module is None else self._norms.get(module)
        filters = 1 if isinstance(module, _ConvTransposeNd) else 0
        if norm is None or parameter.dim() < 2 or norm.num_features != parameter.shape[filters]:
            training.note(
                f"{training.name(parameter)}: there is no BatchNorm behind it; it is ranked by its own weights"
            )
            return parameter.detach()
        return folded(parameter.detach(), norm, filters)

    def _collect(self, training: Training, window: Window) -> None:
        layers = {each: training.module_of(each) for each in self.pruner.parameters}
        known = {each: layer for each, layer in layers.items() if layer is not None}
        self._model, self._activations = training.model, ActivationCollector(training.model, known)
        training.on_change.append(self._activations.clear)
        if training.calibrate is None:
            if window.starts_at_once and not self.skip_first:
                raise CompressionError(
                    f"expected outputs of the layers before the first masks of {type(self.pruner).__name__}, found a "
                    "policy that starts at epoch 0: start it at 1, or give calibrate="
                )
            return
        self._activations.in_evaluation = True
        run_calibration(training.model, training.example[0], training.calibrate)
        self._activations.in_evaluation = False

    def _note_parameters(self, training: Training) -> None:
        self._training_names, self._model = training.names, training.model
        held = None if training.optimizer is None else parameters_of(training.optimizer)
        for each in self.pruner.parameters:
            name = training.name(each)
            if each.is_meta:
                raise CompressionError(f"expected weights with data, found {name} on the meta device")
            others = training.names.all_of(each)
            if len(others) > 1:
                training.note(f"{name}: masked once, it is tied to {', '.join(others[1:])}")
            if not each.requires_grad:
                training.note(f"{name}: masked, although it does not require gradients")
            elif held is not None and each not in held:
                training.note(f"{name}: masked, although the optimizer does not contain it")
            if each.dtype in (torch.float16, torch.bfloat16):
                training.note(
                    f"{name}: is held in {str(each.dtype).removeprefix('torch.')}; small updates may be rounded away"
                )
