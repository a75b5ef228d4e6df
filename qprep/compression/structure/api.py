"""`groups`, `thin` and `macs`: what the package offers."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from qprep.compression.structure.gate import ModelArguments
from qprep.compression.structure.model import Groups, Product
from qprep.compression.structure.record import Record, applied, is_record
from qprep.compression.structure.running import arguments, plain
from qprep.compression.structure.structure_errors import StructureError
from qprep.compression.structure.thinning import thinned
from qprep.compression.structure.trace import counted, traced
from qprep.compression.structure.verify import verified
from qprep.quantizer.batches import check_inputs

Inputs = Tensor | Sequence[Any] | Mapping[str, Any]  # one input, the positional ones, or those by keyword


def groups(model: nn.Module, *example_inputs: Any, verify: bool = True) -> Groups:
    """The channels of `model` that can be removed together, found by one run on `example_inputs`.

    A single mapping holds keyword arguments, a sequence and a mapping those by position and by keyword. The model runs
    in evaluation mode and is left as it was. With `verify`, one group of each family is removed on trial: a family that
    does not survive this (a width is a constant of the source) is frozen with a note.

    Raises StructureError if the model does not run, or is wrapped for distributed training.
    """
    return _groups(model, _arguments(example_inputs), verify=verify)


def thin(
    model: nn.Module,
    example_inputs: Inputs | Record,
    *,
    optimizer: torch.optim.Optimizer | Sequence[torch.optim.Optimizer] | None = None,
    masks: MutableMapping[nn.Parameter, Tensor] | None = None,
    found: Groups | None = None,
    fold_constants: bool = False,
    must: Mapping[nn.Parameter, Tensor] | None = None,
) -> Record:
    """Remove the channels of `model` that are masked, and return the record of what was removed.

    A channel goes where all weights that compute it are 0 under `masks` (by parameter; without masks: as they are).
    The masked and the thin model run on the example inputs first, with twice the batch as well where the model takes
    it: where they differ by more than 1e-5 of the largest output, nothing changes and ThinningError names the first
    module that differs. Parameters and buffers keep their identity (`data` is replaced), gradients are dropped, `masks`
    and the state of `optimizer`, or of several, are cut alike. What was masked and had to stay is in record["notes"]. A
    record in place of example inputs is applied to a fresh model without a run, so that it loads the thin model's
    state_dict.

    found           what `groups` returned for this model as it is now, to save its run
    fold_constants  whether channels whose masks leave a constant (a filter of 0 before a BatchNorm) go too: the biases
                    of the layers that read them, or the running means behind these, take what the constant adds
    must            masks, by parameter, of what has to go; other masked channels go where the output allows it, and one
                    of a layer stays, each with a note. Without it, all that is masked goes, or nothing
    """
    inner = plain(model)
    if is_record(example_inputs):
        if optimizer or masks is not None:
            raise StructureError("expected a record for a fresh model without optimizer and masks, found one of them")
        record: Record = dict(example_inputs)
        applied(inner, record)
        return record
    given = ModelArguments(*arguments(example_inputs))
    if found is None:
        found = _groups(inner, given, verify=False)
    elif found.model is not inner:
        raise StructureError("expected the groups of this model, found those of another")
    optimizers = [optimizer] if isinstance(optimizer, torch.optim.Optimizer) else list(optimizer or ())
    return thinned(found, given, optimizers, masks, fold_constants=fold_constants, must=must)


def macs(model: nn.Module, *example_inputs: Any) -> int:
    """Multiply-accumulates of one run: convolutions, linear layers and products of matrices.

    A layer with a weight has volume of its output · elements of one filter, as Distiller counts them.
    """
    return sum(each.macs for each in products(model, *example_inputs))


def products(model: nn.Module, *example_inputs: Any) -> tuple[Product, ...]:
    """The layers of one run with their multiply-accumulates, call by call."""
    given, inner = _arguments(example_inputs), plain(model)
    check_inputs(inner, given.args, given.kwargs)
    return counted(inner, given.args, given.kwargs)


def _groups(model: nn.Module, given: ModelArguments, *, verify: bool) -> Groups:
    inner = plain(model)
    check_inputs(inner, given.args, given.kwargs)
    found = traced(inner, given.args, given.kwargs)
    return verified(found, given) if verify else found


def _arguments(example_inputs: Sequence[Any]) -> ModelArguments:
    if len(example_inputs) == 1 and isinstance(example_inputs[0], Mapping):
        return ModelArguments(*arguments(example_inputs[0]))
    return ModelArguments(*arguments(example_inputs))
