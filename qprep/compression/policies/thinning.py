"""Removal of masked channels at its time."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch import distributed as dist
from torch.nn import Parameter

from qprep.compression.coverage import bare
from qprep.compression.errors import CompressionError
from qprep.compression.optimizers import members_of, parameters_of
from qprep.compression.policy import Policy
from qprep.compression.registry import register
from qprep.compression.structure import Record, thin
from qprep.compression.training import Training
from qprep.compression.windows import Window


@register("StructureRemover")
class ThinningPolicy(Policy):
    """Removes channels whose weights are all masked, at the first minibatch of its epochs; see `thin`.

    Channels that the threshold of a regularizer has set to 0, in the epochs of that regularizer, count as masked. A
    channel whose weights are 0 because single weights were pruned goes if that changes no output; otherwise it stays,
    with a note. One channel of a layer always stays.

    `thinning_func_str`, `arch` and `dataset` are Distiller's and not needed: the model runs on the example inputs.
    `fold_constants` as in `thin`: for masks of filters that leave the BatchNorm behind them.
    """

    is_structural: ClassVar[bool] = True
    needs_example = True

    def __init__(
        self, thinning_func_str: str = "", arch: str = "", dataset: str = "", *, fold_constants: bool = False
    ) -> None:
        self.given = (thinning_func_str, arch, dataset)
        self.fold_constants = fold_constants
        self.name = "StructureRemover"

    def on_minibatch_begin(self, training: Training, window: Window) -> None:
        """Thin, once in an epoch."""
        if window.acts(training.clock) or (not window.by_steps and training.clock.minibatch == 0):
            thin_in_training(training, fold_constants=self.fold_constants)


for _name in ("FilterRemover", "ChannelRemover"):
    register(_name)(ThinningPolicy)


def thin_in_training(training: Training, *, fold_constants: bool = False) -> None:
    """Thin the model, the optimizer and the masks; a note where nothing could be removed."""
    model = bare(training.model)
    if model is not training.model and dist.is_available() and dist.is_initialized():
        raise CompressionError("expected to remove channels before the model is wrapped for DDP, found a wrapped model")
    if not training.has_example:
        raise CompressionError("expected example_inputs to remove channels, found none and no run of the model before")
    held = _held(training)
    if not held:
        training.note("nothing was removed: no channel is masked")
        return
    optimizers = members_of(training.optimizer)
    record = thin(
        *(model, training.example),
        optimizer=optimizers,
        masks=held,
        fold_constants=fold_constants,
        must=_structural(training),
    )
    _note_foreign(training, record)
    adopt(training, record)


def _held(training: Training) -> dict[Parameter, Tensor]:
    """Masks of now, with those of what policies have set to 0 without one."""
    masks = training.masks
    found = {each: mask for each in masks.parameters if (mask := masks.always(each)) is not None}
    for zeros in training.unmasked_zeros:
        for parameter, mask in zeros().items():
            found[parameter] = found[parameter] & mask if parameter in found else mask
    return found


def _structural(training: Training) -> dict[Parameter, Tensor]:
    """Masks of now by policies that mask whole rows of a weight along a dimension, some of them and not all."""
    found: dict[Parameter, Tensor] = {}
    for each in training.masks.parameters:
        for mask in (share.keep for share in training.masks.shares(each) if not share.forward):
            if _is_of_rows(mask):
                found[each] = found[each] & mask if each in found else mask
    for zeros in training.unmasked_zeros:
        for each, mask in zeros().items():
            if _is_of_rows(mask):
                found[each] = found[each] & mask if each in found else mask
    return found


def _is_of_rows(mask: Tensor) -> bool:
    """True if `mask` keeps some rows along a dimension as a whole and removes the others as a whole."""
    for dim in range(mask.dim()):
        rows = mask.movedim(dim, 0).flatten(1) if mask.dim() > 1 else mask.unsqueeze(1)
        if bool(mask.any()) and torch.equal(rows.any(1), rows.all(1)):
            return True
    return False


def _note_foreign(training: Training, record: Record) -> None:
    """Name what was cut and is trained by another optimizer: its state of it is not cut, and torch fails on it."""
    if training.optimizer is None:
        return
    known = parameters_of(training.optimizer)
    cut = {each for name in record["tensors"] for each in training.names.find(name)}
    foreign = [training.name(each) for each in cut if each.requires_grad and each not in known]
    if foreign:
        training.note(
            f"{', '.join(sorted(foreign))}: channels were removed, but the scheduler's optimizer does not have it: "
            "pass all optimizers in a list"
        )


def adopt(training: Training, record: Record) -> None:
    """Cut the masks as the model was cut, keep the record, read the names anew."""
    for name, entry in record["tensors"].items():
        for parameter in training.names.find(name):
            kept = [(dim, torch.tensor(positions)) for dim, positions in entry["kept"]]
            training.masks.cut(parameter, kept)
    for sentence in record["notes"]:
        training.note(str(sentence))
    if record["tensors"]:
        training.records.append({"kind": "thinning", "record": record})
        training.refresh()
    else:
        training.note("nothing was removed: no channel of a removable group is masked as a whole")
