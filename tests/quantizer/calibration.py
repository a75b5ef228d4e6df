"""Batches, and quantizers of eight bits calibrated on them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from qprep.quantizer import PostTrainingQuantizer

EIGHT: dict[str, Any] = {"bits_activations": 8, "bits_weights": 8}


def data(number: int = 4, *shape: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(7)
    return [torch.randn(*(shape or (32, 8)), generator=generator) for _ in range(number)]


def calibrated(model: nn.Module, batches: list[Tensor], **settings: Any) -> PostTrainingQuantizer:
    quantizer = PostTrainingQuantizer(model, **{**EIGHT, **settings})
    quantizer.prepare_model(batches[0])
    quantizer.calibrate(batches)
    return quantizer
