"""Removal of masked channels at its time."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import distributed as dist

from qprep.compression.coverage import bare
from qprep.compression.errors import CompressionError
from qprep.compression.masks import Masks
from qprep.compression.policy import Policy
from qprep.compression.registry import register
from qprep.compression.structure import Record, thin
from qprep.compression.training import Training
from qprep.compression.windows import Window


@register("StructureRemover")
class ThinningPolicy(Policy):
    """Removes channels whose weights are all masked, at the first minibatch of its epochs; see `thin`.

    `thinning_func_str`, `arch` and `dataset` are Distiller's and not needed: the model runs on the example inputs.
    """

    needs_example: ClassVar[bool] = True

    def __init__(self, thinning_func_str: str = "", arch: str = "", dataset: str = "") -> None:
        self.given = (thinning_func_str, arch, dataset)
        self.name = "StructureRemover"

    def bind(self, training: Training, window: Window) -> None:  # noqa: ARG002
        """CompressionError without example inputs."""
        if not training.has_example:
            raise CompressionError("expected example_inputs to remove channels, found none")

    def on_minibatch_begin(self, training: Training, window: Window) -> None:
        """Thin, once in an epoch."""
        if window.acts(training.clock) or (not window.by_steps and training.clock.minibatch == 0):
            thin_in_training(training)


for _name in ("FilterRemover", "ChannelRemover"):
    register(_name)(ThinningPolicy)


def thin_in_training(training: Training) -> None:
    """Thin the model, the optimizer and the masks; a note where nothing could be removed."""
    model = bare(training.model)
    if model is not training.model and dist.is_available() and dist.is_initialized():
        raise CompressionError("expected to remove channels before the model is wrapped for DDP, found a wrapped model")
    masks = training.masks
    held = {each: mask for each in masks.parameters if (mask := masks.always(each)) is not None}
    if not held:
        training.note("nothing was removed: no channel is masked")
        return
    before = {each: tuple(each.shape) for each in masks.parameters}
    args, kwargs = training.example
    record = thin(model, args if args else kwargs, optimizer=training.optimizer, masks=held)
    adopt(training, record, before, held)


def adopt(training: Training, record: Record, before: dict[Any, tuple[int, ...]], held: dict[Any, Any]) -> None:
    """Take masks of the new shapes, keep the record, read the names anew."""
    changed = [each for each, shape in before.items() if tuple(each.shape) != shape]
    cut_masks(training.masks, changed, held)
    for sentence in record.get("notes", ()):
        training.note(str(sentence))
    if _is_empty(record):
        training.note("nothing was removed: no channel of a removable group is masked as a whole")
    else:
        training.records.append({"kind": "thinning", "record": record})
    training.refresh()


def cut_masks(masks: Masks, changed: list[Any], held: dict[Any, Any]) -> None:
    """Masks of parameters whose shape has changed: all policies' shares become what thinning left of them together."""
    for parameter in changed:
        masks.cut(parameter, held.get(parameter))


def _is_empty(record: Record) -> bool:
    return not any(value for key, value in record.items() if key != "notes" and isinstance(value, (dict, list)))
