"""Small prepared models, and the measure by which they are compared."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from qprep.runtime_modules import AffineMap, EltwiseAdd


def snr(reference: Tensor, found: Tensor) -> float:
    """Signal-to-noise ratio in decibels."""
    noise = (reference - found).detach().double().pow(2).sum()
    return float(10 * torch.log10(reference.detach().double().pow(2).sum() / noise.clamp(min=1e-30)))


def mlp(seed: int = 0) -> nn.Sequential:
    """Two layers with a ReLU between."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


class TwoInputs(nn.Module):
    """Takes `x` and, by keyword, `skip`; returns a dict of a tuple and a number."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.add = EltwiseAdd()

    def forward(self, x: Tensor, skip: Tensor | float = 0.0) -> dict[str, object]:
        """`fc(x) + skip`."""
        return {"pair": (self.add(self.fc(x), skip), [x]), "number": 3}


class TiedDecoder(nn.Module):
    """Tokens in, logits over tokens out, by one matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.decode = AffineMap()

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) to (B, T, 20)."""
        return self.decode(self.embed(tokens), self.embed.weight, None)  # type: ignore[no-any-return]
