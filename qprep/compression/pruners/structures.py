"""Whole structures, the lowest ranked first: filters, channels, kernels, rows, columns, blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

import torch
from torch import Tensor
from torch.nn import Parameter

from qprep.compression.coverage import Coverage, FamilyDimension, mean_scores, spread_keep
from qprep.compression.errors import CompressionError
from qprep.compression.pruners.layouts import Layout, StructureKind, layout_of, norms
from qprep.compression.pruners.pruner import Context, Pruner, Weights, check_share, keep_highest
from qprep.compression.pruners.rates import Ramp
from qprep.compression.training import Training

COUPLED: Final = ("all", "error", "mask-only")
_EXACT: Final = 9  # decimals: 0.3 · 10 is 3, whichever way it is rounded
_ROUNDINGS: Final[Mapping[str, Callable[[float], int]]] = {"floor": math.floor, "ceil": math.ceil, "round": round}


class StructureRanking(Pruner):
    """Structures with the lowest `scores` go: the share `desired_sparsity` of each weight, rounded, never all below 1.

    group_type        Filters (or 3D), Channels, Blocks; of matrices outputs and inputs, and Rows, which is Distiller's
                      name for inputs
    group_dependency  "Leader": the ranking of the first weight counts for all
    kwargs            `block_shape` for blocks: [filters, channels, height, width]
    noise             each score is multiplied by 1 + noise · u, u uniform in [-1, 1)
    group_size        structures go in multiples of it
    rounding_fn       floor, ceil or round: of the number of structures
    coupled           where other weights compute the same channels and are not named: "mask-only" masks the named ones
                      alone, which cannot be thinned; "all" masks the whole group; "error" names the others
    weights_only      whether a filter's bias and BatchNorm are left, as Distiller does it
    """

    criterion: ClassVar[str] = ""
    may_cover: ClassVar[bool] = True  # whether masks may be removed from the model later

    def __init__(  # noqa: PLR0917  (Distiller's order)
        self,
        group_type: str,
        desired_sparsity: float,
        weights: Weights,
        group_dependency: str | None = None,
        kwargs: Mapping[str, Any] | None = None,
        noise: float = 0.0,
        group_size: int = 1,
        rounding_fn: str = "floor",
        *,
        block_shape: Sequence[int] | None = None,
        coupled: str = "mask-only",
        weights_only: bool = False,
        ignore: Weights = (),
        allow_missing: bool = False,
    ) -> None:
        super().__init__(weights, ignore=ignore, allow_missing=allow_missing)
        self.group_type = group_type
        self.desired_sparsity = check_share(desired_sparsity, "desired_sparsity")
        if group_dependency not in (None, "Leader"):
            raise CompressionError(f"expected group_dependency Leader or none, found {group_dependency!r}")
        if isinstance(group_size, bool) or group_size != int(group_size) or group_size < 1:
            raise CompressionError(f"expected group_size as a whole number from 1 on, found {group_size!r}")
        if coupled not in COUPLED:
            raise CompressionError(f"expected coupled among {', '.join(COUPLED)}, found {coupled!r}")
        if rounding_fn not in _ROUNDINGS:
            raise CompressionError(f"expected rounding_fn among {', '.join(_ROUNDINGS)}, found {rounding_fn!r}")
        unknown = [name for name in kwargs or {} if name != "block_shape"]
        if unknown:
            raise CompressionError(f"expected block_shape alone in kwargs, found {', '.join(unknown)}")
        self.leads = group_dependency == "Leader"
        self.layout = layout_of(group_type, block_shape or (kwargs or {}).get("block_shape"), ranked=True)
        self.noise, self.group_size = check_share(noise, "noise"), int(group_size)
        self.rounding, self.coupled, self.weights_only = _ROUNDINGS[rounding_fn], coupled, weights_only
        self._coverage: Coverage | None = None
        self._training: Training | None = None
        self._layouts: dict[Parameter, Layout] = {}
        self.wants_example = self.may_cover and not weights_only and self.layout.dim is not None

    def bind(self, training: Training) -> None:
        """As in the base; then what goes together is looked up."""
        super().bind(training)
        self._training, self._coverage = training, Coverage(training)
        self._layouts = {each: self.layout.of_layer(training.module_of(each)) for each in self.parameters}
        shapes = {each.shape[self.layout_of(each).dim or 0] for each in self.parameters}
        if self.leads and len(shapes) > 1:
            raise CompressionError(
                f"expected weights with equal numbers of structures for group_dependency Leader, found {sorted(shapes)}"
            )
        if not self.wants_example or training.has_example:
            return
        training.note(
            f"{type(self).__name__}: without example_inputs masks cover the named weights alone, not their BatchNorm "
            "and bias, until the model has run once"
        )

    def layout_of(self, parameter: Parameter) -> Layout:
        """The position of the structures in a weight."""
        return self._layouts.get(parameter, self.layout)

    def check(self, name: str, parameter: Parameter) -> None:
        """The weight has such structures."""
        self.layout.check(name, parameter.shape, self.group_type)

    def level(self, context: Context) -> float:  # noqa: ARG002
        """The share of structures to remove now."""
        return self.desired_sparsity

    def scores(self, parameter: Parameter, context: Context) -> Tensor:
        """A score for each structure of `parameter`, shape (structures,); the lowest go first."""
        raise NotImplementedError

    def masks(self, contexts: Mapping[Parameter, Context]) -> dict[Parameter, Tensor]:
        """See the class."""
        scores = {each: self._ranked(each, context) for each, context in contexts.items()}
        if not scores:
            return {}
        if self.leads:
            first = next(iter(scores.values()))
            scores = dict.fromkeys(scores, first)
        level = self.level(next(iter(contexts.values())))
        found: dict[Parameter, Tensor] = {}
        alone = dict(scores)
        for parts in self._families(scores):
            for parameter, mask in self._of_family(parts, scores, level).items():
                found[parameter] = found[parameter] & mask if parameter in found else mask
            for part in parts:
                alone.pop(part.parameter, None)
        for parameter, values in alone.items():
            keep = keep_highest(values, self.number(values.numel(), level))
            own = self.layout_of(parameter).spread(keep, parameter.shape)
            found[parameter] = found[parameter] & own if parameter in found else own.contiguous()
        return found

    def number(self, structures: int, level: float) -> int:
        """The number of structures to remove."""
        wanted = int(self.rounding(round(level * structures / self.group_size, _EXACT))) * self.group_size
        return structures if level == 1 else min(wanted, structures - 1)

    def _ranked(self, parameter: Parameter, context: Context) -> Tensor:
        """The scores, the lowest for structures that are gone: the weights, γ and β of one that came back would all be
        0 and have no gradient, so that it would stay 0 outside of the mask.
        """
        scores = self._noisy(self.scores(parameter, context), context)
        if context.held is None:
            return scores
        gone = ~self.layout_of(parameter).rows(context.held).any(1)
        return scores.masked_fill(gone.to(scores.device), -math.inf)

    def _noisy(self, scores: Tensor, context: Context) -> Tensor:
        if self.noise == 0:
            return scores
        drawn = torch.rand(scores.shape, generator=context.generator).to(scores.device)
        return scores * (1 + self.noise * (2 * drawn - 1))

    def _families(self, scores: Mapping[Parameter, Tensor]) -> list[list[FamilyDimension]]:
        """Families whose whole groups are masked, each with the named weights that are in it."""
        if self.layout.dim is None or not self.may_cover or self.weights_only or self._coverage is None:
            return []
        parts: dict[str, list[FamilyDimension]] = {}
        for parameter in scores:
            dim = self.layout_of(parameter).dim
            for part in [] if dim is None else self._coverage.parts(parameter, dim):
                parts.setdefault(part.family.name, []).append(part)
        return [each for each in parts.values() if self._is_whole(each)]

    def _is_whole(self, parts: list[FamilyDimension]) -> bool:
        """True if the masks may cover the family: all its weights are named, or `coupled` says so."""
        assert self._coverage is not None  # noqa: S101
        assert self._training is not None  # noqa: S101
        family = parts[0].family
        named = {each.parameter for each in parts}
        computes = self.layout.kind is StructureKind.OUTPUTS
        other = self._coverage.makers(family) if computes else self._coverage.readers(family)
        missing = [self._training.name(each) for each in other if each not in named]
        if not missing or self.coupled == "all":
            return True
        mine = ", ".join(self._training.name(each) for each in named)
        verb = "compute" if computes else "read"
        if self.coupled == "error":
            raise CompressionError(
                f"expected all weights that {verb} the same channels as {mine}, found {', '.join(missing)} left out; "
                "coupled: all masks them too, coupled: mask-only masks the named ones alone"
            )
        self._training.note(
            f"{mine}: {', '.join(missing)} {verb} the same channels and are not named, so that the masks are of the "
            "named weights alone and cannot be thinned"
        )
        return False

    def _of_family(
        self, parts: list[FamilyDimension], scores: Mapping[Parameter, Tensor], level: float
    ) -> dict[Parameter, Tensor]:
        assert self._coverage is not None  # noqa: S101
        family = parts[0].family
        ranked = torch.stack([mean_scores(part, scores[part.parameter]).cpu() for part in parts]).mean(0)
        keep = keep_highest(ranked, self.number(family.size, level))
        found = self._coverage.masks(family, (~keep).nonzero().flatten().tolist())
        for part in parts:
            layout = self.layout_of(part.parameter)
            positions = spread_keep(part, keep.to(part.parameter.device), part.parameter.shape[layout.dim or 0])
            own = layout.spread(positions, part.parameter.shape).contiguous()
            found[part.parameter] = found[part.parameter].to(own.device) & own if part.parameter in found else own
        return found


class Gradual(StructureRanking):
    """The sparsity grows from initial to final over the policy's steps, as in AGP.

    rate  cubic (AGP's), cosine, exponential, linear or once
    """

    needs_steps: ClassVar[bool] = True

    def __init__(  # noqa: PLR0917  (Distiller's order)
        self,
        initial_sparsity: float,
        final_sparsity: float,
        group_type: str,
        weights: Weights,
        group_dependency: str | None = None,
        kwargs: Mapping[str, Any] | None = None,
        noise: float = 0.0,
        group_size: int = 1,
        rounding_fn: str = "floor",
        *,
        rate: str = "cubic",
        block_shape: Sequence[int] | None = None,
        coupled: str = "mask-only",
        weights_only: bool = False,
        ignore: Weights = (),
        allow_missing: bool = False,
    ) -> None:
        super().__init__(
            *(group_type, final_sparsity, weights, group_dependency, kwargs, noise, group_size, rounding_fn),
            block_shape=block_shape,
            coupled=coupled,
            weights_only=weights_only,
            ignore=ignore,
            allow_missing=allow_missing,
        )
        self.ramp = Ramp(initial_sparsity, final_sparsity, rate)

    def level(self, context: Context) -> float:
        """Of the policy's progress."""
        return self.ramp.at(context.progress)


def row_norms(layout: Layout, values: Tensor, order: int) -> Tensor:
    """Mean L1 or L2 norms of a weight's structures."""
    return norms(layout.rows(values.detach()), order)
