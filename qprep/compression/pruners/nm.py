"""N of M: at most N values that are not 0 among M successive inputs, as sparse tensor cores have it."""

from __future__ import annotations

import re

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.modules.conv import _ConvTransposeNd

from qprep.compression.errors import CompressionError
from qprep.compression.pruners.pruner import Context, Pruner, Weights
from qprep.compression.registry import register
from qprep.compression.training import Training


def parsed(pattern: str) -> tuple[int, int]:
    """(N, M) of "N:M"; CompressionError unless 0 < N < M."""
    match = re.fullmatch(r"(\d+):(\d+)", str(pattern))
    if match is None or not 0 < int(match[1]) < int(match[2]):
        raise CompressionError(f"expected pattern as N:M with 0 < N < M, such as 2:4, found {pattern!r}")
    return int(match[1]), int(match[2])


def nm_mask(scores: Tensor, kept: int, group: int) -> Tensor:
    """Booleans of the shape of `scores`: of each `group` successive entries along dimension 1 the `kept` highest."""
    last = scores.movedim(1, -1)
    rows = last.reshape(-1, group)
    order = torch.argsort(rows, dim=1, stable=True)
    keep = torch.ones_like(rows, dtype=torch.bool).scatter_(1, order[:, : group - kept], value=False)
    return keep.view(last.shape).movedim(-1, 1).contiguous()


@register
class NMPruner(Pruner):
    """Of M successive input channels (at each place of a kernel) the N of largest magnitude stay (arXiv:2104.08378).

    pattern  "2:4" and the like
    """

    def __init__(self, pattern: str, weights: Weights, *, ignore: Weights = (), allow_missing: bool = False) -> None:
        super().__init__(weights, ignore=ignore, allow_missing=allow_missing)
        self.kept, self.group = parsed(pattern)
        self._transposed: set[Parameter] = set()

    def bind(self, training: Training) -> None:
        """As in the base; what is named is known before it is checked."""
        found = (each for name in self.weights for each in training.names.find(name))
        self._transposed = {each for each in found if isinstance(training.module_of(each), _ConvTransposeNd)}
        super().bind(training)

    def check(self, name: str, parameter: Parameter) -> None:
        """The inputs are a multiple of M."""
        if parameter.dim() < 2 or parameter.shape[self._inputs(parameter)] % self.group:
            raise CompressionError(
                f"expected a weight whose inputs are a multiple of {self.group}, found {name} of shape "
                f"{tuple(parameter.shape)}"
            )

    def mask(self, parameter: Parameter, context: Context) -> Tensor:
        """See the class."""
        inputs = self._inputs(parameter)
        return nm_mask(context.values.abs().transpose(1, inputs), self.kept, self.group).transpose(1, inputs)

    def _inputs(self, parameter: Parameter) -> int:
        """The dimension of the inputs."""
        return 0 if parameter in self._transposed else 1
