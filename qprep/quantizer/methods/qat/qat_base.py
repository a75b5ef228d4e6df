"""The base of quantization-aware training: methods that change the model in place and train float copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.optim import Optimizer

from qprep.foundation.errors import QprepError
from qprep.quantizer.batches import batches_of
from qprep.quantizer.config.config_settings import Bits
from qprep.quantizer.example_runs import evaluating, example_of
from qprep.quantizer.formats.spec import Spec
from qprep.quantizer.formats.tensor_quantizers import TensorQuantizer
from qprep.quantizer.graph import bias_rounding
from qprep.quantizer.graph.bias_rounding import BiasedLayer
from qprep.quantizer.graph.graph_passes import Passes, default_passes
from qprep.quantizer.graph.model_copies import copy_of
from qprep.quantizer.graph.pattern import Pattern
from qprep.quantizer.graph.quantization_graph import Graph
from qprep.quantizer.graph.tensor_leaves import tensors_in
from qprep.quantizer.methods.batchnorm_folding import makes_channels
from qprep.quantizer.methods.qat.qat_folding import Fold, find_folds, install
from qprep.quantizer.quantizer_base import Quantizer

_LAYERS = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def in_backward() -> bool:
    """True if this forward is run again by a backward, as gradient checkpointing does: what it sees is not new."""
    if torch.compiler.is_compiling():
        return False
    return torch._C._current_graph_task_id() != -1  # noqa: SLF001  (torch.utils.checkpoint reads the same)


class _AtLeast(Function):
    """max(x, least), straight-through: a number below is pulled back by the gradient that it would have at `least`."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, least: Tensor) -> Tensor:  # noqa: ANN401, ARG004
        return torch.maximum(input, least)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401, ARG004
        return grads[0], None


def at_least(input: Tensor, least: Tensor) -> Tensor:
    """max(input, least), with the gradient of `input` in either case."""
    found: Tensor = _AtLeast.apply(input, least)  # type: ignore[no-untyped-call]
    return found


class LearningQuantizer(TensorQuantizer):
    """A quantizer that takes its first range from the first tensor that it sees, and learns or tracks it from there.

    Before that, in evaluation too, tensors pass in float. `prime` gives its buffers and parameters plausible values
    without starting it: an average that begins before the first batch then averages nothing meaningless.
    """

    by_formula = False  # whether there is no range to start

    def __init__(self, name: str, spec: Spec) -> None:
        super().__init__(name, spec, started=self.by_formula or spec.is_float)
        self.priming = False
        self.tracks = True  # whether forwards in training move a range on

    def start(self, input: Tensor) -> None:
        """Take the first range from `input`."""

    def settle(self) -> None:
        """Bring what is trained back to where it has a meaning, such as a step above zero."""

    def learned(self, input: Tensor) -> Tensor:
        """`input` quantized, with the method's gradient."""
        raise NotImplementedError

    def quantize(self, input: Tensor) -> Tensor:
        """`input` on the grid; the first in training starts the range."""
        if self.spec.is_float:
            return super().quantize(input)
        if self.priming:
            self.prime(input)
            return input
        if not self.training and torch.compiler.is_compiling():  # a graph cannot branch on a buffer
            return torch.where(self.started != 0, self.learned(input), input)
        if not self.flag("started"):
            if not self.training:
                return input
            self._begin(input)
        if self.training and not torch.compiler.is_compiling():
            self.settle()
        return self.learned(input)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _begin(self, input: Tensor) -> None:
        with torch.no_grad():  # nothing for a backward: gradient checkpointing counts what a forward keeps for it
            if not bool(torch.isfinite(input).all()):
                raise QprepError(f"expected finite values to start a range from, found NaN or infinity, at {self.name}")
            self.start(input.detach())
        self.set_flag("started", True)

    def prime(self, input: Tensor) -> None:
        """Take plausible values from an example input, without starting."""
        if not self.flag("started") and bool(torch.isfinite(input).all()):
            self.start(input.detach())


class TrainingQuantizer(Quantizer):
    """`Method(model, optimizer, …).prepare_model(x)`, then train as before; `convert` gives the final model.

    teacher          a float model whose outputs `distillation_loss` compares with
    fold_batch_norm  whether layers are quantized with BatchNorm folded into them, see `freeze_batch_norm`; without,
                     BatchNorm works on the layers' unquantized sums, which is the same where channels have scales
    """

    is_trained = True
    quantizes_vectors = False  # the formulas are for weights that are summed over
    unread: ClassVar[tuple[str, ...]] = (
        "estimator_activations",
        "estimator_weights",
    )  # ranges are learned, or those of the moment

    def __init__(  # noqa: PLR0917  (the base's order)
        self,
        model: nn.Module,
        optimizer: Optimizer | None = None,
        bits_activations: Bits = 8,
        bits_weights: Bits = 8,
        bits_bias: Bits = None,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
        train_with_fp_copy: bool = True,
        teacher: nn.Module | None = None,
        fold_batch_norm: bool = False,
        **defaults: Any,
    ) -> None:
        if not train_with_fp_copy:
            raise QprepError(f"{type(self).__name__} trains copies in float: expected train_with_fp_copy=True")
        given = (bits_activations, bits_weights, bits_bias, overrides)
        super().__init__(model, optimizer, *given, train_with_fp_copy=True, **defaults)
        self.teacher = None if teacher is None else teacher.eval()
        self.fold_batch_norm = fold_batch_norm
        self._folds: list[Fold] = []
        self._folded: list[BiasedLayer] = []

    def default_passes(self) -> Passes:
        """The passes without BatchNorm folding: BatchNorm is trained, and becomes part of the scales afterwards."""
        passes = default_passes()
        passes.replace("fold-batch-norm", lambda _: None)
        passes.insert_after("plan-activations", "fuse-batch-norm", fuse_batch_norm)
        return passes

    def _finish_preparing(self) -> None:
        """BatchNorm is folded if that is set; then as in the base, and first values are taken."""
        if self.fold_batch_norm:
            folds = [install(self.model, layer, norm) for layer, norm in find_folds(self.graph)]
            self._folds = [each for each in folds if each is not None]
        folded = {each.parameter for each in self._folds}
        layers = bias_rounding.biased_layers(self.graph)
        bias_rounding.install(layers, self.model, folded)
        self._folded = [each for each in layers if each.weight in folded]
        self._prime()

    def _prime(self) -> None:
        """Run the example inputs once, in evaluation mode, to give buffers and parameters their first values."""
        learners = [each for each in self.quantizers if isinstance(each, LearningQuantizer)]
        for each in learners:
            each.priming = True
        try:
            with evaluating(self.model), torch.no_grad():
                args, kwargs = example_of(self.model, self.example)
                self.model(*args, **kwargs)
        finally:
            for each in learners:
                each.priming = False

    def freeze_batch_norm(self) -> None:
        """Make folded layers use the running statistics in training, too, and stop updating them.

        Raises QprepError if nothing was folded.
        """
        if not self._folds:
            raise QprepError("expected fold_batch_norm=True and a BatchNorm behind a layer, found nothing folded")
        for fold in self._folds:
            fold.hooks.frozen = True

    def values_of(self, parameter: Tensor) -> Tensor:
        """Return the input of the parameter's quantizer, with BatchNorm folded into it."""
        fold = next((each for each in self._folds if each.parameter is parameter), None)
        return parameter if fold is None else fold.scaled.folded(parameter)

    def calibrate(self, loader: Iterable[object]) -> None:
        """Start all ranges from data instead of from the first training batch; no parameter changes."""
        learners = [each for each in self.quantizers if isinstance(each, LearningQuantizer)]
        modes = {module: module.training for module in self.graph.model.modules()}
        self.model.eval()
        for each in learners:
            each.training, each.tracks = True, False
        try:
            with torch.no_grad():
                batches = sum(1 for batch in batches_of(loader) if _is_finite(self.call(batch)))
        finally:
            for module, mode in modes.items():
                module.training = mode
            for each in learners:
                each.tracks = True
        if batches == 0:
            raise QprepError("expected data to calibrate with, found an empty loader")

    def distillation_loss(
        self, output: Tensor, *inputs: object, temperature: float = 1.0, **kwinputs: object
    ) -> Tensor:
        """KL divergence from the teacher's class distribution, times temperature² (Hinton et al., arXiv:1503.02531).

        `output` has the shape (B, classes). Raises QprepError without a teacher.
        """
        if self.teacher is None:
            raise QprepError("expected a teacher to distil from, found none: pass teacher=")
        with torch.no_grad():
            target = self.teacher(*inputs, **kwinputs)
        mine, theirs = (torch.log_softmax(each / temperature, dim=-1) for each in (output, target))
        return nn.functional.kl_div(mine, theirs, reduction="batchmean", log_target=True) * temperature**2

    def check_calibrated(self, before: str) -> None:
        """Raise QprepError if no range has started; `notes` lists those that have not."""
        learners = [each for each in self.quantizers if isinstance(each, LearningQuantizer) and not each.by_formula]
        waiting = [each for each in learners if not each.flag("started") and not each.spec.is_float]
        if waiting and len(waiting) == len(learners):
            raise QprepError(
                f"expected a training step or calibrate before {before}, found ranges that have not started"
            )
        found = [f"{each.name}: did not run in training; it stays in float" for each in waiting]
        self.notes += [note for note in found if note not in self.notes]

    def _converted(self) -> nn.Module:
        """A copy with rounded parameters and fixed ranges."""
        for each in self.quantizers:
            if isinstance(each, LearningQuantizer):
                each.settle()
        pairs = list(self.parameters_with_quantizers())
        model, copied, folds, layers = copy_of((self.model, pairs, self._folds, self._folded), self.model)
        model.eval()
        for fold in folds:
            fold.finish(model)
        with torch.no_grad():
            for parameter, quantizer in copied:
                quantizer.eval()
                if quantizer.is_active:
                    parameter.copy_(quantizer.quantize(parameter))
                    quantizer.set_flag("finished", True)
        for layer in layers:
            bias_rounding.finish_folded(layer)
        bias_rounding.finish(model)
        return model


def _is_finite(output: object) -> bool:
    """True; QprepError for NaN and infinity."""
    if not all(bool(torch.isfinite(each).all()) for each in tensors_in(output)):
        raise QprepError("expected finite values to calibrate with, found NaN or infinity at the model's output")
    return True


def fuse_batch_norm(graph: Graph) -> None:
    """Nothing is quantized between a layer and the BatchNorm behind it: they are one operation in the end."""
    for layer, _ in Pattern(_LAYERS, "batch_norm").match(graph):
        if makes_channels(layer):
            layer.outputs[0].spec = None
