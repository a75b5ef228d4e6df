"""Resemblyzer's speaker encoder (three LSTM layers, a linear layer), quantized; prints equal error rates.

python benchmarks/quantize_speaker.py [--packages DIR] [--data FILE] [--quick]

DIR is where `pip install --no-deps --target DIR resemblyzer` put the weights. One partial in eight calibrates. Every
pair of utterances is a trial; an utterance's embedding is the normalised mean of those of its partials.

"sums in int32" leaves W x + U h and f · c + i · g in the accumulators of the addition, as integer kernels of LSTMs do.
From there the report says what each slot costs by itself; 16 bits go to the costliest until the others together, their
noise added up, stay ENOUGH below the output. The claim about that is printed last; exits 1 where it is missed.
`--quick` takes
the first UTTERANCES and leaves out the configurations without a claim.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmark_inputs import PACKAGES, SHARED, skip_without
from torch import Tensor, nn

from qprep.quantizer import DynamicQuantizer, PostTrainingQuantizer, WeightOnlyQuantizer
from qprep.quantizer.backends.integer.agreement import slot_agreement
from qprep.quantizer.graph.graph_passes import Pass, fuse_sums
from qprep.runtime_modules import LSTM

QUICK = ["--quick"]
EIGHT = {"bits_activations": 8, "bits_weights": 8}
UTTERANCES = 80  # of --quick
ENOUGH = 25.0  # decibels


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


def calibrated(
    method: type[Any],
    model: nn.Module,
    mels: Tensor,
    settings: dict[str, Any],
    passes: Mapping[str, Pass] | None = None,
) -> Any:  # noqa: ANN401
    """A quantizer of that method, ready to convert."""
    quantizer = method(model, **settings)
    for name, function in (passes or {}).items():
        quantizer.passes.insert_after("fuse-activations", name, function)
    quantizer.prepare_model(mels[:2])
    if isinstance(quantizer, PostTrainingQuantizer):
        quantizer.calibrate([mels[::8]])
    return quantizer


def widened(quantizer: PostTrainingQuantizer, data: Tensor) -> dict[str, dict[str, int]]:
    """16 bits for the costliest slots, as few as leave the rest ENOUGH below the output."""
    slots = sorted(quantizer.report([data]).slots, key=lambda slot: slot.sensitivity)
    noise = [10 ** (-slot.sensitivity / 10) for slot in slots]
    number = next(taken for taken in range(len(slots)) if sum(noise[taken:]) <= 10 ** (-ENOUGH / 10))
    print(f"16 bits for {number} of {len(slots)} slots: {', '.join(slot.name for slot in slots[:number])}")
    overrides: dict[str, dict[str, int]] = {}
    for slot in slots[:number]:
        name, kind = slot.name, "bits_weights" if slot.kind == "weight" else "bits_activations"
        if name.startswith("input "):  # formatted as what reads it
            name = quantizer.graph.inputs[int(name.removeprefix("input "))].consumers[0].path
        overrides[re.escape(name)] = {kind: 16}
    return overrides


def main() -> int:
    """Print the table; 1 where the claim is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, default=PACKAGES)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "speech" / "partials.npz")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    skip_without("the speaker encoder and its data are", options.packages / "resemblyzer", options.data)
    torch.set_num_threads(1)
    data = np.load(options.data)
    mels = torch.from_numpy(data["mels"]).float()
    offsets, speakers = data["offsets"].tolist(), data["speakers"].tolist()
    if options.quick:
        speakers, offsets = speakers[:UTTERANCES], offsets[: UTTERANCES + 1]
        mels = mels[: offsets[-1]]
    model = Encoder().eval()
    checkpoint = torch.load(options.packages / "resemblyzer" / "pretrained.pt", map_location="cpu", weights_only=True)
    unused = model.load_state_dict(checkpoint["model_state"], strict=False)
    print(f"{len(speakers)} utterances, {len(mels)} partials; missing weights: {unused.missing_keys}")
    print(f"{'configuration':40} equal error rate %")

    def row(name: str, found: nn.Module) -> float:
        rate = equal_error_rate(embeddings(found, mels, offsets), speakers)
        print(f"{name:40} {rate:.2f}", flush=True)
        return rate

    reference = row("FP32", model)
    for name, method, settings in () if options.quick else CONFIGURATIONS:
        row(name, calibrated(method, model, mels, settings).convert())
    fused = {"fuse-sums": fuse_sums}
    narrow = calibrated(PostTrainingQuantizer, model, mels, EIGHT, fused)
    row("W8A8 static, sums in int32", narrow.convert())
    overrides = widened(narrow, mels[::64])
    mixed = calibrated(PostTrainingQuantizer, model, mels, {**EIGHT, "overrides": overrides}, fused)
    rate = row("the same, 16 bits by sensitivity", mixed.convert())
    parts = mixed.parameters_with_quantizers()
    eight = sum(parameter.numel() for parameter, slot in parts if slot.spec.bits == 8)
    print(f"{100 * eight / sum(parameter.numel() for parameter, _ in parts):.0f} % of the weights are in 8 bits")
    integer = mixed.to_integer()
    slots = slot_agreement(mixed.convert(), integer, mels[:2])
    levels = max(slot.levels for slot in slots)
    print(f"integer model: {len(slots)} slots in 160 steps, each at most {levels} level from the simulation;", end=" ")
    print(f"in float: {list(integer.islands) or 'nothing'}")
    print(f"{'met' if rate <= reference + 0.3 else 'MISSED':7} equal error rate <= FP32 + 0.3 points")
    return int(rate > reference + 0.3)


if __name__ == "__main__":
    sys.exit(main())
