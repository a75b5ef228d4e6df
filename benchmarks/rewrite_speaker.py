"""Resemblyzer's speaker encoder, rewritten by `qprep fix`: does its checkpoint load, do embeddings stay the same?

python benchmarks/rewrite_speaker.py [--packages DIR] [--data FILE] [--quick]

DIR is where `pip install --no-deps --target DIR resemblyzer` put source and weights. Prints the largest difference of
any number in any utterance's embedding; ends with 1 where it is beyond 1e-5. An utterance's embedding is the
normalised mean of those of its partials. `--quick` compares the first UTTERANCES.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from benchmark_inputs import PACKAGES, SHARED, skip_without
from torch import Tensor, nn

import qprep
from qprep.cli import main as command_line
from qprep.runtime_modules import LSTM

QUICK = ["--quick"]
UTTERANCES = 16
LIMIT = 1e-5


def encoder(packages: Path) -> nn.Module:
    """Resemblyzer's VoiceEncoder with its pretrained weights, of the copy under `packages`."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "resemblyzer"]:
        del sys.modules[name]
    package = ModuleType("resemblyzer")  # its own __init__ imports what only reading sound files needs
    package.__path__ = [str(packages / "resemblyzer")]
    sys.modules |= {"resemblyzer": package, "resemblyzer.audio": ModuleType("resemblyzer.audio")}
    vars(package)["audio"] = sys.modules["resemblyzer.audio"]
    made: nn.Module = importlib.import_module("resemblyzer.voice_encoder").VoiceEncoder("cpu", verbose=False)
    return made.eval()


def embeddings(model: nn.Module, mels: Tensor, offsets: list[int]) -> Tensor:
    """One row for each utterance."""
    with torch.no_grad():
        partial = torch.cat([model(part) for part in mels.split(112)])  # type: ignore[no-untyped-call]
    means = [partial[start:end].mean(0) for start, end in itertools.pairwise(offsets)]
    return nn.functional.normalize(torch.stack(means))


def main() -> int:
    """Rewrite, load, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, default=PACKAGES)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "speech" / "partials.npz")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    skip_without("the speaker encoder and its data are", options.packages / "resemblyzer", options.data)
    torch.set_num_threads(1)
    data = np.load(options.data)
    mels, offsets = torch.from_numpy(data["mels"]).float(), data["offsets"].tolist()
    if options.quick:
        offsets = offsets[: UTTERANCES + 1]
        mels = mels[: offsets[-1]]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(options.packages / "resemblyzer", Path(folder) / "resemblyzer")
        source = Path(folder) / "resemblyzer" / "voice_encoder.py"
        print(f"$ qprep fix {source.name}", flush=True)
        command_line(["fix", str(source)])
        original, rewritten = encoder(options.packages), encoder(Path(folder))
        rewritten.load_state_dict(original.state_dict(), strict=True)
        original.load_state_dict(rewritten.state_dict(), strict=True)
        print(f"left outside modules: {len(qprep.trace(rewritten, mels[:2]).unowned)}")
    expected = embeddings(original, mels, offsets)
    found = {"as rewritten": embeddings(rewritten, mels, offsets)}
    for module in rewritten.modules():
        if isinstance(module, LSTM):
            module.force_stages = True
    found["every stage run as a module"] = embeddings(rewritten, mels, offsets)
    print(f"{len(expected)} utterances, {len(mels)} partials; largest difference of any number in an embedding:")
    errors = {name: (rows - expected).abs().max().item() for name, rows in found.items()}
    for name, error in errors.items():
        print(f"{name:30} {error:.1e}")
    return int(max(errors.values()) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
