"""Channels that are masked together: structure masks over whole groups, not over one weight of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from qprep.compression.structure import Family, Groups, groups
from qprep.compression.training import Training


@dataclass(frozen=True, slots=True)
class FamilyDimension:
    """A dimension of a parameter in a family: the positions along it that belong to each group (groups, positions)."""

    parameter: Parameter
    family: Family
    index: Tensor


class Coverage:
    """The groups of the model in training, found again after its structure has changed."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._found: Groups | None = None
        training.on_change.append(self.forget)

    def forget(self) -> None:
        """Find the groups anew at the next question."""
        self._found = None

    @property
    def groups(self) -> Groups | None:
        """The groups of channels; None without example inputs."""
        if self._found is None and self._training.has_example:
            args, kwargs = self._training.example
            self._found = groups(bare(self._training.model), args, kwargs)
        return self._found

    def parts(self, parameter: Parameter, dim: int) -> list[FamilyDimension]:
        """The families that this dimension is in; empty where its channels cannot be removed."""
        found = self.groups
        if found is None:
            return []
        names = [name for name, each in _tensors(found.model).items() if each is parameter]
        return [
            FamilyDimension(parameter, family, index) for name in names for family, index in found.rows_of(name, dim)
        ]

    def makers(self, family: Family) -> list[Parameter]:
        """The weights that compute the channels of a family, without those that carry them on, channel by channel."""
        made = [slot for slot in family.slots if slot.makes]
        return self._of(slot.tensor for slot in [each for each in made if not each.carries] or made)

    def readers(self, family: Family) -> list[Parameter]:
        """The weights that read them."""
        return self._of(slot.tensor for slot in family.slots if not slot.masked)

    def masks(self, family: Family, gone: Iterable[int]) -> dict[Parameter, Tensor]:
        """Masks of every parameter that computes a group of `gone`: booleans of their shapes."""
        found = self.groups
        assert found is not None  # noqa: S101  (there is a family)
        tensors = _tensors(found.model)
        return {tensors[name]: mask for name, mask in found.masks({family.name: list(gone)}).items()}

    def with_channels(
        self, keeps: Mapping[Parameter, Tensor], dims: Callable[[Parameter], Iterable[int]]
    ) -> dict[Parameter, Tensor]:
        """`keeps`, booleans of each parameter's shape, and masks of the channels that are of no use because of them.

        A channel is of no use if `keeps` has nothing for it in all weights that compute it, or in all that read it, or
        in the scale of a norm behind the only weight that computes it. Its mask covers all parameters that compute it.

        dims  the dimensions of a parameter that its groups are along
        """
        found = dict(keeps)
        for parameter in keeps:
            for dim in dims(parameter):
                for part in self.parts(parameter, dim):
                    gone = self._useless(part, dim, keeps).nonzero().flatten().tolist()
                    for each, mask in self.masks(part.family, gone).items() if gone else ():
                        mine = mask.to(each.device)
                        found[each] = found[each] & mine if each in found else mine
        return found

    def _useless(self, part: FamilyDimension, dim: int, keeps: Mapping[Parameter, Tensor]) -> Tensor:
        """(groups,): see `with_channels`."""
        gone = _nothing(part, dim, keeps[part.parameter])
        computing, reading = set(self.makers(part.family)), set(self.readers(part.family))
        if part.parameter.dim() == 1:
            return gone & (len(computing) == 1)
        for peer in (reading if part.parameter in reading else computing) - {part.parameter}:
            parts = [each for each in self.parts(peer, dim) if each.family.name == part.family.name]
            if peer not in keeps or not parts:
                return torch.zeros_like(gone)
            for each in parts:
                gone &= _nothing(each, dim, keeps[peer])
        return gone

    def _of(self, names: Iterable[str]) -> list[Parameter]:
        found = self.groups
        assert found is not None  # noqa: S101  (there is a family)
        tensors = _tensors(found.model)
        return list(dict.fromkeys(tensors[name] for name in names if name in tensors))


def _nothing(part: FamilyDimension, dim: int, keep: Tensor) -> Tensor:
    """(groups,): True where `keep`, booleans of a parameter, has nothing at the positions of a group."""
    gone = ~keep.movedim(dim, 0).flatten(1).any(1) if keep.dim() > 1 else ~keep
    return gone.cpu()[part.index].reshape(part.family.size, -1).all(1)


def _tensors(model: nn.Module) -> dict[str, Parameter]:
    return dict(model.named_parameters(remove_duplicate=False))


def bare(model: nn.Module) -> nn.Module:
    """The model inside of DistributedDataParallel, DataParallel and torch.compile."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def mean_scores(part: FamilyDimension, scores: Tensor) -> Tensor:
    """Of scores along a dimension, (size,), the mean of each group of the part's family, (groups,)."""
    return scores[part.index.to(scores.device)].reshape(part.family.size, -1).mean(1)


def spread_keep(part: FamilyDimension, keep: Tensor, size: int) -> Tensor:
    """Booleans by position along the dimension, (size,), from those by group, (groups,); True outside the family."""
    wide = torch.ones(size, dtype=torch.bool, device=keep.device)
    gone = part.index.to(keep.device)[~keep].reshape(-1)
    wide[gone] = False
    return wide
