"""Dropout that gets the flag whether the model is training."""

import torch
from torch import Tensor
from torch.nn import functional

from qprep.runtime_modules._operation import Operation


class FunctionalDropout(Operation):
    """`torch.nn.functional.dropout` as a module; on `input` itself where `inplace`."""

    def __init__(self, p: float = 0.5, training: bool = True, inplace: bool = False) -> None:
        super().__init__()
        self.p = p
        self.active = training
        self.inplace = inplace

    def forward(
        self, input: Tensor, p: float | None = None, training: bool | None = None, inplace: bool | None = None
    ) -> Tensor:
        """Drop elements or channels of `input` with probability `p` where `training`."""
        p = self.p if p is None else p
        training = self.active if training is None else training
        inplace = self.inplace if inplace is None else inplace
        return functional.dropout(input, p, training, inplace)


class FunctionalDropout1d(Operation):
    """`torch.nn.functional.dropout1d` as a module; on `input` itself where `inplace`."""

    def __init__(self, p: float = 0.5, training: bool = True, inplace: bool = False) -> None:
        super().__init__()
        self.p = p
        self.active = training
        self.inplace = inplace

    def forward(
        self, input: Tensor, p: float | None = None, training: bool | None = None, inplace: bool | None = None
    ) -> Tensor:
        """Drop elements or channels of `input` with probability `p` where `training`."""
        p = self.p if p is None else p
        training = self.active if training is None else training
        inplace = self.inplace if inplace is None else inplace
        return functional.dropout1d(input, p, training, inplace)


class FunctionalDropout2d(Operation):
    """`torch.nn.functional.dropout2d` as a module; on `input` itself where `inplace`."""

    def __init__(self, p: float = 0.5, training: bool = True, inplace: bool = False) -> None:
        super().__init__()
        self.p = p
        self.active = training
        self.inplace = inplace

    def forward(
        self, input: Tensor, p: float | None = None, training: bool | None = None, inplace: bool | None = None
    ) -> Tensor:
        """Drop elements or channels of `input` with probability `p` where `training`."""
        p = self.p if p is None else p
        training = self.active if training is None else training
        inplace = self.inplace if inplace is None else inplace
        return functional.dropout2d(input, p, training, inplace)


class FunctionalDropout3d(Operation):
    """`torch.nn.functional.dropout3d` as a module; on `input` itself where `inplace`."""

    def __init__(self, p: float = 0.5, training: bool = True, inplace: bool = False) -> None:
        super().__init__()
        self.p = p
        self.active = training
        self.inplace = inplace

    def forward(
        self, input: Tensor, p: float | None = None, training: bool | None = None, inplace: bool | None = None
    ) -> Tensor:
        """Drop elements or channels of `input` with probability `p` where `training`."""
        p = self.p if p is None else p
        training = self.active if training is None else training
        inplace = self.inplace if inplace is None else inplace
        return functional.dropout3d(input, p, training, inplace)


class FunctionalAlphaDropout(Operation):
    """`torch.nn.functional.alpha_dropout` as a module; on `input` itself where `inplace`."""

    def __init__(self, p: float = 0.5, training: bool = False, inplace: bool = False) -> None:
        super().__init__()
        self.p = p
        self.active = training
        self.inplace = inplace

    def forward(
        self, input: Tensor, p: float | None = None, training: bool | None = None, inplace: bool | None = None
    ) -> Tensor:
        """Drop elements or channels of `input` with probability `p` where `training`."""
        p = self.p if p is None else p
        training = self.active if training is None else training
        inplace = self.inplace if inplace is None else inplace
        return functional.alpha_dropout(input, p, training, inplace)


class FunctionalFeatureAlphaDropout(Operation):
    """`torch.nn.functional.feature_alpha_dropout` as a module; on `input` itself where `inplace`."""

    def __init__(self, p: float = 0.5, training: bool = False, inplace: bool = False) -> None:
        super().__init__()
        self.p = p
        self.active = training
        self.inplace = inplace

    def forward(
        self, input: Tensor, p: float | None = None, training: bool | None = None, inplace: bool | None = None
    ) -> Tensor:
        """Drop elements or channels of `input` with probability `p` where `training`."""
        p = self.p if p is None else p
        training = self.active if training is None else training
        inplace = self.inplace if inplace is None else inplace
        return functional.feature_alpha_dropout(input, p, training, inplace)


class FeatureDropout(Operation):
    """`torch.feature_dropout`; on `input` itself where `inplace`."""

    def __init__(self, p: float = 0.5, training: bool = True, inplace: bool = False) -> None:
        super().__init__()
        self.p = p
        self.active = training
        self.inplace = inplace

    def forward(self, input: Tensor, p: float | None = None, training: bool | None = None) -> Tensor:
        """Drop channels of `input` with probability `p` where `training`."""
        p = self.p if p is None else p
        train = self.active if training is None else training
        return torch.feature_dropout_(input, p, train) if self.inplace else torch.feature_dropout(input, p, train)
