"""Group lasso over what belongs to a channel: the γ of every BatchNorm of a group, or the weights that compute it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.modules.batchnorm import _BatchNorm

from qprep.compression.coverage import Coverage, bare
from qprep.compression.errors import CompressionError
from qprep.compression.pruners.layouts import Layout
from qprep.compression.pruners.pruner import check_at_least
from qprep.compression.registry import register
from qprep.compression.regularizers import Regularizer
from qprep.compression.structure import Family
from qprep.compression.training import Training


@dataclass(frozen=True, slots=True)
class _Member:
    """A tensor of a family: dimension and positions of its groups, (groups, positions)."""

    parameter: Parameter
    dim: int
    index: Tensor

    def rows(self, groups: int) -> Tensor:
        """(groups, values)."""
        moved = self.parameter.movedim(self.dim, 0)[self.index.to(self.parameter.device).reshape(-1)]
        return moved.reshape(groups, -1)


@register
class ChannelLasso(Regularizer):
    """λ · Σ √p · ‖γ of a group‖₂ over all groups of channels that can be removed, p the number of γ in the group.

    √p lets λ mean the same for channels that several layers compute and for those of one (Yuan and Lin, "Model
    selection and estimation in regression with grouped variables", 2006). Where there is no BatchNorm, a group is the
    weights that compute the channel.

    strength  λ
    ignore    names of weights whose families are left, or regular expressions
    proximal  groups shrink after the optimizer's step, and what reaches 0 is masked with the whole group; of each
              family one group stays
    """

    def __init__(self, strength: float, *, ignore: Sequence[str] = (), proximal: bool = False) -> None:
        super().__init__({}, proximal=proximal)
        self.strength = check_at_least(strength, "strength")
        self.ignore = [ignore] if isinstance(ignore, str) else list(ignore)
        self._coverage: Coverage | None = None
        self._training: Training | None = None

    def bind(self, training: Training) -> None:
        """CompressionError without example inputs, and where nothing can be removed."""
        if not training.has_example:
            raise CompressionError("expected example_inputs for ChannelLasso, found none")
        self._training, self._coverage = training, Coverage(training)
        self._families: list[tuple[Family, list[_Member]]] | None = None
        training.on_change.append(self._forget)
        members = self._found()
        if not members:
            raise CompressionError("expected channels that can be removed for ChannelLasso, found none")
        self.parameters = {each.parameter: "" for _, group in members for each in group}

    def of(self, parameter: Parameter) -> tuple[float, object]:  # noqa: ARG002
        """λ of all."""
        return self.strength, None

    def layouts(self, parameter: Parameter) -> Sequence[Layout]:  # noqa: ARG002
        """Groups reach over parameters."""
        return ()

    def loss(self) -> Tensor | None:
        """λ · Σ √p · ‖group‖₂."""
        parts = [_weight(family, members) * self._norms(family, members).sum() for family, members in self._found()]
        return self.strength * torch.stack(parts).sum() if parts else None

    @torch.no_grad()
    def proximal_step(self, rate: Callable[[Parameter], float]) -> dict[Parameter, Tensor]:
        """Each group times max(0, 1 - rate · λ · √p / norm); the masks of whole groups that are 0."""
        found: dict[Parameter, Tensor] = {}
        assert self._coverage is not None  # noqa: S101  (bound)
        for family, members in self._found():
            size = self._norms(family, members)
            step = rate(members[0].parameter) * self.strength * _weight(family, members)
            factor = (1 - step / size.clamp(min=torch.finfo(size.dtype).tiny)).clamp(min=0)
            if not bool(factor.any()):
                factor[size.argmax()] = 1  # a width of 0 computes nothing
            for each in members:
                _scale(each, factor)
            gone = (factor == 0).nonzero().flatten().tolist()
            for parameter, mask in self._coverage.masks(family, gone).items() if gone else ():
                found[parameter] = found[parameter] & mask if parameter in found else mask
        return found

    def _norms(self, family: Family, members: Sequence[_Member]) -> Tensor:
        found: Tensor = torch.linalg.vector_norm(torch.cat([each.rows(family.size) for each in members], 1), dim=1)
        return found

    def _forget(self) -> None:
        self._families = None

    def _found(self) -> list[tuple[Family, list[_Member]]]:
        if self._families is None:
            self._families = self._look()
        return self._families

    def _look(self) -> list[tuple[Family, list[_Member]]]:
        assert self._coverage is not None  # noqa: S101  (bound)
        assert self._training is not None  # noqa: S101
        found = self._coverage.groups
        if found is None:
            return []
        tensors = dict(bare(self._training.model).named_parameters(remove_duplicate=False))
        gammas = {id(each.weight) for each in self._training.model.modules() if isinstance(each, _BatchNorm)}
        barred = {id(each) for pattern in self.ignore for each in self._training.names.find(pattern)}
        made = []
        for family in found.families:
            slots = [slot for slot in family.slots if slot.masked and slot.tensor in tensors]
            if any(id(tensors[slot.tensor]) in barred for slot in slots):
                continue
            norms = [slot for slot in slots if id(tensors[slot.tensor]) in gammas]
            chosen = norms or [slot for slot in slots if slot.makes]
            made.append((family, [_Member(tensors[slot.tensor], slot.dim, slot.index) for slot in chosen]))
        return [(family, members) for family, members in made if members]


def _weight(family: Family, members: Sequence[_Member]) -> float:
    """√p of a group of the family."""
    return math.sqrt(sum(each.rows(family.size).shape[1] for each in members))


def _scale(member: _Member, factor: Tensor) -> None:
    """Multiply the positions of each group by its factor, in place."""
    positions = member.index.to(member.parameter.device)
    wide = torch.ones(member.parameter.shape[member.dim], dtype=member.parameter.dtype, device=positions.device)
    wide[positions.reshape(-1)] = (
        factor.to(wide).unsqueeze(1).expand(positions.shape[0], positions[0].numel()).reshape(-1)
    )
    shape = [1] * member.parameter.dim()
    shape[member.dim] = -1
    member.parameter.mul_(wide.view(shape))
