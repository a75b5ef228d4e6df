"""Knowledge distillation (Hinton et al., arXiv:1503.02531), without a changed call of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from qprep.compression.errors import CompressionError
from qprep.compression.policy import Policy
from qprep.compression.pruners.pruner import check_at_least
from qprep.compression.registry import register
from qprep.compression.training import Training
from qprep.compression.windows import Window
from qprep.quantizer.graph.tensor_leaves import tensors_in


class Distiller(Policy):
    """The base of policies that compare the model's output with a teacher's."""

    adds_loss: ClassVar[bool] = True


@register
class KnowledgeDistillation(Distiller):
    """loss = student · loss + distill · T² · KL(teacher / T, student / T), of the last run that trains.

    The model's inputs and output are taken by a hook; the teacher runs on the same inputs, in evaluation mode.
    `student` and `distill` are Distiller's weights; its `teacher` weight (of the teacher's loss) is an error, as there.
    """

    def __init__(
        self, temperature: float = 1.0, distill: float = 0.5, student: float = 0.5, teacher: float = 0.0
    ) -> None:
        check_at_least(temperature, "temperature")
        if temperature == 0:
            raise CompressionError("expected temperature above 0, found 0")
        if teacher != 0:
            raise CompressionError(f"expected teacher: 0, the teacher has no separate loss here, found {teacher!r}")
        self.temperature = float(temperature)
        self.distill, self.student = check_at_least(distill, "distill"), check_at_least(student, "student")
        self.name = "KnowledgeDistillation"
        self._seen: tuple[tuple[Any, ...], dict[str, Any], object] | None = None
        self._handle: Any = None

    def bind(self, training: Training, window: Window) -> None:  # noqa: ARG002
        """Take the teacher, and watch the model; CompressionError without a teacher."""
        if training.teacher is None:
            raise CompressionError("expected a teacher to distil from, found none: give teacher=")
        if any(each is training.model for each in training.teacher.modules()):
            raise CompressionError("expected another model as teacher, found the model in training")
        mine = {id(each): name for name, each in training.names if each.requires_grad}
        shared = next((mine[id(each)] for each in training.teacher.parameters() if id(each) in mine), None)
        if shared is not None:
            raise CompressionError(
                f"expected a teacher with parameters of its own, found {shared} of the model in training: copy it"
            )
        if self._handle is None:
            for each in training.teacher.parameters():
                each.requires_grad_(False)
            self._handle = training.model.register_forward_hook(self._watch, with_kwargs=True)

    def before_backward(self, training: Training, window: Window, loss: Tensor) -> tuple[Tensor, Tensor | None]:  # noqa: ARG002
        """The loss with the distillation loss, and that part; CompressionError without a run in training mode."""
        if self._seen is None or training.teacher is None:
            raise CompressionError(
                "expected a run of the model in training mode before before_backward_pass, found none to distil"
            )
        (args, kwargs, output), self._seen = self._seen, None
        with torch.no_grad():
            target = logits(training.teacher.eval()(*args, **kwargs), "teacher")
        mine = logits(output, "model")
        if mine.shape != target.shape:
            raise CompressionError(
                f"expected outputs of equal shapes from model and teacher, found {tuple(mine.shape)} and "
                f"{tuple(target.shape)}"
            )
        part = self.distill * self.divergence(mine, target)
        return self.student * loss + part, part

    def divergence(self, output: Tensor, target: Tensor) -> Tensor:
        """T² · KL of class distributions of (…, classes), the mean over all but the last dimension."""
        rows = output.flatten(0, -2), target.flatten(0, -2)
        mine, theirs = (torch.log_softmax(each.float() / self.temperature, dim=-1) for each in rows)
        return nn.functional.kl_div(mine, theirs, reduction="batchmean", log_target=True) * self.temperature**2

    def close(self) -> None:
        """Take the hook off."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _watch(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: object) -> None:
        if module.training and torch.is_grad_enabled():  # not a look at the model between its run and the loss
            self._seen = (args, kwargs, output)


def logits(output: object, whose: str) -> Tensor:
    """The class scores in what a model returns: `logits` of it, or its first tensor; CompressionError without any."""
    if isinstance(output, Mapping) and isinstance(output.get("logits"), Tensor):
        found: Tensor = output["logits"]
        return found
    named = getattr(output, "logits", None)
    if isinstance(named, Tensor):
        return named
    for tensor in tensors_in(output):
        if tensor.is_floating_point():
            return tensor
    raise CompressionError(f"expected a tensor from the {whose} to distil, found {type(output).__name__}")
