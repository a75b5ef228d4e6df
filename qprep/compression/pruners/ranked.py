"""Structures by norm, activation, gradient or chance, with Distiller's names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Parameter

from qprep.compression.errors import CompressionError
from qprep.compression.pruners.layouts import StructureKind
from qprep.compression.pruners.pruner import Context, Weights, check_share, keep_highest
from qprep.compression.pruners.structures import Gradual, StructureRanking, row_norms
from qprep.compression.registry import register


@register
class L1RankedStructureParameterPruner(StructureRanking):
    """By the mean magnitude of each structure (Li et al., arXiv:1608.08710)."""

    def scores(self, parameter: Parameter, context: Context) -> Tensor:
        """See the class."""
        return row_norms(self.layout_of(parameter), context.values, 1)


@register
class L2RankedStructureParameterPruner(StructureRanking):
    """By the L2 norm of each structure, divided by its number of weights."""

    def scores(self, parameter: Parameter, context: Context) -> Tensor:
        """See the class."""
        return row_norms(self.layout_of(parameter), context.values, 2)


class ActivationRanking(StructureRanking):
    """By what is collected of a layer's outputs, channel by channel: of filters alone."""

    needs_activations: ClassVar[bool] = True

    def check(self, name: str, parameter: Parameter) -> None:
        """The structures are filters."""
        if self.layout.kind is not StructureKind.OUTPUTS:
            raise CompressionError(
                f"expected group_type Filters for a ranking by activations, found {self.group_type!r}"
            )
        super().check(name, parameter)


@register
class ActivationAPoZRankedFilterPruner(ActivationRanking):
    """By the share of outputs above 0: filters with most zeros behind a ReLU go first (Hu et al., arXiv:1607.03250).

    Outputs are those of the BatchNorm behind the layer where there is one, collected in training since the last mask.
    """

    def scores(self, parameter: Parameter, context: Context) -> Tensor:  # noqa: ARG002
        """See the class."""
        found: Tensor = collected(context.activations, context).positive
        return found


@register
class ActivationMeanRankedFilterPruner(ActivationRanking):
    """By the mean output behind a ReLU (Molchanov et al., arXiv:1611.06440), collected as for APoZ."""

    def scores(self, parameter: Parameter, context: Context) -> Tensor:  # noqa: ARG002
        """See the class."""
        found: Tensor = collected(context.activations, context).mean
        return found


@register
class GradientRankedFilterPruner(StructureRanking):
    """By the signed sum of gradient times weight, the first term of a Taylor expansion (arXiv:1611.06440)."""

    needs_gradients: ClassVar[bool] = True

    def scores(self, parameter: Parameter, context: Context) -> Tensor:
        """See the class."""
        gradient = collected(context.gradient, context)
        return self.layout_of(parameter).rows((gradient * context.values).detach()).sum(1)


@register
class TaylorRankedStructurePruner(StructureRanking):
    """By the magnitude of the sum of gradient times weight (Molchanov et al., arXiv:1906.10771)."""

    needs_gradients: ClassVar[bool] = True

    def scores(self, parameter: Parameter, context: Context) -> Tensor:
        """See the class."""
        gradient = collected(context.gradient, context)
        return self.layout_of(parameter).rows((gradient * context.values).detach()).sum(1).abs()


@register
class RandomRankedFilterPruner(StructureRanking):
    """By chance; the random numbers are part of the scheduler's state."""

    def scores(self, parameter: Parameter, context: Context) -> Tensor:
        """See the class."""
        number = self.layout_of(parameter).rows(parameter.detach()).shape[0]
        return torch.rand(number, generator=context.generator).to(parameter.device)


@register
class BernoulliFilterPruner(StructureRanking):
    """Each filter goes with the probability `desired_sparsity`; what stays is divided by the share that is kept.

    Like dropout of filters: masks hold while the model runs and are never thinned.
    """

    may_cover: ClassVar[bool] = False
    forward_copies: ClassVar[bool] = True

    def scores(self, parameter: Parameter, context: Context) -> Tensor:
        """Uniform numbers."""
        number = self.layout_of(parameter).rows(parameter.detach()).shape[0]
        return torch.rand(number, generator=context.generator).to(parameter.device)

    def masks(self, contexts: Mapping[Parameter, Context]) -> dict[Parameter, Tensor]:
        """Each structure by itself."""
        found = {}
        for parameter, context in contexts.items():
            level = self.level(context)
            self.scale = 1 / (1 - level) if level < 1 else 1.0
            keep = self.scores(parameter, context) >= level
            found[parameter] = self.layout_of(parameter).spread(keep, parameter.shape).contiguous()
        return found


@register
class RandomLevelStructureParameterPruner(StructureRanking):
    """A level drawn between two for each mask; structures by L1 norm.

    sparsity_range  the lowest and the highest level
    """

    may_cover: ClassVar[bool] = False

    def __init__(
        self,
        group_type: str,
        sparsity_range: Sequence[float],
        weights: Weights,
        group_dependency: str | None = None,
        *,
        ignore: Weights = (),
        allow_missing: bool = False,
    ) -> None:
        if len(sparsity_range) != 2 or not sparsity_range[0] < sparsity_range[1]:
            raise CompressionError(f"expected sparsity_range as [lowest, highest], found {list(sparsity_range)!r}")
        low, high = (check_share(each, "sparsity_range") for each in sparsity_range)
        super().__init__(group_type, high, weights, group_dependency, ignore=ignore, allow_missing=allow_missing)
        self.range = (low, high)

    def scores(self, parameter: Parameter, context: Context) -> Tensor:
        """As for L1."""
        return row_norms(self.layout_of(parameter), context.values, 1)

    def masks(self, contexts: Mapping[Parameter, Context]) -> dict[Parameter, Tensor]:
        """One level for all weights."""
        low, high = self.range
        found = {}
        drawn: float | None = None
        for parameter, context in contexts.items():
            if drawn is None:
                drawn = low + (high - low) * float(torch.rand((), generator=context.generator))
            scores = self.scores(parameter, context)
            keep = keep_highest(scores, self.number(scores.numel(), drawn))
            found[parameter] = self.layout_of(parameter).spread(keep, parameter.shape).contiguous()
        return found


@register("L1RankedStructureParameterPruner_AGP")
class L1RankedAGP(Gradual, L1RankedStructureParameterPruner):
    """L1 ranking with AGP's sparsity."""


@register("L2RankedStructureParameterPruner_AGP")
class L2RankedAGP(Gradual, L2RankedStructureParameterPruner):
    """L2 ranking with AGP's sparsity."""


@register("ActivationAPoZRankedFilterPruner_AGP")
class APoZAGP(Gradual, ActivationAPoZRankedFilterPruner):
    """APoZ with AGP's sparsity."""


@register("ActivationMeanRankedFilterPruner_AGP")
class ActivationMeanAGP(Gradual, ActivationMeanRankedFilterPruner):
    """Mean activations with AGP's sparsity."""


@register("GradientRankedFilterPruner_AGP")
class GradientAGP(Gradual, GradientRankedFilterPruner):
    """Gradients with AGP's sparsity."""


@register("TaylorRankedStructurePruner_AGP")
class TaylorAGP(Gradual, TaylorRankedStructurePruner):
    """Gradient times weight with AGP's sparsity."""


@register("RandomRankedFilterPruner_AGP")
class RandomAGP(Gradual, RandomRankedFilterPruner):
    """By chance with AGP's sparsity."""


@register("BernoulliFilterPruner_AGP")
class BernoulliAGP(Gradual, BernoulliFilterPruner):
    """Dropout of filters with AGP's sparsity as probability."""


def collected(found: Any, context: Context) -> Any:  # noqa: ANN401  (statistics or a gradient)
    """`found`; CompressionError if nothing was collected."""
    if found is None:
        raise CompressionError(
            f"expected data for {context.name} before its first mask, found none: start the policy after the first "
            "epoch, or give calibrate="
        )
    return found
