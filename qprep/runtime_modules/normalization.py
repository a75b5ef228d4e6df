# ruff: noqa: PLR0917 -- parameters are torch's own
"""Normalizations that take their weights and statistics as inputs."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from qprep.runtime_modules._operation import Operation, sizes


class BatchStandardize(Operation):
    """`torch.nn.functional.batch_norm` as a module."""

    def __init__(self, training: bool = False, momentum: float = 0.1, eps: float = 1e-05) -> None:
        super().__init__()
        self.active = training
        self.momentum = momentum
        self.eps = eps

    def forward(
        self,
        input: Tensor,
        running_mean: Tensor,
        running_var: Tensor,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool | None = None,
        momentum: float | None = None,
        eps: float | None = None,
    ) -> Tensor:
        """Normalize `input`, scale by `weight`, shift by `bias`."""
        training = self.active if training is None else training
        momentum = self.momentum if momentum is None else momentum
        eps = self.eps if eps is None else eps
        return functional.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


class InstanceStandardize(Operation):
    """`torch.nn.functional.instance_norm` as a module."""

    def __init__(self, use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-05) -> None:
        super().__init__()
        self.use_input_stats = use_input_stats
        self.momentum = momentum
        self.eps = eps

    def forward(
        self,
        input: Tensor,
        running_mean: Tensor | None = None,
        running_var: Tensor | None = None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        use_input_stats: bool | None = None,
        momentum: float | None = None,
        eps: float | None = None,
    ) -> Tensor:
        """Normalize `input`, scale by `weight`, shift by `bias`."""
        use_input_stats = self.use_input_stats if use_input_stats is None else use_input_stats
        momentum = self.momentum if momentum is None else momentum
        eps = self.eps if eps is None else eps
        return functional.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


class LayerStandardize(Operation):
    """`torch.nn.functional.layer_norm` as a module."""

    normalized_shape: list[int]

    def __init__(self, normalized_shape: int | Sequence[int] = (), eps: float = 1e-05) -> None:
        super().__init__()
        self.normalized_shape = sizes(normalized_shape)
        self.eps = eps

    def forward(
        self,
        input: Tensor,
        normalized_shape: list[int] | None = None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        eps: float | None = None,
    ) -> Tensor:
        """Normalize `input`, scale by `weight`, shift by `bias`."""
        normalized_shape = self.normalized_shape if normalized_shape is None else normalized_shape
        eps = self.eps if eps is None else eps
        return functional.layer_norm(input, normalized_shape, weight, bias, eps)


class GroupStandardize(Operation):
    """`torch.nn.functional.group_norm` as a module."""

    def __init__(self, num_groups: int = 1, eps: float = 1e-05) -> None:
        super().__init__()
        self.num_groups = num_groups
        self.eps = eps

    def forward(
        self,
        input: Tensor,
        num_groups: int | None = None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        eps: float | None = None,
    ) -> Tensor:
        """Normalize `input`, scale by `weight`, shift by `bias`."""
        num_groups = self.num_groups if num_groups is None else num_groups
        eps = self.eps if eps is None else eps
        return functional.group_norm(input, num_groups, weight, bias, eps)


class RootMeanSquareScale(Operation):
    """`torch.nn.functional.rms_norm` as a module."""

    normalized_shape: list[int]

    def __init__(self, normalized_shape: int | Sequence[int] = (), eps: float | None = None) -> None:
        super().__init__()
        self.normalized_shape = sizes(normalized_shape)
        self.eps = eps

    def forward(
        self,
        input: Tensor,
        normalized_shape: list[int] | None = None,
        weight: Tensor | None = None,
        eps: float | None = None,
    ) -> Tensor:
        """Normalize `input`, scale by `weight`, shift by `bias`."""
        normalized_shape = self.normalized_shape if normalized_shape is None else normalized_shape
        eps = self.eps if eps is None else eps
        return functional.rms_norm(input, normalized_shape, weight, eps)


class FunctionalLocalResponseNorm(Operation):
    """`torch.nn.functional.local_response_norm` as a module."""

    def __init__(self, size: int = 1, alpha: float = 0.0001, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(
        self,
        input: Tensor,
        size: int | None = None,
        alpha: float | None = None,
        beta: float | None = None,
        k: float | None = None,
    ) -> Tensor:
        """Normalize `input`."""
        size = self.size if size is None else size
        alpha = self.alpha if alpha is None else alpha
        beta = self.beta if beta is None else beta
        k = self.k if k is None else k
        return functional.local_response_norm(input, size, alpha, beta, k)


class Normalize(Operation):
    """`torch.nn.functional.normalize` as a module."""

    def __init__(self, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> None:
        super().__init__()
        self.p = p
        self.dim = dim
        self.eps = eps

    def forward(
        self, input: Tensor, p: float | None = None, dim: int | None = None, eps: float | None = None
    ) -> Tensor:
        """Normalize `input`."""
        p = self.p if p is None else p
        dim = self.dim if dim is None else dim
        eps = self.eps if eps is None else eps
        return functional.normalize(input, p, dim, eps)


class FunctionalCosineSimilarity(Operation):
    """`torch.nn.functional.cosine_similarity` as a module."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor, dim: int | None = None, eps: float | None = None) -> Tensor:
        """Compare vectors."""
        dim = self.dim if dim is None else dim
        eps = self.eps if eps is None else eps
        return functional.cosine_similarity(x1, x2, dim, eps)


class FunctionalPairwiseDistance(Operation):
    """`torch.nn.functional.pairwise_distance` as a module."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.p = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(
        self, x1: Tensor, x2: Tensor, p: float | None = None, eps: float | None = None, keepdim: bool | None = None
    ) -> Tensor:
        """Compare vectors."""
        p = self.p if p is None else p
        eps = self.eps if eps is None else eps
        keepdim = self.keepdim if keepdim is None else keepdim
        return functional.pairwise_distance(x1, x2, p, eps, keepdim)


class PDist(Operation):
    """`torch.nn.functional.pdist` as a module."""

    def __init__(self, p: float = 2.0) -> None:
        super().__init__()
        self.p = p

    def forward(self, input: Tensor, p: float | None = None) -> Tensor:
        """Compare vectors."""
        return functional.pdist(input, self.p if p is None else p)
