"""Channels of a whole model at once, by groups: what can be removed together is ranked together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Literal

from torch import Tensor
from torch.nn import Parameter

from qprep.compression.coverage import Coverage
from qprep.compression.errors import CompressionError
from qprep.compression.pruners.pruner import Context, Pruner, Weights, check_at_least, check_share
from qprep.compression.pruners.rates import Ramp
from qprep.compression.registry import register
from qprep.compression.structure import choose, choose_cost, scores
from qprep.compression.training import Training


@register
class StructurePruner(Pruner):
    """Channels that contribute least go, with everything that computes them.

    What a channel contributes is the product of its norms in weights that compute it, in weights of norms behind
    them, and in weights that read it; see `structure.scores`.

    sparsity           the share of each family of channels, or of all together with scope global
    remove             "50%" of `cost`, in place of sparsity: over one threshold for all families, found by bisection
    cost               macs (multiply-accumulates) or parameters
    initial_sparsity   where a gradual policy starts; none: all at once
    norm               l1 or l2, of the weights of a channel
    scope              family or global
    round_to           what stays of a family is a multiple of it
    keep_at_least      channels of a family that stay
    weights            families with one of these weights; "*" is all
    """

    needs_steps: ClassVar[bool] = True

    def __init__(
        self,
        sparsity: float | None = None,
        remove: str | None = None,
        *,
        cost: Literal["macs", "parameters"] = "macs",
        initial_sparsity: float | None = None,
        rate: str = "cubic",
        norm: Literal["l1", "l2"] = "l1",
        scope: Literal["family", "global"] = "family",
        round_to: int = 1,
        keep_at_least: int = 1,
        weights: Weights = "*",
        ignore: Weights = (),
        allow_missing: bool = False,
    ) -> None:
        super().__init__(weights, ignore=ignore, allow_missing=allow_missing)
        if (sparsity is None) == (remove is None):
            raise CompressionError("expected either sparsity or remove, found both or none")
        if remove is not None and initial_sparsity is not None:
            raise CompressionError("expected initial_sparsity with sparsity alone, found remove as well")
        for name, value in (("round_to", round_to), ("keep_at_least", keep_at_least)):
            check_at_least(value, name, 1)
        self.remove = None if remove is None else _percent(remove)
        self.sparsity = 0.0 if sparsity is None else check_share(sparsity, "sparsity")
        self.ramp = None if initial_sparsity is None else Ramp(initial_sparsity, self.sparsity, rate)
        self.cost, self.norm, self.scope = cost, norm, scope
        self.round_to, self.keep_at_least = round_to, keep_at_least
        self._coverage: Coverage | None = None

    def bind(self, training: Training) -> None:
        """CompressionError without example inputs."""
        if not training.has_example:
            raise CompressionError(f"expected example_inputs for {type(self).__name__}, found none")
        super().bind(training)
        self._coverage = Coverage(training)

    def masks(self, contexts: Mapping[Parameter, Context]) -> dict[Parameter, Tensor]:
        """See the class."""
        coverage = self._coverage
        assert coverage is not None  # noqa: S101  (bound)
        found = coverage.groups
        if found is None or not contexts:
            return {}
        ranks = {
            family.name: scores(found, self.norm)[family.name]
            for family in found.families
            if any(each in contexts for each in coverage.makers(family))
        }
        if self.remove is not None:
            gone = choose_cost(
                *(found, ranks, self.remove),
                cost=self.cost,
                keep_at_least=self.keep_at_least,
                round_to=self.round_to,
            )
        else:
            context = next(iter(contexts.values()))
            level = self.sparsity if self.ramp is None else self.ramp.at(context.progress)
            gone = choose(*(ranks, level), scope=self.scope, keep_at_least=self.keep_at_least, round_to=self.round_to)
        masks: dict[Parameter, Tensor] = {}
        for family in found.families:
            for parameter, mask in coverage.masks(family, gone.get(family.name, ())).items():
                masks[parameter] = masks[parameter] & mask if parameter in masks else mask
        return masks


def _percent(text: str) -> float:
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*%\s*", str(text))
    if match is None or not 0 < float(match[1]) < 100:
        raise CompressionError(f"expected remove as a percentage of the cost, such as 50%, found {text!r}")
    return float(match[1]) / 100
