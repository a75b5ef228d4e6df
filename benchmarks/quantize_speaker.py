"""Resemblyzer's speaker encoder (three LSTM layers, a linear layer), quantized; prints equal error rates.

python benchmarks/quantize_speaker.py --packages DIR [--data FILE]

DIR is where `pip install --no-deps --target DIR resemblyzer` put the weights. One partial in eight calibrates. Every
pair of utterances is a trial; an utterance's embedding is the normalised mean of those of its partials.
"""

from __future__ import annotations

import argparse
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from qprep.quantizer import DynamicQuantizer, PostTrainingQuantizer, WeightOnlyQuantizer
from qprep.runtime_modules import LSTM

EIGHT = {"bits_activations": 8, "bits_weights": 8}
FLOOR = 36.0  # decibels: slots that by themselves cost more get 16 bits


class Encoder(nn.Module):
    """Resemblyzer's VoiceEncoder up to its normalisation, its gates as modules."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = LSTM(40, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, 256)
        self.relu = nn.ReLU()

    def forward(self, mels: Tensor) -> Tensor:
        """(B, frames, 40) to (B, 256)."""
        _, (hidden, _) = self.lstm(mels)
        return self.relu(self.linear(hidden[-1]))  # type: ignore[no-any-return]


CONFIGURATIONS: tuple[tuple[str, type[Any], dict[str, Any]], ...] = (
    ("W8A8 static", PostTrainingQuantizer, EIGHT),
    ("W8A8 dynamic", DynamicQuantizer, EIGHT),
    ("W8", WeightOnlyQuantizer, {}),
)


def embeddings(model: nn.Module, mels: Tensor, offsets: list[int]) -> Tensor:
    """One row for each utterance."""
    with torch.no_grad():
        partial = torch.cat([nn.functional.normalize(model(part)) for part in mels.split(112)])
    means = [partial[start:end].mean(0) for start, end in itertools.pairwise(offsets)]
    return nn.functional.normalize(torch.stack(means))


def equal_error_rate(found: Tensor, speakers: list[str]) -> float:
    """Per cent, where as many true pairs are refused as false ones accepted."""
    rows, columns = torch.triu_indices(len(speakers), len(speakers), offset=1)
    scores = (found @ found.T)[rows, columns]
    same = torch.tensor([speakers[i] == speakers[j] for i, j in zip(rows.tolist(), columns.tolist(), strict=True)])
    true, false = scores[same].sort().values, scores[~same].sort().values
    refused = torch.searchsorted(true, scores) / len(true)
    accepted = 1 - torch.searchsorted(false, scores) / len(false)
    nearest = (refused - accepted).abs().argmin()
    return float(50 * (refused + accepted)[nearest])


def calibrated(method: type[Any], model: nn.Module, mels: Tensor, settings: dict[str, Any]) -> Any:  # noqa: ANN401
    """A quantizer of that method, ready to convert."""
    quantizer = method(model, **settings)
    quantizer.prepare_model(mels[:2])
    if isinstance(quantizer, PostTrainingQuantizer):
        quantizer.calibrate([mels[::8]])
    return quantizer


def widened(quantizer: PostTrainingQuantizer, data: Tensor) -> dict[str, dict[str, int]]:
    """16 bits for every slot whose quantization alone leaves less than FLOOR at the output."""
    found = quantizer.report([data]).slots
    weak = [slot for slot in found if slot.sensitivity < FLOOR]
    print(f"16 bits for {len(weak)} of {len(found)} slots: {', '.join(slot.name for slot in weak)}")
    return {
        re.escape(slot.name): {"bits_weights" if slot.kind == "weight" else "bits_activations": 16}
        for slot in weak
        if not slot.name.startswith("input ")  # formatted as its reader, which is among them
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/speech/partials.npz"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = np.load(options.data)
    mels = torch.from_numpy(data["mels"]).float()
    offsets, speakers = data["offsets"].tolist(), data["speakers"].tolist()
    model = Encoder().eval()
    checkpoint = torch.load(options.packages / "resemblyzer" / "pretrained.pt", map_location="cpu", weights_only=True)
    unused = model.load_state_dict(checkpoint["model_state"], strict=False)
    print(f"{len(speakers)} utterances, {len(mels)} partials; missing weights: {unused.missing_keys}")
    print(f"{'configuration':40} equal error rate %")
    print(f"{'FP32':40} {equal_error_rate(embeddings(model, mels, offsets), speakers):.2f}", flush=True)
    for name, method, settings in CONFIGURATIONS:
        quantizer = calibrated(method, model, mels, settings)
        found = embeddings(quantizer.convert(), mels, offsets)
        print(f"{name:40} {equal_error_rate(found, speakers):.2f}", flush=True)
        if method is PostTrainingQuantizer:
            mixed = calibrated(method, model, mels, {**settings, "overrides": widened(quantizer, mels[::32])})
            found = embeddings(mixed.convert(), mels, offsets)
            print(f"{'W8A8 static, 16 bit by sensitivity':40} {equal_error_rate(found, speakers):.2f}", flush=True)


if __name__ == "__main__":
    main()
