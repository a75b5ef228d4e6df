"""A word language model (embedding, LSTM, linear), trained here in a few minutes, then quantized; prints perplexities.

python benchmarks/quantize_language.py [--text DIR] [--epochs N] [--weights FILE] [--tokens N] [--quick]

The model learns WikiText-2's validation text and is evaluated on N tokens of its test text, the state carried on from
one stretch to the next. Words outside the 6,000 most frequent ones are one. FILE keeps the weights for the next run.

Exits 1 where a configuration's perplexity is above its bar, as a multiple of FP32's. `--quick` trains one epoch on a
part of the text.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from benchmark_inputs import SHARED, skip_without
from torch import Tensor, nn

from qprep.quantizer import (
    AWQQuantizer,
    DynamicQuantizer,
    GPTQQuantizer,
    PostTrainingQuantizer,
    WeightOnlyQuantizer,
)
from qprep.runtime_modules import LSTM

QUICK = ["--quick"]
WORDS, WIDTH, STRETCH, STREAMS = 6000, 160, 35, 32
EIGHT = {"bits_activations": 8, "bits_weights": 8}
GROUPS = {"bits_weights": 4, "granularity_weights": "per-group", "group_size": 128}
CONFIGURATIONS: tuple[tuple[str, type[Any], dict[str, Any]], ...] = (
    ("W8A8 static, min-max", PostTrainingQuantizer, EIGHT),
    ("W8A8 static, mse", PostTrainingQuantizer, {**EIGHT, "estimator_activations": "mse"}),
    ("W8A8 dynamic", DynamicQuantizer, EIGHT),
    ("W8", WeightOnlyQuantizer, {}),
    (
        "W4 in groups of 32, mse",
        WeightOnlyQuantizer,
        {
            "bits_weights": 4,
            "granularity_weights": "per-group",
            "group_size": 32,
            "estimator_weights": "mse",
        },
    ),
    ("W4 in groups of 128", WeightOnlyQuantizer, GROUPS),
    ("W4 in groups of 128, GPTQ", GPTQQuantizer, GROUPS),
    ("W4 in groups of 128, AWQ", AWQQuantizer, GROUPS),
)
# Highest perplexity, as a multiple of FP32's.
BARS = {
    "W8A8 static, min-max": 1.05,
    "W8A8 static, mse": 1.05,
    "W8A8 dynamic": 1.02,
    "W8": 1.01,
    "W4 in groups of 32, mse": 1.05,
    "W8A8 static, 16 bit by sensitivity": 1.02,
    "W4 in groups of 128": math.inf,
    "W4 in groups of 128, GPTQ": 1.02,
    "W4 in groups of 128, AWQ": math.inf,
}
FLOOR = 46.0  # decibels: slots that by themselves cost more get 16 bits


class Model(nn.Module):
    """Words to scores of the next words."""

    def __init__(self, kind: type[nn.Module] = LSTM) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, WIDTH)
        self.lstm = kind(WIDTH, WIDTH)
        self.dropout_in, self.dropout_out = nn.Dropout(0.4), nn.Dropout(0.4)
        self.linear = nn.Linear(WIDTH, WORDS)

    def forward(self, words: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(T, B) and states (1, B, WIDTH) to (T, B, WORDS) and states."""
        found, (hidden, cell) = self.lstm(self.dropout_in(self.embedding(words)), (hidden, cell))
        return self.linear(self.dropout_out(found)), hidden, cell


def read(path: Path, words: dict[str, int], streams: int, tokens: int = -1) -> Tensor:
    """(T, streams) numbers of words."""
    numbers = torch.tensor([words.get(word, 0) for word in path.read_text(encoding="utf-8").split()[:tokens]])
    length = len(numbers) // streams
    return numbers[: length * streams].view(streams, length).t().contiguous()


def frequent(path: Path) -> dict[str, int]:
    """Numbers from 1 on for the most frequent words."""
    counts = Counter(path.read_text(encoding="utf-8").split())
    return {word: number for number, (word, _) in enumerate(counts.most_common(WORDS - 1), 1)}


def stretches(text: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Words and the words that follow them."""
    for start in range(0, len(text) - 1, STRETCH):
        following = text[start + 1 : start + STRETCH + 1]
        yield text[start : start + len(following)], following


def start(text: Tensor) -> tuple[Tensor, Tensor]:
    """States before anything was read."""
    return torch.zeros(1, text.shape[1], WIDTH), torch.zeros(1, text.shape[1], WIDTH)


def train(model: Model, text: Tensor, epochs: int) -> None:
    """Adam, a cosine to zero, gradients cut at 0.25."""
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * -(-len(text) // STRETCH))
    for _ in range(epochs):
        hidden, cell = start(text)
        for words, following in stretches(text):
            scores, hidden, cell = model(words, hidden.detach(), cell.detach())
            optimizer.zero_grad()
            nn.functional.cross_entropy(scores.flatten(0, 1), following.flatten()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.25)
            optimizer.step()
            schedule.step()


def perplexity(model: nn.Module, text: Tensor) -> float:
    """e to the mean cross-entropy."""
    total, number, (hidden, cell) = 0.0, 0, start(text)
    with torch.no_grad():
        for words, following in stretches(text):
            scores, hidden, cell = model(words, hidden, cell)
            loss = nn.functional.cross_entropy(scores.flatten(0, 1), following.flatten(), reduction="sum")
            total, number = total + float(loss), number + following.numel()
    return math.exp(total / number)


def inputs(model: nn.Module, text: Tensor, number: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The inputs of the model for the first sections of a text."""
    found, (hidden, cell) = [], start(text)
    with torch.no_grad():
        for (words, _), _ in zip(stretches(text), range(number), strict=False):
            found.append((words, hidden, cell))
            _, hidden, cell = model(words, hidden, cell)
    return found


def quantized(method: type[Any], model: nn.Module, data: list[Any], settings: dict[str, Any]) -> Any:  # noqa: ANN401
    """A quantizer of that method, ready to convert."""
    quantizer = method(model, **settings)
    quantizer.prepare_model(*data[1])
    if method is not DynamicQuantizer and method is not WeightOnlyQuantizer:
        quantizer.calibrate(data)
    return quantizer


def widened(quantizer: Any, data: list[Any]) -> dict[str, dict[str, int]]:  # noqa: ANN401
    """16 bits for every slot whose quantization alone leaves less than FLOOR at the output."""
    found = quantizer.report(data[-1:]).slots
    weak = [slot for slot in found if slot.sensitivity < FLOOR and not slot.name.startswith("input ")]
    print(f"16 bits for {len(weak)} of {len(found)} slots: {', '.join(slot.name for slot in weak)}")
    return {
        re.escape(slot.name): {"bits_weights" if slot.kind == "weight" else "bits_activations": 16} for slot in weak
    }


def trained(options: argparse.Namespace, words: dict[str, int]) -> nn.Module:
    """The model in evaluation mode, from the file or from training with torch's LSTM."""
    torch.manual_seed(0)
    if options.weights is None or not options.weights.exists():
        model, began = Model(nn.LSTM), time.process_time()
        train(model, read(options.text / "wikitext2-valid.txt", words, STREAMS, options.words), options.epochs)
        print(f"trained in {time.process_time() - began:.0f} s")
        state = model.state_dict()
        if options.weights is not None:
            torch.save(state, options.weights)
    else:
        state = torch.load(options.weights, weights_only=True)
    model = Model()
    model.load_state_dict(state)
    return model.eval()


def main() -> int:
    """Print the table; 1 where a claim fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, default=SHARED / "data" / "text")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=-1, help="how many words to train on; -1: all")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    skip_without("the text is", options.text / "wikitext2-valid.txt", options.text / "wikitext2-test.txt")
    if options.quick:
        options.epochs, options.tokens, options.words = 1, 10_000, 60_000
    failed: list[str] = []
    torch.set_num_threads(1)
    words = frequent(options.text / "wikitext2-valid.txt")
    model = trained(options, words)
    held = read(options.text / "wikitext2-test.txt", words, STREAMS, options.tokens)
    seen = inputs(model, read(options.text / "wikitext2-valid.txt", words, STREAMS), 10)
    reference = perplexity(model, held)
    print(f"{'configuration':40} perplexity  × FP32  seconds")
    print(f"{'FP32':40} {reference:10.2f}  1.0000", flush=True)

    def row(name: str, quantizer: Any) -> None:  # noqa: ANN401
        found = perplexity(quantizer.convert(), held)
        seconds = time.process_time() - began
        print(f"{name:40} {found:10.2f}  {found / reference:.4f}  {seconds:7.1f}", flush=True)
        if found > BARS[name] * reference:
            failed.append(f"{name}: expected at most {BARS[name]} x FP32, found {found / reference:.4f}")

    for name, method, settings in CONFIGURATIONS:
        began = time.process_time()
        quantizer = quantized(method, model, seen, settings)
        row(name, quantizer)
        if settings is EIGHT and method is PostTrainingQuantizer:
            began = time.process_time()
            mixed = {**settings, "overrides": widened(quantizer, seen)}
            row("W8A8 static, 16 bit by sensitivity", quantized(method, model, seen, mixed))
    print("\n".join(failed) or "all claims hold")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
